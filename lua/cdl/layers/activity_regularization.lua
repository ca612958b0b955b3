--- ActivityRegularization: a penalty on what passes through.
local Layer = require "cdl.layer"
local ops = require "cdl.ops"

local ActivityRegularization = Layer:extend "ActivityRegularization"
ActivityRegularization.one_input = true
ActivityRegularization.doc = "Passes its input on and adds (l1 sum|x| + l2 sum x^2) / batch size to the loss."
ActivityRegularization.signature = {
  { "l1", "number", 0, min = 0, doc = "factor of the absolute values" },
  { "l2", "number", 0, min = 0, doc = "factor of the squares" },
}
ActivityRegularization.supports_masking = true

function ActivityRegularization:call(x)
  local l1, l2 = self.args.l1, self.args.l2
  self:add_loss((ops.sum(ops.abs(x)) * l1 + ops.sum(ops.square(x)) * l2) / x.shape[1])
  return x
end

return ActivityRegularization
