--- SeparableConv2D.
return require "cdl.layers.base_separable_conv" ("SeparableConv2D", 2)
