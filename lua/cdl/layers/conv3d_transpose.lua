--- Conv3DTranspose.
return require "cdl.layers.base_conv_transpose" ("Conv3DTranspose", 3)
