--- GlobalMaxPooling3D.
return require "cdl.layers.base_global_pooling" ("GlobalMaxPooling3D", "max", 3)
