--- AveragePooling2D.
return require "cdl.layers.base_pooling" ("AveragePooling2D", "average_pool", 2)
