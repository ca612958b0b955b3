--- AdditiveAttention (Bahdanau et al. 2015): by a sum over features.
local attend = require "cdl.layers.attend"
local Attention = require "cdl.layers.attention"
local core = require "cdl.core"
local ops = require "cdl.ops"

local AdditiveAttention = Attention:extend "AdditiveAttention"
AdditiveAttention.doc = "Values weighed by softmax(sum of scale tanh(query + key)): attention(query, value [, key]) "
  .. "with {batch, steps, features} each."
AdditiveAttention.signature = {
  { "use_scale", "boolean", true, doc = "whether the features have learned factors" },
  { "dropout", "number", 0, min = 0, max = 1, doc = "share of the weights that training drops" },
  { "seed", "integer", doc = "for dropout with numbers of its own" },
}

function AdditiveAttention:build(shapes)
  local query = attend.shapes(self, shapes)
  local features = query[#query]
  if not self.args.use_scale then return end
  if features < 0 then core.raise(("layer '%s': the last size of the query must be known"):format(self.name)) end
  self.scale = self:add_weight { name = "scale", shape = { features }, initializer = "glorot_uniform" }
end

function AdditiveAttention:score(query, key)
  local y = ops.tanh(attend.sums(query, key))
  return ops.sum(self.scale and y * self.scale or y, -1)
end

return AdditiveAttention
