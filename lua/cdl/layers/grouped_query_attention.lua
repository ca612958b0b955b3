--- GroupedQueryAttention: several heads of queries share one of keys and values (Ainslie et al. 2023).
local attend = require "cdl.layers.attend"
local core = require "cdl.core"
local MultiHeadAttention = require "cdl.layers.multi_head_attention"
local rows = require "cdl.layers.rows"

local GroupedQueryAttention = MultiHeadAttention:extend "GroupedQueryAttention"
GroupedQueryAttention.doc = "MultiHeadAttention in which each head of keys and values serves several heads of queries: "
  .. "gqa(query, value [, key]) with {batch, steps, features} each."
GroupedQueryAttention.signature = rows.join({
  { "head_dim", "integer", required = true, min = 1, doc = "size of a head" },
  { "num_query_heads", "integer", required = true, min = 1, doc = "number of heads of queries" },
  { "num_key_value_heads", "integer", required = true, min = 1, doc = "number of heads of keys and values" },
  { "dropout", "number", 0, min = 0, max = 1, doc = "share of the weights that training drops" },
  { "use_bias", "boolean", true, doc = "whether the projections have biases" },
  { "sliding_window", "integer", min = 1, doc = "a query sees keys fewer places away than this" },
}, rows.heads)

function GroupedQueryAttention:init(args)
  self.num_heads, self.key_heads = args.num_query_heads, args.num_key_value_heads
  self.key_dim, self.value_dim = args.head_dim, args.head_dim
  if self.num_heads % self.key_heads ~= 0 then
    core.raise(("layer '%s': num_query_heads (%d) must be a multiple of num_key_value_heads (%d)"):format(self.name,
      self.num_heads, self.key_heads))
  end
  self:init_shared(args)
end

function GroupedQueryAttention:build(shapes)
  local query = attend.shapes(self, shapes)
  if #query ~= 3 then
    core.raise(("layer '%s' wants a query {batch, steps, features}, got {%s}"):format(self.name,
      table.concat(query, ", ")))
  end
  MultiHeadAttention.build(self, shapes)
end

return GroupedQueryAttention
