--- What the merging layers share: a list of tensors comes in, one goes out.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local words = require "cdl.words"

local Merge = Layer:extend "Merge"
Merge.signature = {}
Merge.takes_mask = true
Merge.least = 1

--- The list of inputs, checked.
function Merge:inputs_of(x)
  if not words.is_plain(x) or #x < self.least or (self.most and #x > self.most) then
    local wanted = self.most and ("%d"):format(self.most) or ("at least %d"):format(self.least)
    core.raise(("layer '%s': a list of %s tensors is wanted, got %s"):format(self.name, wanted,
      words.is_plain(x) and tostring(#x) or words.describe(x)))
  end
  return x
end

--- The inputs with axes of size 1 behind the batch where one has fewer axes than another.
function Merge:aligned(x)
  local most, list = 0, {}
  for _, entry in ipairs(self:inputs_of(x)) do most = math.max(most, entry.ndim) end
  for i, entry in ipairs(x) do
    while entry.ndim < most do entry = ops.expand_dims(entry, 2) end
    list[i] = entry
  end
  return list
end

--- Folds the inputs with combine(a, b).
function Merge:call(x)
  local list = self:aligned(x)
  local result = list[1]
  for i = 2, #list do result = self.combine(result, list[i]) end
  return result
end

--- A step counts where any input counts it; nothing is masked when an input has no mask.
function Merge.compute_mask(_, x, masks)
  if not masks then return nil end
  local result
  for i = 1, #x do
    if not masks[i] then return nil end
    result = result and ops.logical_or(result, masks[i]) or masks[i]
  end
  return result
end

return Merge
