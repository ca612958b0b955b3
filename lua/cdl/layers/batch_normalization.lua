--- BatchNormalization (Ioffe and Szegedy 2015).
local core = require "cdl.core"
local initializers = require "cdl.initializers"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local normalization = require "cdl.layers.base_normalization"
local words = require "cdl.words"

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
  { "renorm", "boolean", false, doc = "batch renormalisation (Ioffe 2017): train with statistics of many batches" },
  { "renorm_clipping", "any", doc = "{rmin =, rmax =, dmax =}: how far these may be from the batch's" },
  { "renorm_momentum", "number", 0.99, doc = "of the averages for renorm" },
  { "synchronized", "boolean", false, doc = "must be false: statistics are one process's" },
}
BatchNormalization.supports_masking = true
BatchNormalization.one_input = true

local function check_clipping(clipping)
  if not words.is_plain(clipping) then
    core.raise("BatchNormalization: renorm_clipping must be a table, got " .. words.describe(clipping))
  end
  for key, value in pairs(clipping) do
    if (key ~= "rmin" and key ~= "rmax" and key ~= "dmax") or type(value) ~= "number" then
      core.raise(("BatchNormalization: renorm_clipping takes numbers rmin, rmax and dmax, got %s = %s"):format(
        words.literal(key), words.describe(value)))
    end
  end
  if (clipping.rmin or 0) > (clipping.rmax or math.huge) or (clipping.dmax or 0) < 0 then
    core.raise "BatchNormalization: renorm_clipping wants rmin <= rmax and dmax >= 0"
  end
end

function BatchNormalization:init(args)
  self.axis, self.momentum, self.epsilon = args.axis, args.momentum, args.epsilon
  check_clipping(args.renorm_clipping or {})
  if args.synchronized then core.raise "BatchNormalization: synchronized = true wants several processes" end
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
  if not args.renorm then return end
  local function root_of_variance(of, dtype)
    return ops.sqrt(initializers.get(args.moving_variance_initializer)(of, dtype))
  end
  self.moving_stddev = self:add_weight { name = "moving_stddev", shape = shape, initializer = root_of_variance,
    trainable = false }
  self.renorm_mean = self:add_weight { name = "renorm_mean", shape = shape,
    initializer = args.moving_mean_initializer, trainable = false }
  self.renorm_stddev = self:add_weight { name = "renorm_stddev", shape = shape, initializer = root_of_variance,
    trainable = false }
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

local function move(average, keep, value) average:assign(average * keep + value * (1 - keep)) end

-- Batch renormalisation: the factor r and the shift d that lead from the batch's statistics to those
-- of many batches; gradients do not pass them. Moves the averages on.
local function renormalize(self, mean, variance)
  local clipping, epsilon = self.args.renorm_clipping or {}, self.epsilon
  mean = ops.flatten(mean)
  local deviation = ops.sqrt(ops.flatten(variance) + epsilon)
  local usual = ops.maximum(self.renorm_stddev, math.sqrt(epsilon))
  local r = deviation / usual
  local d = (mean - self.renorm_mean) / usual
  if clipping.rmin then r = ops.maximum(r, clipping.rmin) end
  if clipping.rmax then r = ops.minimum(r, clipping.rmax) end
  if clipping.dmax then d = ops.clip(d, -clipping.dmax, clipping.dmax) end
  r, d = ops.stop_gradient(r), ops.stop_gradient(d)
  move(self.renorm_mean, self.args.renorm_momentum, mean)
  move(self.renorm_stddev, self.args.renorm_momentum, deviation)
  move(self.moving_mean, self.momentum, mean)
  move(self.moving_stddev, self.momentum, deviation)
  self.moving_variance:assign(ops.relu(ops.square(self.moving_stddev) - epsilon))
  return r, d
end

function BatchNormalization:call(x, training, mask)
  local place = self:axis_place(x.ndim)
  local shape, axes = {}, {}
  for i = 1, x.ndim do
    shape[i] = i == place and x.shape[i] or 1
    if i ~= place then axes[#axes + 1] = i end
  end
  x = x.dtype:sub(1, 5) == "float" and x or ops.astype(x, "float32")
  local learns, gamma, r, d = training and self.trainable, self.gamma and self.gamma:reshape(shape), nil, nil
  local y, mean, variance
  if learns and not (mask or self.args.renorm) then
    y, mean, variance = normalization.standardise(x, axes, self.epsilon)
    if gamma then y = y * gamma end
  else
    if learns then
      mean, variance = moments(x, axes, mask)
    else
      mean, variance = self.moving_mean:reshape(shape), self.moving_variance:reshape(shape)
    end
    if learns and self.args.renorm then r, d = renormalize(self, mean, variance) end
    local factor = ops.rsqrt(variance + self.epsilon)
    if r then factor = factor * r:reshape(shape) end
    if gamma then factor = factor * gamma end
    y = (x - mean) * factor
    if d then y = y + (self.gamma and d * self.gamma or d):reshape(shape) end
  end
  if learns and not r then
    move(self.moving_mean, self.momentum, ops.flatten(mean))
    move(self.moving_variance, self.momentum, ops.flatten(variance))
  end
  if self.beta then y = y + self.beta:reshape(shape) end
  return y
end

return BatchNormalization
