--- Conv1D, Conv2D and Conv3D: the class for a number of axes.
local activations = require "cdl.activations"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local spatial = require "cdl.spatial"
local rows = require "cdl.layers.rows"

local KERNELS = { "{size, channels, filters}", "{rows, columns, channels, filters}",
  "{planes, rows, columns, channels, filters}" }

return function(name, axes)
  local Conv = Layer:extend(name)
  Conv.one_input = true
  Conv.doc = ("y = activation(x convolved with kernel + bias) of inputs %s; kernel %s."):format(
    spatial.wanted(axes), KERNELS[axes])
  Conv.signature = rows.join({
    { "filters", "integer", required = true, min = 1, doc = "channels of the output" },
    { "kernel_size", "size", required = true, axes = axes, doc = "sizes of the window" },
    { "strides", "size", 1, axes = axes, doc = "places from one window to the next" },
    { "padding", axes == 1 and { "valid", "same", "causal" } or { "valid", "same" }, "valid",
      doc = "valid: windows lie inside; same: ceil(size / stride) of them"
        .. (axes == 1 and "; causal: an output sees nothing behind its own step" or "") },
    { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
    { "dilation_rate", "size", 1, axes = axes, doc = "places from one element of the kernel to the next" },
    { "groups", "integer", 1, min = 1, doc = "channels and filters fall into groups that do not meet" },
  }, rows.kernel_and_bias)

  function Conv:init(args)
    self.filters, self.groups = args.filters, args.groups
    self.activation = activations.get(args.activation)
    if args.filters % args.groups ~= 0 then
      core.raise(("layer '%s': %d filters do not divide into %d groups"):format(self.name, args.filters,
        args.groups))
    end
    spatial.check_rates(("layer '%s'"):format(self.name), args.strides, args.dilation_rate)
  end

  function Conv:build(input_shape)
    local channels, args = spatial.channels(self, input_shape, axes), self.args
    if channels % self.groups ~= 0 then
      core.raise(("layer '%s': inputs of shape {%s} have %d channels, which do not divide into %d groups"):format(
        self.name, table.concat(input_shape, ", "), channels, self.groups))
    end
    local shape = table.move(args.kernel_size, 1, axes, 1, {})
    shape[axes + 1], shape[axes + 2] = channels // self.groups, self.filters
    self.kernel = self:add_argument_weight("kernel", shape)
    if args.use_bias then
      self.bias = self:add_argument_weight("bias", { self.filters })
    end
  end

  function Conv:call(x)
    local fused = self.bias and activations.name_of(self.activation) == "relu"
    local y = spatial.conv(("layer '%s'"):format(self.name), x, core.read(self.kernel),
      self.bias and core.read(self.bias), fused and "relu" or "linear", self.args)
    return fused and y or self.activation(y)
  end

  return Conv
end
