--- ReversibleEmbedding (Press and Wolf 2016): an embedding that also leads back to tokens.
local core = require "cdl.core"
local Embedding = require "cdl.layers.embedding"
local ops = require "cdl.ops"

local ReversibleEmbedding = Embedding:extend "ReversibleEmbedding"
ReversibleEmbedding.doc = "As Embedding; called with {reverse = true} on vectors {..., output_dim} it gives a score "
  .. "for each token, {..., input_dim}: their products with the embeddings."
ReversibleEmbedding.signature = {
  { "input_dim", "integer", required = true, min = 1, doc = "number of tokens; ids stay below it" },
  { "output_dim", "integer", required = true, min = 1, doc = "size of a vector" },
  { "tie_weights", "boolean", true, doc = "whether the way back uses the embeddings; else it has weights of its own" },
  { "embeddings_initializer", "any", "uniform", doc = "first values of the vectors" },
  { "embeddings_regularizer", "any", doc = "penalty on the vectors" },
  { "embeddings_constraint", "any", doc = "applied to the vectors after each update" },
  { "mask_zero", "boolean", false, doc = "id 0 is padding: later layers skip it" },
  { "reverse_dtype", "dtype", doc = "in which the way back is computed; the layer's own if left out" },
  { "logit_soft_cap", "number", above = 0, doc = "scores z become cap * tanh(z / cap)" },
}
ReversibleEmbedding.call_options = {
  { "reverse", "boolean", false, doc = "from vectors to scores" },
}

function ReversibleEmbedding:build()
  Embedding.build(self)
  local args = self.args
  if not args.tie_weights then
    self.reverse_embeddings = self:add_weight { name = "reverse_embeddings",
      shape = { args.output_dim, args.input_dim }, initializer = args.embeddings_initializer }
  end
end

function ReversibleEmbedding:call(x, training, mask, options)
  if not options.reverse then
    local y = Embedding.call(self, x, training, mask)
    y.mask = Embedding.compute_mask(self, x)
    return y
  end
  local args = self.args
  if x.ndim < 2 or x.shape[x.ndim] ~= args.output_dim then
    core.raise(("layer '%s': vectors {..., %d} are wanted with reverse = true, got {%s}"):format(self.name,
      args.output_dim, table.concat(x.shape, ", ")))
  end
  local kernel = self.reverse_embeddings or ops.transpose(self.embeddings)
  local dtype = args.reverse_dtype or self.dtype
  local scores = ops.matmul(ops.astype(x, dtype), ops.astype(kernel, dtype))
  local cap = args.logit_soft_cap
  return cap and ops.tanh(scores / cap) * cap or scores
end

--- Vectors have their mask from call; scores have none.
function ReversibleEmbedding.compute_mask() end

return ReversibleEmbedding
