--- MaxPooling2D.
return require "cdl.layers.base_pooling" ("MaxPooling2D", "max_pool", 2)
