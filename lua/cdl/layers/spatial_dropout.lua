--- SpatialDropout1D, 2D and 3D: drop whole channels while training (Tompson et al. 2014).
local core = require "cdl.core"
local Layer = require "cdl.layer"
local random = require "cdl.random"

--- The class for so many axes between the batch and the channels.
return function(axes)
  local Class = Layer:extend(("SpatialDropout%dD"):format(axes))
  Class.one_input = true
  Class.doc = "While training, zeroes whole channels at a rate and scales the others by 1 / (1 - rate)."
  Class.signature = {
    { "rate", "number", required = true, min = 0, max = 1, doc = "share of channels that become 0" },
    { "seed", "integer", doc = "for numbers of its own" },
  }
  Class.supports_masking = true

  function Class:call(x, training)
    if x.ndim ~= axes + 2 then
      core.raise(("layer '%s': inputs with %d axes are wanted, got shape {%s}"):format(self.name, axes + 2,
        table.concat(x.shape, ", ")))
    end
    if not training or self.args.rate == 0 then return x end
    local shape = x.shape
    for i = 2, axes + 1 do shape[i] = 1 end
    return random.dropout(x, self.args.rate, shape, self.args.seed)
  end

  return Class
end
