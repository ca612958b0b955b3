--- MaxPooling3D.
return require "cdl.layers.base_pooling" ("MaxPooling3D", "max_pool", 3)
