--- From values per sample to the number that is minimised: ranks that differ by a last axis of 1,
-- sample weights, masks, and the four reductions.
local core = require "cdl.core"
local ops = require "cdl.ops"
local words = require "cdl.words"

local M = {}

--- The row of the argument `reduction`; cdl.null is Python's None.
M.row = { "reduction", { "sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none" },
  "sum_over_batch_size", null = true,
  doc = "how values become one number: the mean over all elements, their sum, the mean by weights; or \"none\"" }

M.braces = words.braces

--- x in a dtype; x itself when it has it, so that how it was made stays known.
function M.cast(x, dtype)
  if type(x) == "number" or type(x) == "boolean" then return core.tensor(x, dtype) end
  if core.is_variable(x) then x = core.read(x) end
  if words.is_plain(x) then return core.tensor(x, dtype) end
  if not core.is_tensor(x) then core.raise("losses and metrics want tensors, got " .. words.describe(x)) end
  if x.dtype == dtype then return x end
  return ops.astype(x, dtype)
end

--- a / b, and 0 where b is 0.
function M.divide(a, b)
  local zero = ops.eq(b, 0)
  return ops.where(zero, 0, a / ops.where(zero, 1, b))
end

--- Labels and predictions with the same number of axes: where one has a last axis of 1 more, the
-- other gets it too if it is a vector, else it is dropped.
function M.same_rank(a, b)
  local function repair(longer, shorter)
    if longer.ndim ~= shorter.ndim + 1 or longer.shape[longer.ndim] ~= 1 then return longer, shorter end
    if shorter.ndim == 1 then return longer, ops.expand_dims(shorter, -1) end
    return ops.squeeze(longer, -1), shorter
  end
  if a.ndim > b.ndim then return repair(a, b) end
  local longer, shorter = repair(b, a)
  return shorter, longer
end

--- Weights with as many axes as the values: last axes of 1 are dropped or added, so a weight per
-- row is for everything in the row.
function M.align(weights, values, what)
  local wanted = values.ndim
  if weights.ndim == 0 then return weights end
  local shape = table.move(weights.shape, 1, weights.ndim, 1, {})
  while #shape > wanted and shape[#shape] == 1 do shape[#shape] = nil end
  while #shape < wanted do shape[#shape + 1] = 1 end
  for i = 1, math.max(#shape, wanted) do
    local n, size = shape[i], values.shape[i]
    if not size or (n ~= size and n ~= 1) then
      core.raise(("%s has shape %s, which does not fit values of shape %s"):format(what,
        M.braces(weights.shape), M.braces(values.shape)))
    end
  end
  return #shape == weights.ndim and weights or ops.reshape(weights, shape)
end

-- Weights 0 for what is masked out. The two means divide by all elements, so there those that
-- count get weight total / valid.
local function mask_weights(mask, values, reduction, dtype)
  local weights = M.align(ops.astype(mask, dtype), values, "the mask")
  if reduction ~= "sum_over_batch_size" and reduction ~= "mean" then return weights end
  return weights * M.divide(core.tensor(weights.size, dtype), ops.sum(weights))
end

--- The values, times their weights, reduced. sample_weight and mask may be nil.
function M.reduce(values, sample_weight, mask, reduction, dtype)
  values = M.cast(values, dtype)
  local weights
  if sample_weight ~= nil then
    weights = M.align(M.cast(sample_weight, dtype), values, "sample_weight")
  end
  if mask ~= nil then
    local by_mask = mask_weights(mask, values, reduction, dtype)
    weights = weights and weights * by_mask or by_mask
  end
  if weights then values = values * weights end
  if reduction == nil or reduction == "none" or values.ndim == 0 then return values end
  if values.size == 0 then return core.full({}, 0, dtype) end
  if reduction == "sum" then return ops.sum(values) end
  if reduction == "mean_with_sample_weight" and weights then
    -- As in Keras, the sum of the weights as they were given: a weight per row counts once.
    return M.divide(ops.sum(values), ops.sum(weights))
  end
  return ops.mean(values)
end

return M
