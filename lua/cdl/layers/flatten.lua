--- Flatten: all axes but the batch as one.
local core = require "cdl.core"
local Layer = require "cdl.layer"

local Flatten = Layer:extend "Flatten"
Flatten.doc = "All axes but the batch as one: {batch, a, b} becomes {batch, a * b}; {batch} becomes {batch, 1}."
Flatten.signature = {
  { "data_format", { "channels_last", "channels_first" }, "channels_last",
    doc = "channels_first: the second axis comes last in the result" },
}
Flatten.one_input = true

function Flatten:call(x)
  if x.ndim == 0 then core.raise(("layer '%s': Flatten wants a batch, got a scalar"):format(self.name)) end
  if self.args.data_format == "channels_first" and x.ndim > 2 then
    local order = { 1 }
    for axis = 3, x.ndim do order[#order + 1] = axis end
    order[x.ndim] = 2
    x = x:permute(order)
  end
  local size = 1
  for axis = 2, x.ndim do size = size * x.shape[axis] end
  return x:reshape { x.shape[1], size }
end

return Flatten
