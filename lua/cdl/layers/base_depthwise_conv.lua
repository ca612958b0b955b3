--- DepthwiseConv1D and DepthwiseConv2D: the class for a number of axes.
local activations = require "cdl.activations"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local spatial = require "cdl.spatial"

return function(name, axes)
  local DepthwiseConv = Layer:extend(name)
  DepthwiseConv.one_input = true
  DepthwiseConv.doc = ("Convolves each channel of inputs %s on its own; kernel {sizes, channels, depth_multiplier}.")
    :format(spatial.wanted(axes))
  DepthwiseConv.signature = {
    { "kernel_size", "size", required = true, axes = axes, doc = "sizes of the window" },
    { "strides", "size", 1, axes = axes, doc = "places from one window to the next" },
    { "padding", { "valid", "same" }, "valid", doc = "valid: windows lie inside; same: ceil(size / stride) of them" },
    { "depth_multiplier", "integer", 1, min = 1, doc = "outputs of each channel" },
    { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
    { "dilation_rate", "size", 1, axes = axes, doc = "places from one element of the kernel to the next" },
    { "activation", "any", doc = "name or function; none if left out" },
    { "use_bias", "boolean", true, doc = "whether a bias is added" },
    { "depthwise_initializer", "any", "glorot_uniform", doc = "first values of the kernel" },
    { "bias_initializer", "any", "zeros", doc = "first values of the bias" },
    { "depthwise_regularizer", "any", doc = "penalty on the kernel" },
    { "bias_regularizer", "any", doc = "penalty on the bias" },
    { "activity_regularizer", "any", doc = "penalty on the output" },
    { "depthwise_constraint", "any", doc = "applied to the kernel after each update" },
    { "bias_constraint", "any", doc = "applied to the bias after each update" },
  }

  function DepthwiseConv:init(args)
    self.activation = activations.get(args.activation)
    spatial.check_rates(("layer '%s'"):format(self.name), args.strides, args.dilation_rate)
  end

  function DepthwiseConv:build(input_shape)
    local channels, args = spatial.channels(self, input_shape, axes), self.args
    local shape = table.move(args.kernel_size, 1, axes, 1, {})
    shape[axes + 1], shape[axes + 2] = channels, args.depth_multiplier
    self.kernel = self:add_argument_weight("kernel", shape, "depthwise")
    if args.use_bias then
      self.bias = self:add_argument_weight("bias", { channels * args.depth_multiplier })
    end
  end

  function DepthwiseConv:call(x)
    local fused = self.bias and activations.name_of(self.activation) == "relu"
    local y = spatial.depthwise_conv(("layer '%s'"):format(self.name), x, core.read(self.kernel),
      self.bias and core.read(self.bias), fused and "relu" or "linear", self.args)
    return fused and y or self.activation(y)
  end

  return DepthwiseConv
end
