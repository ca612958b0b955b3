--- What layers that normalise each sample share: the axes, and the weights gamma and beta.
local core = require "cdl.core"
local ops = require "cdl.ops"

local M = {}

--- Axes from 1, in order, from one axis or a list of them.
function M.places(layer, axis, ndim)
  local places, seen = {}, {}
  for i, one in ipairs(type(axis) == "number" and { axis } or axis) do
    local place = one > 0 and one or ndim + 1 + one
    if place < 2 or place > ndim or seen[place] then
      core.raise(("layer '%s': axis %d is the batch, given twice or out of range for inputs with %d axes"):format(
        layer.name, one, ndim))
    end
    seen[place] = true
    places[i] = place
  end
  table.sort(places)
  return places
end

--- Adds a weight of that shape, if the argument `wanted` is not false.
function M.add(layer, name, shape, wanted)
  if wanted == false then return nil end
  for _, n in ipairs(shape) do
    if n < 0 then core.raise(("layer '%s': the normalised sizes must be known"):format(layer.name)) end
  end
  return layer:add_argument_weight(name, shape)
end

--- A weight with the input's number of axes: size 1 where it does not vary.
function M.spread(weight, places, x)
  local shape = {}
  for i = 1, x.ndim do shape[i] = 1 end
  for _, place in ipairs(places) do shape[place] = x.shape[place] end
  return ops.reshape(weight, shape)
end

--- x in float32, if it is of another kind than float.
function M.as_float(x) return x.dtype:sub(1, 5) == "float" and x or ops.astype(x, "float32") end

local standardise = core.row "standardise"

--- (x - mean) / sqrt(variance + epsilon) over axes (from 1, in order), mean, and the biased variance,
-- both with size 1 along them. Axes side by side take one pass.
function M.standardise(x, axes, epsilon)
  if #axes > 0 and axes[#axes] - axes[1] == #axes - 1 then
    return standardise({ axes[1] - 1, #axes }, { epsilon }, x)
  end
  local mean = ops.mean(x, axes, true)
  local centered = x - mean
  local variance = ops.mean(ops.square(centered), axes, true)
  return centered * ops.rsqrt(variance + epsilon), mean, variance
end

return M
