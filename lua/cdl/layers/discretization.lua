--- Discretization: numbers as the numbers of the bins that they fall into.
local adapting = require "cdl.layers.adapting"
local core = require "cdl.core"
local encoding = require "cdl.layers.encoding"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"

local Discretization = Layer:extend "Discretization"
Discretization.doc = "The bin of each number, from 0: how many boundaries are not above it. These are given, or "
  .. "found by adapt(data), so that num_bins bins hold about as many numbers each."
Discretization.signature = {
  { "bin_boundaries", "list", of = "number", doc = "in rising order" },
  { "num_bins", "integer", min = 1, doc = "how many bins adapt makes" },
  { "epsilon", "number", 0.01, above = 0, max = 1, doc = "how exact adapt is: 0.01 keeps 100 places of the data" },
  { "output_mode", { "int", "one_hot", "multi_hot", "count" }, "int", doc = "int: the bin; the others as in "
    .. "CategoryEncoding" },
  encoding.sparse_row,
}
Discretization.one_input = true

function Discretization:init(args)
  encoding.check_sparse("Discretization", args)
  if (args.bin_boundaries == nil) == (args.num_bins == nil) then
    core.raise "Discretization: either bin_boundaries or num_bins must be given"
  end
  self.bin_boundaries = args.bin_boundaries
  for i = 2, args.bin_boundaries and #args.bin_boundaries or 0 do
    local before, here = args.bin_boundaries[i - 1], args.bin_boundaries[i]
    local rises = before <= here -- false for nan
    if not rises then
      core.raise(("Discretization: bin_boundaries must rise, but %g stands before %g"):format(before, here))
    end
  end
end

function Discretization:get_config()
  local config = Layer.get_config(self)
  config.bin_boundaries = self.bin_boundaries
  return config
end

--- An equal layer; one that has adapted has boundaries besides their number.
function Discretization.from_config(cls, config)
  local args = {}
  for key, value in pairs(config) do args[key] = value end
  local adapted = args.num_bins ~= nil and args.bin_boundaries
  if adapted then args.bin_boundaries = nil end
  local layer = cls(args)
  if adapted then layer.bin_boundaries = adapted end
  return layer
end

-- A summary is a sorted list of values, each with how many numbers it stands for. Keras's algorithm.

-- About 1 / epsilon evenly spaced ones of the values of a tensor.
local function summarize(x, epsilon)
  local values = ops.sort(ops.flatten(ops.astype(x, "float32")))
  local step = math.max(values.size * epsilon, 1)
  local summary = {}
  local taken = values[{ { math.floor(step - 1) + 1, values.size, math.floor(step) } }]:totable()
  for i, value in ipairs(taken) do summary[i] = { value, step } end
  return summary
end

-- The value at `at` of the lines through the points (xs[i], ys[i]), flat beyond their ends.
local function interpolate(at, xs, ys)
  if at <= xs[1] then return ys[1] end
  local low, high = 1, #xs
  if at >= xs[high] then return ys[high] end
  while high - low > 1 do
    local middle = (low + high) // 2
    if xs[middle] <= at then low = middle else high = middle end
  end
  return ys[low] + (ys[high] - ys[low]) * (at - xs[low]) / (xs[high] - xs[low])
end

-- About 1 / epsilon values with equally many numbers between them.
local function compress(summary, epsilon)
  if #summary * epsilon < 1 then return summary end
  local values, sums, shares, sum = {}, {}, {}, 0
  for i, entry in ipairs(summary) do
    sum = sum + entry[2]
    values[i], sums[i] = entry[1], sum
  end
  for i = 1, #sums do shares[i] = sums[i] / sum end
  local result, before = {}, 0
  for i = 0, math.ceil(1 / epsilon) - 1 do
    local share = epsilon + i * epsilon
    local upto = interpolate(share, shares, sums)
    result[#result + 1] = { interpolate(share, shares, values), upto - before }
    before = upto
  end
  return result
end

local function merge(a, b, epsilon)
  local all = table.move(b, 1, #b, #a + 1, table.move(a, 1, #a, 1, {}))
  table.sort(all, function(x, y) return x[1] < y[1] end)
  return compress(all, epsilon)
end

--- Finds the boundaries in data: a tensor, tables of numbers, a list of batches or a Dataset.
function Discretization:adapt(data)
  local bins, summary = self.args.num_bins, {}
  if not bins then
    core.raise(("layer '%s' was given its bin_boundaries: it does not adapt (give num_bins instead)"):format(self.name))
  end
  for batch in adapting.batches(self, data) do
    if not ops.all(ops.isfinite(ops.astype(batch, "float32"))):item() then
      core.raise(("layer '%s': adapt was given nan or infinity"):format(self.name))
    end
    if batch.size > 0 then summary = merge(summarize(batch, self.args.epsilon), summary, self.args.epsilon) end
  end
  if #summary == 0 then core.raise(("layer '%s': adapt was given no samples"):format(self.name)) end
  local boundaries = {}
  local found = compress(summary, 1 / bins)
  for i = 1, #found - 1 do boundaries[i] = found[i][1] end
  self.bin_boundaries = boundaries
end

function Discretization:call(x)
  local boundaries = self.bin_boundaries
  if not boundaries then
    core.raise(("layer '%s' has no boundaries yet: call adapt(data) first, or give bin_boundaries"):format(self.name))
  end
  local bins = ops.zeros_like(x, "int64")
  if #boundaries > 0 then
    bins = ops.sum(ops.ge(ops.expand_dims(ops.astype(x, self.dtype), -1), core.tensor(boundaries)), -1)
  end
  local mode = self.args.output_mode
  return encoding.encode(ops.astype(bins, mode == "int" and "int32" or "int64"), mode, #boundaries + 1)
end

return Discretization
