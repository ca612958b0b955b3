--- AdaptiveMaxPooling1D.
return require "cdl.layers.base_adaptive_pooling" ("AdaptiveMaxPooling1D", "max_pool", 1)
