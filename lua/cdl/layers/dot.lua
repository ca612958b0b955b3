--- Dot: products of two tensors, sample by sample.
local core = require "cdl.core"
local Merge = require "cdl.layers.merge"
local ops = require "cdl.ops"

local Dot = Merge:extend "Dot"
Dot.doc = "Sums of products of two tensors over one axis of each, sample by sample: {batch, n} and {batch, n} "
  .. "give {batch, 1}."
Dot.signature = {
  { "axes", "axes", required = true, doc = "the axis of both, or one of each; from 1 (batch) or from the end" },
  { "normalize", "boolean", false, doc = "divide by the lengths first: cosines" },
}
Dot.least, Dot.most = 2, 2

function Dot:init(args)
  local axes = type(args.axes) == "number" and { args.axes, args.axes } or args.axes
  if #axes ~= 2 then core.raise(("Dot: axes is one axis or a pair, got %d"):format(#axes)) end
  self.axes, self.normalize = axes, args.normalize
end

local function place(self, x, axis)
  local at = axis > 0 and axis or x.ndim + 1 + axis
  if at < 2 or at > x.ndim then
    core.raise(("layer '%s': axis %d is the batch or out of range for an input with %d axes"):format(self.name,
      axis, x.ndim))
  end
  return at
end

-- {batch, rows, n} (or {batch, n, rows}) from a tensor with the summed axis at `at`.
local function as_matrices(x, at, summed_last)
  local order, rows, rest = { 1 }, 1, {}
  for i = 2, x.ndim do
    if i ~= at then
      order[#order + 1] = i
      rows = rows * x.shape[i]
      rest[#rest + 1] = x.shape[i]
    end
  end
  table.insert(order, summed_last and #order + 1 or 2, at)
  local n = x.shape[at]
  local shape = summed_last and { x.shape[1], rows, n } or { x.shape[1], n, rows }
  return ops.reshape(ops.permute(x, order), shape), rest
end

function Dot:call(x)
  local a, b = table.unpack(self:inputs_of(x))
  local at, bt = place(self, a, self.axes[1]), place(self, b, self.axes[2])
  if a.shape[at] ~= b.shape[bt] then
    core.raise(("layer '%s': the summed axes have %d and %d elements (shapes {%s} and {%s})"):format(self.name,
      a.shape[at], b.shape[bt], table.concat(a.shape, ", "), table.concat(b.shape, ", ")))
  end
  if self.normalize then
    a = a * ops.rsqrt(ops.maximum(ops.sum(ops.square(a), at, true), 1e-12))
    b = b * ops.rsqrt(ops.maximum(ops.sum(ops.square(b), bt, true), 1e-12))
  end
  local left, rows = as_matrices(a, at, true)
  local right, columns = as_matrices(b, bt, false)
  local shape = { a.shape[1] }
  for _, n in ipairs(rows) do shape[#shape + 1] = n end
  for _, n in ipairs(columns) do shape[#shape + 1] = n end
  if #shape == 1 then shape[2] = 1 end
  return ops.reshape(ops.matmul(left, right), shape)
end

function Dot.compute_mask() return nil end

return Dot
