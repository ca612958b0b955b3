--- Conv1DTranspose, Conv2DTranspose and Conv3DTranspose: the class for a number of axes.
local activations = require "cdl.activations"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local spatial = require "cdl.spatial"
local rows = require "cdl.layers.rows"

return function(name, axes)
  local ConvTranspose = Layer:extend(name)
  ConvTranspose.one_input = true
  ConvTranspose.doc = ("Transposed convolution of inputs %s: each of them adds the kernel, scaled, to a window of the "
    .. "output; kernel {sizes, filters, channels}."):format(spatial.wanted(axes))
  ConvTranspose.signature = rows.join({
    { "filters", "integer", required = true, min = 1, doc = "channels of the output" },
    { "kernel_size", "size", required = true, axes = axes, doc = "sizes of the window" },
    { "strides", "size", 1, axes = axes, doc = "places from one window of the output to the next" },
    { "padding", { "valid", "same" }, "valid", doc = "valid: all that the windows reach; same: size * stride" },
    { "output_padding", "size", axes = axes, min = 0, doc = "places added at the end; less than the strides" },
    { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
    { "dilation_rate", "size", 1, axes = axes, doc = "places from one element of the kernel to the next" },
  }, rows.kernel_and_bias)

  function ConvTranspose:init(args)
    self.filters = args.filters
    self.activation = activations.get(args.activation)
    local who = ("layer '%s'"):format(self.name)
    spatial.check_rates(who, args.strides, args.dilation_rate)
    spatial.check_output_padding(who, args.output_padding, args.strides)
  end

  function ConvTranspose:build(input_shape)
    local channels, args = spatial.channels(self, input_shape, axes), self.args
    local shape = table.move(args.kernel_size, 1, axes, 1, {})
    shape[axes + 1], shape[axes + 2] = self.filters, channels
    self.kernel = self:add_argument_weight("kernel", shape)
    if args.use_bias then
      self.bias = self:add_argument_weight("bias", { self.filters })
    end
  end

  function ConvTranspose:call(x)
    local y = spatial.conv_transpose(("layer '%s'"):format(self.name), x, core.read(self.kernel), self.args)
    if self.bias then y = y + self.bias end
    return self.activation(y)
  end

  return ConvTranspose
end
