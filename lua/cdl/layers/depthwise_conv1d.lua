--- DepthwiseConv1D.
return require "cdl.layers.base_depthwise_conv" ("DepthwiseConv1D", 1)
