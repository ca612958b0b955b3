--- Conv3D.
return require "cdl.layers.base_conv" ("Conv3D", 3)
