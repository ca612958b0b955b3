--- Normalization: inputs with mean 0 and variance 1.
local adapting = require "cdl.layers.adapting"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local signature = require "cdl.signature"
local words = require "cdl.words"

local Normalization = Layer:extend "Normalization"
Normalization.doc = "(x - mean) / sqrt(variance), with a mean and a variance for each place along axes, which "
  .. "adapt(data) finds or which are given."
Normalization.signature = {
  { "axis", "axes", -1, null = true, doc = "axes whose places have numbers of their own; null: one mean for all" },
  { "mean", "any", doc = "known means, a number or a list; then the variance is given, too" },
  { "variance", "any", doc = "known variances" },
  { "invert", "boolean", false, doc = "whether it goes back: x sqrt(variance) + mean" },
}
Normalization.supports_masking = true
Normalization.one_input = true

local SMALLEST = 1e-7 -- that a deviation counts as

-- A number or a nested list.
local function as_numbers(value, name)
  if value == nil or type(value) == "number" then return value end
  if words.is_plain(value) then value = core.tensor(value) end
  if not core.is_tensor(value) then
    core.raise(("Normalization: %s must be a number or a list of numbers, got %s"):format(name, words.describe(value)))
  end
  return value.ndim == 0 and value:item() or value:totable()
end

function Normalization:init(args)
  local axis = args.axis
  self.axis = type(axis) == "number" and { axis } or axis or {}
  args.mean, args.variance = as_numbers(args.mean, "mean"), as_numbers(args.variance, "variance")
  if (args.mean == nil) ~= (args.variance == nil) then
    core.raise "Normalization: mean and variance are given together or not at all"
  end
end

function Normalization:get_config()
  local config = Layer.get_config(self)
  if self.args.axis == nil then config.axis = signature.null end
  return config
end

-- Axes (from 1) that are kept and those over which the mean goes; the kept sizes; and the shape, with the
-- input's number of axes, in which these broadcast.
function Normalization:split(shape)
  local kept, others, sizes, spread, wanted = {}, {}, {}, {}, {}
  for _, axis in ipairs(self.axis) do
    local place = axis > 0 and axis or #shape + 1 + axis
    if place < 1 or place > #shape or wanted[place] then
      core.raise(("layer '%s': axis %d is given twice or out of range for inputs of shape {%s}"):format(self.name, axis,
        table.concat(shape, ", ")))
    end
    wanted[place] = true
  end
  for i, n in ipairs(shape) do
    if wanted[i] then
      if n < 0 then core.raise(("layer '%s': the size of axis %d must be known"):format(self.name, i)) end
      kept[#kept + 1], sizes[#sizes + 1], spread[i] = i, n, n
    else
      others[#others + 1], spread[i] = i, 1
    end
  end
  return kept, others, sizes, spread
end

function Normalization:build(input_shape)
  local _, _, sizes = self:split(input_shape)
  if self.args.mean then return end
  self.mean = self:add_weight { name = "mean", shape = sizes, initializer = "zeros", trainable = false }
  self.variance = self:add_weight { name = "variance", shape = sizes, initializer = "ones", trainable = false }
  self.count = self:add_weight { name = "count", shape = {}, initializer = "zeros", trainable = false, dtype = "int32" }
end

-- Mean and variance of what has come so far and of a batch (weighted by their sizes).
local function merge(total, count, mean, variance, n)
  if not total then return { mean = mean, variance = variance } end
  local share = n / (count + n)
  local both = total.mean * (1 - share) + mean * share
  return { mean = both, variance = (total.variance + ops.square(total.mean - both)) * (1 - share)
    + (variance + ops.square(mean - both)) * share }
end

--- Finds mean and variance in data: a tensor, tables of numbers, a list of batches or a Dataset.
function Normalization:adapt(data)
  if self.args.mean then
    core.raise(("layer '%s' was given its mean and variance: it does not adapt"):format(self.name))
  end
  local total, count = nil, 0
  for batch in adapting.batches(self, data) do
    self:ensure_built(batch.shape)
    local _, others, sizes = self:split(batch.shape)
    if table.concat(sizes, ",") ~= table.concat(self.mean.shape, ",") then
      core.raise(("layer '%s' has statistics of shape {%s}, the data {%s} would give {%s}"):format(self.name,
        table.concat(self.mean.shape, ", "), table.concat(batch.shape, ", "), table.concat(sizes, ", ")))
    end
    local x, n = ops.astype(batch, "float64"), 1
    for _, axis in ipairs(others) do n = n * batch.shape[axis] end
    local mean, variance = x, ops.zeros_like(x)
    if #others > 0 then mean, variance = ops.mean(x, others), ops.var(x, others) end
    if n > 0 then
      total = merge(total, count, mean, variance, n)
      count = count + n
    end
  end
  if not total then core.raise(("layer '%s': adapt was given no samples"):format(self.name)) end
  core.assign(self.mean, ops.astype(total.mean, self.dtype))
  core.assign(self.variance, ops.astype(total.variance, self.dtype))
end

-- Given numbers, which belong to the last of the kept axes.
function Normalization:aligned(value, kept, ndim)
  value = ops.astype(core.tensor(value), self.dtype)
  local shape, own = {}, value.shape
  for i = 1, ndim do shape[i] = 1 end
  if #own > #kept then
    core.raise(("layer '%s': mean and variance have %d axes for %d of the inputs"):format(self.name, #own, #kept))
  end
  for i = 0, #own - 1 do shape[kept[#kept - i]] = own[#own - i] end
  return ops.reshape(value, shape)
end

function Normalization:call(x)
  local kept, _, _, spread = self:split(x.shape)
  x = ops.astype(x, self.dtype)
  local mean, variance
  if self.args.mean then
    mean, variance = self:aligned(self.args.mean, kept, x.ndim), self:aligned(self.args.variance, kept, x.ndim)
  else
    mean, variance = ops.reshape(self.mean, spread), ops.reshape(self.variance, spread)
  end
  local deviation = ops.maximum(ops.sqrt(variance), SMALLEST)
  if self.args.invert then return x * deviation + mean end
  return (x - mean) / deviation
end

return Normalization
