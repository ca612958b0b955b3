--- AveragePooling3D.
return require "cdl.layers.base_pooling" ("AveragePooling3D", "average_pool", 3)
