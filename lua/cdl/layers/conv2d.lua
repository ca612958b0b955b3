--- Conv2D.
return require "cdl.layers.base_conv" ("Conv2D", 2)
