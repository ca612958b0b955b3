--- GlobalMaxPooling2D.
return require "cdl.layers.base_global_pooling" ("GlobalMaxPooling2D", "max", 2)
