--- Embedding: a vector for each token.
local Layer = require "cdl.layer"
local ops = require "cdl.ops"

local Embedding = Layer:extend "Embedding"
Embedding.one_input = true
Embedding.doc = "A vector for each token id: {batch, ...} of ids from 0 becomes {batch, ..., output_dim}."
Embedding.signature = {
  { "input_dim", "integer", required = true, min = 1, doc = "number of tokens; ids stay below it" },
  { "output_dim", "integer", required = true, min = 1, doc = "size of a vector" },
  { "embeddings_initializer", "any", "uniform", doc = "first values of the vectors" },
  { "embeddings_regularizer", "any", doc = "penalty on the vectors" },
  { "embeddings_constraint", "any", doc = "applied to the vectors after each update" },
  { "mask_zero", "boolean", false, doc = "id 0 is padding: later layers skip it" },
  { "weights", "any", doc = "first values of the vectors, a tensor {input_dim, output_dim}" },
}
Embedding.takes_mask = true

function Embedding:build()
  local args = self.args
  self.embeddings = self:add_argument_weight("embeddings", { args.input_dim, args.output_dim })
  if args.weights ~= nil then self.embeddings:assign(args.weights) end
end

function Embedding:call(ids) return ops.gather(self.embeddings, ids, 1) end

function Embedding:compute_mask(ids)
  if self.args.mask_zero then return ops.ne(ids, 0) end
end

return Embedding
