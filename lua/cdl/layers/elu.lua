--- ELU: x, or alpha (e^x - 1) where it is negative.
local activations = require "cdl.activations"
local Layer = require "cdl.layer"

local ELU = Layer:extend "ELU"
ELU.one_input = true
ELU.doc = "x where it is positive, alpha (e^x - 1) else (Clevert et al. 2015)."
ELU.signature = {
  { "alpha", "number", 1, doc = "the limit below is -alpha" },
}
ELU.supports_masking = true

function ELU:call(x) return activations.elu(x, self.args.alpha) end

return ELU
