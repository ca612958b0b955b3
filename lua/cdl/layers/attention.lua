--- Attention (Luong et al. 2015): by the product of queries and keys.
local attend = require "cdl.layers.attend"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local random = require "cdl.random"

local Attention = Layer:extend "Attention"
Attention.doc = "Values weighed by softmax(query key): attention(query, value [, key]) with {batch, steps, features} "
  .. "each; the values are the keys if none are given."
Attention.signature = {
  { "use_scale", "boolean", false, doc = "whether a learned number scales the scores" },
  { "score_mode", { "dot", "concat" }, "dot", doc = "dot: query key; concat: a learned number times the sum of "
    .. "tanh(query + key)" },
  { "dropout", "number", 0, min = 0, max = 1, doc = "share of the weights that training drops" },
  { "seed", "integer", doc = "for dropout with numbers of its own" },
}
Attention.call_options = attend.call_options
Attention.takes_mask = true
Attention.compute_mask = attend.compute_mask

function Attention:build(shapes)
  attend.shapes(self, shapes)
  if self.args.use_scale then self.scale = self:add_weight { name = "scale", shape = {}, initializer = "ones" } end
  if self.args.score_mode == "concat" then
    self.concat_score_weight = self:add_weight { name = "concat_score_weight", shape = {}, initializer = "ones" }
  end
end

--- The scores {batch, queries, keys}.
function Attention:score(query, key)
  if not self.concat_score_weight then
    local scores = ops.einsum("...qd,...kd->...qk", query, key)
    return self.scale and scores * self.scale or scores
  end
  local sum = attend.sums(query, key)
  if self.scale then sum = sum * self.scale end
  return ops.sum(ops.tanh(sum), -1) * self.concat_score_weight
end

function Attention:call(x, training, mask, options)
  local query, value, key = attend.inputs(self, x)
  local query_mask, value_mask = attend.masks(self, mask, options)
  local scores = self:score(query, key)
  local seen = value_mask and ops.expand_dims(value_mask, -2)
  if options.use_causal_mask then
    local causal = attend.causal(scores.shape[scores.ndim - 1], scores.shape[scores.ndim])
    seen = seen and ops.logical_and(seen, causal) or causal
  end
  if seen then scores = ops.where(seen, scores, scores - 1e9) end
  local weights = ops.softmax(scores, -1)
  if training and self.args.dropout > 0 then
    weights = random.dropout(weights, self.args.dropout, weights.shape, self.args.seed)
  end
  local y = ops.matmul(weights, value)
  if query_mask then y = ops.where(ops.expand_dims(query_mask, -1), y, 0) end
  if options.return_attention_scores then return y, weights end
  return y
end

return Attention
