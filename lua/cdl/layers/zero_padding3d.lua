--- ZeroPadding3D.
return require "cdl.layers.base_zero_padding" ("ZeroPadding3D", 3)
