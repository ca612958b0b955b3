--- SeparableConv1D and SeparableConv2D: the class for a number of axes.
local activations = require "cdl.activations"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local spatial = require "cdl.spatial"

return function(name, axes)
  local SeparableConv = Layer:extend(name)
  SeparableConv.one_input = true
  SeparableConv.doc = ("A depthwise convolution of inputs %s, then one that mixes the channels of each place; "
    .. "kernels {sizes, channels, depth_multiplier} and {1, channels * depth_multiplier, filters}.")
    :format(spatial.wanted(axes))
  SeparableConv.signature = {
    { "filters", "integer", required = true, min = 1, doc = "channels of the output" },
    { "kernel_size", "size", required = true, axes = axes, doc = "sizes of the window" },
    { "strides", "size", 1, axes = axes, doc = "places from one window to the next" },
    { "padding", { "valid", "same" }, "valid", doc = "valid: windows lie inside; same: ceil(size / stride) of them" },
    { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
    { "dilation_rate", "size", 1, axes = axes, doc = "places from one element of the kernel to the next" },
    { "depth_multiplier", "integer", 1, min = 1, doc = "outputs of each channel before they are mixed" },
    { "activation", "any", doc = "name or function; none if left out" },
    { "use_bias", "boolean", true, doc = "whether a bias is added" },
    { "depthwise_initializer", "any", "glorot_uniform", doc = "first values of the depthwise kernel" },
    { "pointwise_initializer", "any", "glorot_uniform", doc = "first values of the mixing kernel" },
    { "bias_initializer", "any", "zeros", doc = "first values of the bias" },
    { "depthwise_regularizer", "any", doc = "penalty on the depthwise kernel" },
    { "pointwise_regularizer", "any", doc = "penalty on the mixing kernel" },
    { "bias_regularizer", "any", doc = "penalty on the bias" },
    { "activity_regularizer", "any", doc = "penalty on the output" },
    { "depthwise_constraint", "any", doc = "applied to the depthwise kernel after each update" },
    { "pointwise_constraint", "any", doc = "applied to the mixing kernel after each update" },
    { "bias_constraint", "any", doc = "applied to the bias after each update" },
  }

  local ones = {}
  for k = 1, axes do ones[k] = 1 end
  local POINTWISE = { strides = ones, dilation_rate = ones, padding = "valid", groups = 1 }

  function SeparableConv:init(args)
    self.activation = activations.get(args.activation)
    spatial.check_rates(("layer '%s'"):format(self.name), args.strides, args.dilation_rate)
  end

  function SeparableConv:build(input_shape)
    local channels, args = spatial.channels(self, input_shape, axes), self.args
    local sizes = table.move(args.kernel_size, 1, axes, 1, {})
    sizes[axes + 1], sizes[axes + 2] = channels, args.depth_multiplier
    self.depthwise_kernel = self:add_argument_weight("depthwise_kernel", sizes, "depthwise")
    local shape = table.move(ones, 1, axes, 1, {})
    shape[axes + 1], shape[axes + 2] = channels * args.depth_multiplier, args.filters
    self.pointwise_kernel = self:add_argument_weight("pointwise_kernel", shape, "pointwise")
    if args.use_bias then
      self.bias = self:add_argument_weight("bias", { args.filters })
    end
  end

  function SeparableConv:call(x)
    local who = ("layer '%s'"):format(self.name)
    local fused = self.bias and activations.name_of(self.activation) == "relu"
    local each = spatial.depthwise_conv(who, x, core.read(self.depthwise_kernel), nil, "linear", self.args)
    local y = spatial.conv(who, each, core.read(self.pointwise_kernel), self.bias and core.read(self.bias),
      fused and "relu" or "linear", POINTWISE)
    return fused and y or self.activation(y)
  end

  return SeparableConv
end
