--- GlobalMaxPooling1D.
return require "cdl.layers.base_global_pooling" ("GlobalMaxPooling1D", "max", 1)
