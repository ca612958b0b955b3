--- AdaptiveAveragePooling3D.
return require "cdl.layers.base_adaptive_pooling" ("AdaptiveAveragePooling3D", "average_pool", 3)
