--- PReLU: a leaky relu whose slopes are learnt.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"

local PReLU = Layer:extend "PReLU"
PReLU.one_input = true
PReLU.doc = "x where it is positive, alpha x else, with a learnt alpha for each element (He et al. 2015)."
PReLU.signature = {
  { "alpha_initializer", "any", "zeros", doc = "first values of alpha" },
  { "alpha_regularizer", "any", doc = "penalty on alpha" },
  { "alpha_constraint", "any", doc = "applied to alpha after each update" },
  { "shared_axes", "size", doc = "axes along which alpha is shared; the batch is not counted" },
}
PReLU.supports_masking = true

function PReLU:build(input_shape)
  local args = self.args
  local shape = table.move(input_shape, 2, #input_shape, 1, {})
  local shared = type(args.shared_axes) == "number" and { args.shared_axes } or args.shared_axes or {}
  for _, axis in ipairs(shared) do
    if axis > #shape then
      core.raise(("layer '%s': shared axis %d is out of range for inputs of shape {%s}"):format(self.name, axis,
        table.concat(input_shape, ", ")))
    end
    shape[axis] = 1
  end
  for axis, n in ipairs(shape) do
    if n < 0 then
      core.raise(("layer '%s': the size of axis %d must be known or shared"):format(self.name, axis + 1))
    end
  end
  self.alpha = self:add_argument_weight("alpha", shape)
end

function PReLU:call(x) return ops.relu(x) - self.alpha * ops.relu(-x) end

return PReLU
