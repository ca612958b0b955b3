--- GlobalAveragePooling1D, which leaves masked steps out.
local ops = require "cdl.ops"

local GlobalAveragePooling1D = require "cdl.layers.base_global_pooling" ("GlobalAveragePooling1D", "mean", 1)
GlobalAveragePooling1D.doc = "The mean over the steps of inputs {batch, steps, channels}, of those that are not masked."
GlobalAveragePooling1D.takes_mask = true

local plain = GlobalAveragePooling1D.call

function GlobalAveragePooling1D:call(x, training, mask)
  if not mask then return plain(self, x, training) end
  local weight = ops.expand_dims(ops.astype(mask, x.dtype), -1)
  local keep = self.args.keepdims
  return ops.sum(x * weight, 2, keep) / ops.sum(weight, 2, keep)
end

return GlobalAveragePooling1D
