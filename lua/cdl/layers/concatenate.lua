--- Concatenate: tensors joined along an axis.
local core = require "cdl.core"
local Merge = require "cdl.layers.merge"
local ops = require "cdl.ops"

local Concatenate = Merge:extend "Concatenate"
Concatenate.doc = "A list of tensors joined along an axis; their shapes are equal but for that axis."
Concatenate.signature = {
  { "axis", "axis", -1, doc = "the axis, from 1 (batch) or from the end" },
}

function Concatenate:init(args)
  if args.axis == 1 then core.raise "Concatenate: axis 1 is the batch; join along another axis" end
  self.axis = args.axis
end

function Concatenate:call(x) return ops.concat(self:inputs_of(x), self.axis) end

-- Inputs without a mask count as all true; a step counts when any of its features does.
function Concatenate:compute_mask(x, masks)
  if not masks then return nil end
  local parts = {}
  for i, entry in ipairs(x) do
    local mask = masks[i] or ops.astype(ops.ones_like(entry), "bool")
    while mask.ndim < entry.ndim do mask = ops.expand_dims(mask, -1) end
    parts[i] = ops.logical_and(ops.broadcast_to(mask, entry.shape), true)
  end
  return ops.any(ops.concat(parts, self.axis), -1)
end

return Concatenate
