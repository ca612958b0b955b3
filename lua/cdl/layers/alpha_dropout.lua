--- AlphaDropout: dropout that keeps mean and variance of selu's outputs (Klambauer et al. 2017).
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local random = require "cdl.random"

local AlphaDropout = Layer:extend "AlphaDropout"
AlphaDropout.one_input = true
AlphaDropout.doc = "While training, sets elements to the negative limit of selu at a rate, then scales and shifts so "
  .. "that mean and variance stay."
AlphaDropout.signature = {
  { "rate", "number", required = true, min = 0, below = 1, doc = "share of elements that are set" },
  { "noise_shape", "shape", doc = "shape of the mask with the batch; -1: as the input's" },
  { "seed", "integer", doc = "for numbers of its own" },
}
AlphaDropout.supports_masking = true

local LIMIT = -1.7580993408473766 -- -scale * alpha of selu

function AlphaDropout:call(x, training)
  local rate = self.args.rate
  if not training or rate == 0 then return x end
  local shape = x.shape
  for i, n in ipairs(self.args.noise_shape or {}) do
    if n ~= -1 then shape[i] = n end
  end
  local keep = ops.ge(random.of_shape("uniform", shape, { 0, 1 }, self.args.seed), rate)
  local a = ((1 - rate) * (1 + rate * LIMIT ^ 2)) ^ -0.5
  return ops.where(keep, x, LIMIT) * a - a * LIMIT * rate
end

return AlphaDropout
