--- DepthwiseConv2D.
return require "cdl.layers.base_depthwise_conv" ("DepthwiseConv2D", 2)
