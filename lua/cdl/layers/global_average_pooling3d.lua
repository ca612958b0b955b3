--- GlobalAveragePooling3D.
return require "cdl.layers.base_global_pooling" ("GlobalAveragePooling3D", "mean", 3)
