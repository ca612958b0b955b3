--- Conv2DTranspose.
return require "cdl.layers.base_conv_transpose" ("Conv2DTranspose", 2)
