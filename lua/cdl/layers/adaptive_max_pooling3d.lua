--- AdaptiveMaxPooling3D.
return require "cdl.layers.base_adaptive_pooling" ("AdaptiveMaxPooling3D", "max_pool", 3)
