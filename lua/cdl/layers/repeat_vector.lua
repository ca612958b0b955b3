--- RepeatVector: a vector as every step of a sequence.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"

local RepeatVector = Layer:extend "RepeatVector"
RepeatVector.one_input = true
RepeatVector.doc = "Repeats each vector n times: {batch, features} becomes {batch, n, features}."
RepeatVector.signature = {
  { "n", "integer", required = true, min = 1, doc = "how often" },
}

function RepeatVector:call(x)
  if x.ndim ~= 2 then
    core.raise(("layer '%s': RepeatVector wants {batch, features}, got shape {%s}"):format(self.name,
      table.concat(x.shape, ", ")))
  end
  return ops.broadcast_to(ops.expand_dims(x, 2), { x.shape[1], self.args.n, x.shape[2] })
end

return RepeatVector
