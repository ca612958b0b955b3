--- RMSNormalization (Zhang and Sennrich 2019).
local Layer = require "cdl.layer"
local normalization = require "cdl.layers.base_normalization"
local ops = require "cdl.ops"

local RMSNormalization = Layer:extend "RMSNormalization"
RMSNormalization.one_input = true
RMSNormalization.doc = "Divides each sample by the root of its mean square over axes, then multiplies by scale."
RMSNormalization.signature = {
  { "axis", "axes", -1, doc = "the axis, or a list of axes, from 2 or from the end" },
  { "epsilon", "number", 1e-6, min = 0, doc = "added to the mean square" },
}

function RMSNormalization:build(input_shape)
  local shape = {}
  for i, place in ipairs(normalization.places(self, self.args.axis, #input_shape)) do
    shape[i] = input_shape[place]
  end
  self.scale = self:add_weight { name = "scale", shape = shape, initializer = "ones" }
end

function RMSNormalization:call(x)
  local places = normalization.places(self, self.args.axis, x.ndim)
  x = normalization.as_float(x)
  return x * ops.rsqrt(ops.mean(ops.square(x), places, true) + self.args.epsilon)
    * normalization.spread(self.scale, places, x)
end

return RMSNormalization
