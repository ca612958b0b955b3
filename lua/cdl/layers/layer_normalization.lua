--- LayerNormalization (Ba et al. 2016).
local Layer = require "cdl.layer"
local normalization = require "cdl.layers.base_normalization"
local rows = require "cdl.layers.rows"

local LayerNormalization = Layer:extend "LayerNormalization"
LayerNormalization.one_input = true
LayerNormalization.doc = "Normalises each sample over axes to mean 0 and variance 1, then gamma x + beta."
LayerNormalization.signature = rows.join({
  { "axis", "axes", -1, doc = "the axis, or a list of axes, from 2 or from the end" },
}, rows.gamma_and_beta)
LayerNormalization.supports_masking = true

function LayerNormalization:build(input_shape)
  local shape = {}
  for i, place in ipairs(normalization.places(self, self.args.axis, #input_shape)) do
    shape[i] = input_shape[place]
  end
  self.gamma = normalization.add(self, "gamma", shape, self.args.scale)
  self.beta = normalization.add(self, "beta", shape, self.args.center)
end

function LayerNormalization:call(x)
  local places = normalization.places(self, self.args.axis, x.ndim)
  local y = (normalization.standardise(normalization.as_float(x), places, self.args.epsilon))
  if self.gamma then y = y * normalization.spread(self.gamma, places, x) end
  if self.beta then y = y + normalization.spread(self.beta, places, x) end
  return y
end

return LayerNormalization
