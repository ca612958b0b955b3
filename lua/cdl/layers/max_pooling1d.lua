--- MaxPooling1D.
return require "cdl.layers.base_pooling" ("MaxPooling1D", "max_pool", 1)
