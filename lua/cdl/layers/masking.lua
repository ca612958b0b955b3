--- Masking: steps that hold nothing but one value are skipped by later layers.
local Layer = require "cdl.layer"
local ops = require "cdl.ops"

local Masking = Layer:extend "Masking"
Masking.one_input = true
Masking.doc = "Masks the steps of {batch, steps, features} all of whose features are mask_value, and sets them to 0."
Masking.signature = {
  { "mask_value", "number", 0, doc = "what padded steps hold" },
}
Masking.takes_mask = true

local function kept(self, x) return ops.any(ops.ne(x, self.args.mask_value), -1) end

function Masking:call(x) return x * ops.astype(ops.expand_dims(kept(self, x), -1), x.dtype) end

function Masking:compute_mask(x) return kept(self, x) end

return Masking
