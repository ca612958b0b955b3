--- Reshape: the axes behind the batch in another shape.
local core = require "cdl.core"
local Layer = require "cdl.layer"

local Reshape = Layer:extend "Reshape"
Reshape.doc = "Gives the axes behind the batch another shape, in row-major order."
Reshape.signature = {
  { "target_shape", "shape", required = true, doc = "sizes without the batch; one may be -1" },
}
Reshape.one_input = true

function Reshape:init(args) self.target_shape = args.target_shape end

function Reshape:call(x)
  local size, known, unknown = 1, 1, nil
  for axis = 2, x.ndim do size = size * x.shape[axis] end
  local shape = { x.shape[1] }
  for i, n in ipairs(self.target_shape) do
    if n == -1 then
      if unknown then core.raise(("layer '%s': only one size of target_shape may be -1"):format(self.name)) end
      unknown = i + 1
    else
      known = known * n
    end
    shape[i + 1] = n
  end
  local fits = unknown and known > 0 and size % known == 0 or known == size
  if not fits then
    core.raise(("layer '%s': a sample of shape {%s} has %d elements and does not fit target_shape {%s}"):format(
      self.name, table.concat(x.shape, ", ", 2), size, table.concat(self.target_shape, ", ")))
  end
  if unknown then shape[unknown] = size // known end
  return x:reshape(shape)
end

return Reshape
