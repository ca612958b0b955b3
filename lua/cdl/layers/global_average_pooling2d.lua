--- GlobalAveragePooling2D.
return require "cdl.layers.base_global_pooling" ("GlobalAveragePooling2D", "mean", 2)
