--- AdaptiveAveragePooling2D.
return require "cdl.layers.base_adaptive_pooling" ("AdaptiveAveragePooling2D", "average_pool", 2)
