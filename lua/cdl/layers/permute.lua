--- Permute: the axes behind the batch in another order.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"

local Permute = Layer:extend "Permute"
Permute.one_input = true
Permute.doc = "The axes behind the batch in another order: Permute{2, 1} swaps them."
Permute.signature = {
  { "dims", "list", required = true, of = "integer", doc = "a permutation of 1 .. n; the batch is not counted" },
}

function Permute:init(args)
  local seen = {}
  for _, axis in ipairs(args.dims) do
    if axis < 1 or axis > #args.dims or seen[axis] then
      core.raise(("Permute: dims must hold each of 1 to %d once, got {%s}"):format(#args.dims,
        table.concat(args.dims, ", ")))
    end
    seen[axis] = true
  end
  self.dims = args.dims
end

function Permute:call(x)
  if x.ndim ~= #self.dims + 1 then
    core.raise(("layer '%s': dims has %d axes, the input of shape {%s} has %d behind the batch"):format(self.name,
      #self.dims, table.concat(x.shape, ", "), x.ndim - 1))
  end
  local order = { 1 }
  for i, axis in ipairs(self.dims) do order[i + 1] = axis + 1 end
  return ops.permute(x, order)
end

return Permute
