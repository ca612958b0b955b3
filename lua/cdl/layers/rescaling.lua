--- Rescaling: x scale + offset.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"

local Rescaling = Layer:extend "Rescaling"
Rescaling.one_input = true
Rescaling.doc = "x * scale + offset in float32: Rescaling(1 / 255) brings images to 0 .. 1."
Rescaling.signature = {
  { "scale", "number|list", required = true, of = "number", doc = "factor, or one for each channel (the last axis)" },
  { "offset", "number|list", 0, of = "number", doc = "added after scaling; a list as for scale" },
}
Rescaling.supports_masking = true

-- What an argument means for x: a number, or a tensor along its last axis.
local function operand(self, x, name)
  local value = self.args[name]
  if type(value) == "number" then return value end
  if #value ~= 1 and #value ~= x.shape[x.ndim] then
    core.raise(("layer '%s': %s has %d numbers, the last axis of {%s} another size"):format(self.name, name, #value,
      table.concat(x.shape, ", ")))
  end
  return core.tensor(value, self.dtype)
end

function Rescaling:call(x)
  x = ops.astype(x, self.dtype)
  return x * operand(self, x, "scale") + operand(self, x, "offset")
end

return Rescaling
