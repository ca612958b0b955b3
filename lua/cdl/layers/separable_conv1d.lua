--- SeparableConv1D.
return require "cdl.layers.base_separable_conv" ("SeparableConv1D", 1)
