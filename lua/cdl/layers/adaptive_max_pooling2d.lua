--- AdaptiveMaxPooling2D.
return require "cdl.layers.base_adaptive_pooling" ("AdaptiveMaxPooling2D", "max_pool", 2)
