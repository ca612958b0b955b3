--- LeakyReLU: x, or a small part of it where it is negative.
local activations = require "cdl.activations"
local Layer = require "cdl.layer"

local LeakyReLU = Layer:extend "LeakyReLU"
LeakyReLU.one_input = true
LeakyReLU.doc = "x where it is positive, negative_slope x else (Maas et al. 2013)."
LeakyReLU.signature = {
  { "negative_slope", "number", 0.3, min = 0, alias = "alpha", doc = "slope below 0" },
}
LeakyReLU.supports_masking = true

function LeakyReLU:call(x) return activations.leaky_relu(x, self.args.negative_slope) end

return LeakyReLU
