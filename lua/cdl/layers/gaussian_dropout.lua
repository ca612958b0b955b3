--- GaussianDropout: multiplies by noise while training.
local Layer = require "cdl.layer"
local random = require "cdl.random"

local GaussianDropout = Layer:extend "GaussianDropout"
GaussianDropout.one_input = true
GaussianDropout.doc = "While training, multiplies by normally distributed noise with mean 1 and variance "
  .. "rate / (1 - rate) (Srivastava et al. 2014)."
GaussianDropout.signature = {
  { "rate", "number", required = true, min = 0, below = 1, doc = "the rate of the Dropout with the same variance" },
  { "seed", "integer", doc = "for numbers of its own" },
}
GaussianDropout.supports_masking = true

function GaussianDropout:call(x, training)
  local rate = self.args.rate
  if not training or rate == 0 then return x end
  return x * random.like("normal", x, { 1, (rate / (1 - rate)) ^ 0.5, 0 }, self.args.seed)
end

return GaussianDropout
