--- TimeDistributed: one layer for every step of a sequence.
local class = require "cdl.class"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local words = require "cdl.words"

local TimeDistributed = Layer:extend "TimeDistributed"
TimeDistributed.one_input = true
TimeDistributed.doc = "Applies a layer to every step of {batch, steps, ...}, with the same weights."
TimeDistributed.signature = {
  { "layer", "any", required = true, doc = "the layer for one step" },
}
TimeDistributed.supports_masking = true

function TimeDistributed:init(args)
  if not class.is(args.layer, Layer) then
    core.raise(("TimeDistributed: layer must be a layer, got %s"):format(words.describe(args.layer)))
  end
  self.layer = args.layer
end

-- {batch, steps, ...} -> {batch * steps, ...}
local function merge_steps(x)
  return ops.reshape(x, table.move(x.shape, 3, x.ndim, 2, { x.shape[1] * x.shape[2] }))
end

-- Steps become samples: the layer treats each on its own, with its part of the mask if that says
-- something about the inside of a step.
function TimeDistributed:call(x, training, mask)
  if x.ndim < 3 then
    core.raise(("layer '%s': TimeDistributed wants {batch, steps, ...}, got shape {%s}"):format(self.name,
      table.concat(x.shape, ", ")))
  end
  local batch, steps = x.shape[1], x.shape[2]
  if mask and (mask.ndim < 2 or mask.shape[1] ~= batch or mask.shape[2] ~= steps) then
    core.raise(("layer '%s': a mask of shape {%s} does not fit an input of shape {%s}"):format(self.name,
      table.concat(mask.shape, ", "), table.concat(x.shape, ", ")))
  end
  local y = self.layer(merge_steps(x), training, mask and mask.ndim > 2 and merge_steps(mask) or nil)
  return ops.reshape(y, table.move(y.shape, 2, y.ndim, 3, { batch, steps }))
end

return TimeDistributed
