--- ZeroPadding1D.
return require "cdl.layers.base_zero_padding" ("ZeroPadding1D", 1)
