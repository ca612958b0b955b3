--- GaussianNoise: adds noise while training.
local Layer = require "cdl.layer"
local random = require "cdl.random"

local GaussianNoise = Layer:extend "GaussianNoise"
GaussianNoise.one_input = true
GaussianNoise.doc = "While training, adds normally distributed noise."
GaussianNoise.signature = {
  { "stddev", "number", required = true, min = 0, max = 1, doc = "standard deviation of the noise" },
  { "seed", "integer", doc = "for numbers of its own" },
}
GaussianNoise.supports_masking = true

function GaussianNoise:call(x, training)
  if not training or self.args.stddev == 0 then return x end
  return x + random.like("normal", x, { 0, self.args.stddev, 0 }, self.args.seed)
end

return GaussianNoise
