--- ZeroPadding2D.
return require "cdl.layers.base_zero_padding" ("ZeroPadding2D", 2)
