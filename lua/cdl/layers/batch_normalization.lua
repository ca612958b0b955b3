--- BatchNormalization (Ioffe and Szegedy 2015).
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"

local BatchNormalization = Layer:extend "BatchNormalization"
BatchNormalization.doc = "Normalises along an axis with the batch's mean and variance while training, with their "
  .. "moving averages else (or when not trainable): gamma (x - mean) / sqrt(variance + epsilon) + beta."
BatchNormalization.signature = {
  { "axis", "axis", -1, doc = "the axis that keeps its own statistics, from 1 (batch) or from the end" },
  { "momentum", "number", 0.99, doc = "of the moving averages" },
  { "epsilon", "number", 1e-3, doc = "added to the variance" },
  { "center", "boolean", true, doc = "whether beta is added" },
  { "scale", "boolean", true, doc = "whether gamma multiplies" },
  { "beta_initializer", "any", "zeros" },
  { "gamma_initializer", "any", "ones" },
  { "moving_mean_initializer", "any", "zeros" },
  { "moving_variance_initializer", "any", "ones" },
  { "beta_regularizer", "any" },
  { "gamma_regularizer", "any" },
  { "beta_constraint", "any" },
  { "gamma_constraint", "any" },
}
BatchNormalization.supports_masking = true
BatchNormalization.one_input = true

function BatchNormalization:init(args)
  self.axis, self.momentum, self.epsilon = args.axis, args.momentum, args.epsilon
end

function BatchNormalization:axis_place(ndim)
  local place = self.axis > 0 and self.axis or ndim + 1 + self.axis
  if place < 1 or place > ndim then
    core.raise(("layer '%s': axis %d is out of range for inputs with %d axes"):format(self.name, self.axis, ndim))
  end
  return place
end

function BatchNormalization:build(input_shape)
  local args = self.args
  local size = input_shape[self:axis_place(#input_shape)]
  if size < 0 then
    core.raise(("layer '%s': the size of axis %d must be known"):format(self.name, self.axis))
  end
  local shape = { size }
  if args.scale then
    self.gamma = self:add_argument_weight("gamma", shape)
  end
  if args.center then
    self.beta = self:add_argument_weight("beta", shape)
  end
  self.moving_mean = self:add_weight { name = "moving_mean", shape = shape,
    initializer = args.moving_mean_initializer, trainable = false }
  self.moving_variance = self:add_weight { name = "moving_variance", shape = shape,
    initializer = args.moving_variance_initializer, trainable = false }
end

-- Mean and biased variance over the other axes; masked steps do not count.
local function moments(x, axes, mask)
  if not mask then
    local mean = ops.mean(x, axes, true)
    return mean, ops.mean(ops.square(x - mean), axes, true)
  end
  local weight = ops.astype(mask, "float32")
  while weight.ndim < x.ndim do weight = ops.expand_dims(weight, -1) end
  weight = weight + ops.zeros_like(x, "float32")
  local count = ops.sum(weight, axes, true) + 1e-7
  local mean = ops.sum(x * weight, axes, true) / count
  return mean, ops.sum(ops.square(x - mean) * weight, axes, true) / count
end

function BatchNormalization:call(x, training, mask)
  local place = self:axis_place(x.ndim)
  local shape, axes = {}, {}
  for i = 1, x.ndim do
    shape[i] = i == place and x.shape[i] or 1
    if i ~= place then axes[#axes + 1] = i end
  end
  x = x.dtype:sub(1, 5) == "float" and x or ops.astype(x, "float32")
  local mean, variance
  if training and self.trainable then
    mean, variance = moments(x, axes, mask)
    local keep = self.momentum
    self.moving_mean:assign(self.moving_mean * keep + ops.flatten(mean) * (1 - keep))
    self.moving_variance:assign(self.moving_variance * keep + ops.flatten(variance) * (1 - keep))
  else
    mean, variance = self.moving_mean:reshape(shape), self.moving_variance:reshape(shape)
  end
  local factor = ops.rsqrt(variance + self.epsilon)
  if self.gamma then factor = factor * self.gamma:reshape(shape) end
  local y = (x - mean) * factor
  if self.beta then y = y + self.beta:reshape(shape) end
  return y
end

return BatchNormalization
