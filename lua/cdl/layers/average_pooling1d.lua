--- AveragePooling1D.
return require "cdl.layers.base_pooling" ("AveragePooling1D", "average_pool", 1)
