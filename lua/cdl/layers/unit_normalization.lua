--- UnitNormalization: vectors of length 1.
local Layer = require "cdl.layer"
local normalization = require "cdl.layers.base_normalization"
local ops = require "cdl.ops"

local UnitNormalization = Layer:extend "UnitNormalization"
UnitNormalization.one_input = true
UnitNormalization.doc = "Divides each sample by its length over axes."
UnitNormalization.signature = {
  { "axis", "axes", -1, doc = "the axis, or a list of axes, from 2 or from the end" },
}
UnitNormalization.supports_masking = true

function UnitNormalization:call(x)
  local places = normalization.places(self, self.args.axis, x.ndim)
  x = normalization.as_float(x)
  return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), places, true), 1e-24))
end

return UnitNormalization
