--- Softmax: probabilities along an axis.
local Layer = require "cdl.layer"
local ops = require "cdl.ops"

local Softmax = Layer:extend "Softmax"
Softmax.one_input = true
Softmax.doc = "e^x / sum(e^x) along axes; masked elements get 0. An explicit mask of the input's shape is the third "
  .. "argument of a call."
Softmax.signature = {
  { "axis", "axes", -1, doc = "the axis, or a list of axes, from 1 (batch) or from the end" },
}
Softmax.supports_masking = true

function Softmax:call(x, _, mask)
  if mask then
    while mask.ndim < x.ndim do mask = ops.expand_dims(mask, -1) end
    x = ops.where(mask, x, -1e9)
  end
  local axis = self.args.axis
  local y
  if type(axis) == "number" then
    y = ops.softmax(x, axis)
  else
    y = ops.exp(x - ops.logsumexp(x, axis, true))
  end
  return mask and ops.where(mask, y, 0) or y
end

return Softmax
