--- Dropout: zeroes a share of the elements while training.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local random = require "cdl.random"

local Dropout = Layer:extend "Dropout"
Dropout.doc = "While training, zeroes elements at a rate and scales the others by 1 / (1 - rate) "
  .. "(Srivastava et al. 2014)."
Dropout.signature = {
  { "rate", "number", required = true, min = 0, max = 1, doc = "share of elements that become 0" },
  { "noise_shape", "shape", doc = "shape of the mask with the batch; -1: as the input's" },
  { "seed", "integer", doc = "for numbers of its own; drawn from cdl.random's seed if left out" },
}
Dropout.supports_masking = true
Dropout.one_input = true

function Dropout:init(args)
  self.rate, self.noise_shape, self.seed = args.rate, args.noise_shape, args.seed
end

function Dropout:call(x, training)
  if not training or self.rate == 0 then return x end
  if x.dtype:sub(1, 5) ~= "float" then x = x:astype "float32" end
  local shape = x.shape
  if self.noise_shape then
    if #self.noise_shape ~= #shape then
      core.raise(("layer '%s': noise_shape has %d sizes, the input %d"):format(self.name, #self.noise_shape, #shape))
    end
    for i, n in ipairs(self.noise_shape) do
      if n ~= -1 and n ~= 1 and n ~= shape[i] then
        core.raise(("layer '%s': noise_shape {%s} does not broadcast to the input's {%s}"):format(self.name,
          table.concat(self.noise_shape, ", "), table.concat(x.shape, ", ")))
      end
      if n ~= -1 then shape[i] = n end
    end
  end
  return random.dropout(x, self.rate, shape, self.seed)
end

return Dropout
