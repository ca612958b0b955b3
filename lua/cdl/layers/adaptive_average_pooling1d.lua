--- AdaptiveAveragePooling1D.
return require "cdl.layers.base_adaptive_pooling" ("AdaptiveAveragePooling1D", "average_pool", 1)
