--- MultiHeadAttention (Vaswani et al. 2017).
local attend = require "cdl.layers.attend"
local core = require "cdl.core"
local EinsumDense = require "cdl.layers.einsum_dense"
local initializers = require "cdl.initializers"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local random = require "cdl.random"
local rows = require "cdl.layers.rows"

local MultiHeadAttention = Layer:extend "MultiHeadAttention"
MultiHeadAttention.doc = "Each head reads its own projection of the values, weighed by softmax(query key / "
  .. "sqrt(key_dim)): mha(query, value [, key]). The heads' results are projected to the size of the query."
MultiHeadAttention.signature = rows.join({
  { "num_heads", "integer", required = true, min = 1, doc = "number of heads" },
  { "key_dim", "integer", required = true, min = 1, doc = "size of a head's queries and keys" },
  { "value_dim", "integer", min = 1, doc = "size of a head's values; key_dim if left out" },
  { "dropout", "number", 0, min = 0, max = 1, doc = "share of the weights that training drops" },
  { "use_bias", "boolean", true, doc = "whether the projections have biases" },
  { "output_shape", "integer|shape", doc = "sizes of the last axes of the output; the query's last if left out" },
  { "attention_axes", "axes", doc = "axes over which queries and keys meet, from 2; all but batch and features if "
    .. "left out" },
  { "sliding_window", "integer", min = 1, doc = "a query sees keys fewer places away than this" },
}, rows.heads)
MultiHeadAttention.call_options = rows.join({
  { "query_mask", "any", doc = "bool {batch, queries}: which queries count" },
  { "value_mask", "any", doc = "bool {batch, keys}: which values count" },
  { "key_mask", "any", doc = "bool {batch, keys}: which keys count" },
  { "attention_mask", "any", doc = "bool {batch, queries, keys}, or with axes for the heads: who may see whom" },
}, attend.call_options)
MultiHeadAttention.takes_mask = true
MultiHeadAttention.compute_mask = attend.compute_mask

function MultiHeadAttention:init(args)
  self.num_heads, self.key_heads = args.num_heads, args.num_heads
  self.key_dim, self.value_dim = args.key_dim, args.value_dim or args.key_dim
  self:init_shared(args)
end

function MultiHeadAttention:init_shared(args)
  self.dropout, self.sliding_window, self.seed = args.dropout, args.sliding_window, args.seed
  -- It belongs to the projections, of which each takes it.
  rawset(self, "_activity_regularizer", nil)
end

-- Letters for axes: the first `count` from `first` on.
local function letters(first, count)
  local list = {}
  for i = 1, count do list[i] = string.char(96 + first + i - 1) end
  return table.concat(list)
end

-- A projection of the last axes of inputs, behind the first `free`, to axes of `sizes`.
function MultiHeadAttention:projection(name, free, bound, sizes, activation)
  local kept, summed, made = letters(1, free), letters(free + 1, bound), letters(free + bound + 1, #sizes)
  local args, output_shape = self.args, {}
  for i = 2, free do output_shape[i - 1] = -1 end
  for _, n in ipairs(sizes) do output_shape[#output_shape + 1] = n end
  return EinsumDense { name = name, equation = ("%s%s,%s%s->%s%s"):format(kept, summed, summed, made, kept, made),
    output_shape = output_shape, activation = activation, bias_axes = args.use_bias and made or nil, dtype = self.dtype,
    kernel_initializer = initializers.copy(args.kernel_initializer),
    bias_initializer = initializers.copy(args.bias_initializer),
    kernel_regularizer = args.kernel_regularizer, bias_regularizer = args.bias_regularizer,
    activity_regularizer = args.activity_regularizer, kernel_constraint = args.kernel_constraint,
    bias_constraint = args.bias_constraint, trainable = self.trainable }
end

-- Which axes (from 1) queries and keys meet over, of inputs with so many axes.
function MultiHeadAttention:find_axes(ndim)
  local given, axes, seen = self.args.attention_axes, {}, {}
  if not given then
    for axis = 2, ndim - 1 do axes[#axes + 1] = axis end
    return axes
  end
  for i, axis in ipairs(type(given) == "number" and { given } or given) do
    axes[i] = axis > 0 and axis or ndim + 1 + axis
    if axes[i] < 2 or axes[i] >= ndim or seen[axes[i]] then
      core.raise(("layer '%s': attention axis %d is the batch, the features, given twice or out of range for inputs "
        .. "with %d axes"):format(self.name, axis, ndim))
    end
    seen[axes[i]] = true
  end
  return axes
end

-- The products as einsum's equations. Projected tensors have axes {batch, steps ..., head, size}; scores
-- {batch and other axes, head, queries ..., keys ...}.
function MultiHeadAttention:write_equations(ndim)
  local target, source, batch, of_queries, of_keys = "", "", "", "", ""
  local attended, more = {}, ndim + 2
  for _, axis in ipairs(self.axes) do attended[axis] = true end
  for axis = 1, ndim + 1 do
    local letter = letters(axis, 1)
    target = target .. letter
    if attended[axis] then
      source = source .. letters(more, 1)
      more = more + 1
    else
      source = source .. letter
      if axis <= ndim then batch = batch .. letter end
    end
  end
  for _, axis in ipairs(self.axes) do
    of_queries, of_keys = of_queries .. target:sub(axis, axis), of_keys .. source:sub(axis, axis)
  end
  local scores = batch .. of_queries .. of_keys
  self.score_equation = ("%s,%s->%s"):format(target, source, scores)
  self.combine_equation = ("%s,%s->%s"):format(scores, source, target)
end

function MultiHeadAttention:build(shapes)
  local query, value, key = attend.shapes(self, shapes)
  local function fail(format, ...) core.raise(("layer '%s': "):format(self.name) .. format:format(...)) end
  if #query ~= #value or #value ~= #key then
    fail("query has %d axes, value %d and key %d, wanted as many", #query, #value, #key)
  end
  for axis = 2, #value - 1 do
    if value[axis] ~= key[axis] then
      fail("value {%s} and key {%s} may differ in their last size only", table.concat(value, ", "),
        table.concat(key, ", "))
    end
  end
  self.axes = self:find_axes(#query)
  self:write_equations(#query)
  local free, args, sizes = #query - 1, self.args, self.args.output_shape or query[#query]
  self.query_dense = self:projection("query", free, 1, { self.num_heads, self.key_dim })
  self.key_dense = self:projection("key", free, 1, { self.key_heads, self.key_dim })
  if args.use_gate then
    self.gate_dense = self:projection("gate", free, 1, { self.num_heads, self.value_dim }, "sigmoid")
  end
  self.value_dense = self:projection("value", free, 1, { self.key_heads, self.value_dim })
  self.output_dense = self:projection("attention_output", free, 2, type(sizes) == "number" and { sizes } or sizes)
end

-- A mask {batch, queries ..., keys ...} with axes of size 1 for what else the scores have.
function MultiHeadAttention:spread_mask(mask, rank)
  while mask.ndim < rank do mask = ops.expand_dims(mask, math.max(1, mask.ndim - 2 * #self.axes + 1)) end
  return mask
end

-- Who may see whom, with the axes of the scores (nil: everyone everyone), and the query's mask.
function MultiHeadAttention:find_mask(query, value, mask, options)
  local query_mask, value_mask, key_mask = attend.masks(self, mask, options)
  local rank, all = query.ndim + #self.axes, nil
  local function add(one)
    one = self:spread_mask(one, rank)
    all = all and ops.logical_and(all, one) or one
  end
  if query_mask then add(ops.expand_dims(query_mask, -1)) end
  if value_mask then add(ops.expand_dims(value_mask, -2)) end
  if key_mask then add(ops.expand_dims(key_mask, -2)) end
  local queries, keys = query.shape[2], value.shape[2]
  if options.use_causal_mask then add(attend.causal(queries, keys)) end
  if self.sliding_window then add(attend.window(queries, keys, self.sliding_window)) end
  if options.attention_mask then add(attend.as_mask(options.attention_mask)) end
  return all, query_mask
end

-- Probabilities of the keys. As in Keras, a query that may see no key weighs all alike, unless the
-- weights are asked for or dropped: then they are 0.
function MultiHeadAttention:weigh(scores, mask, to_zero)
  if mask then scores = ops.where(mask, scores, -1e9) end
  local weights
  if #self.axes == 1 then
    weights = ops.softmax(scores, -1)
  else
    local last = {}
    for i = 1, #self.axes do last[i] = -i end
    weights = ops.exp(scores - ops.logsumexp(scores, last, true))
  end
  return mask and to_zero and ops.where(mask, weights, 0) or weights
end

-- Projected keys or values, those of a head once for each head of the queries that shares them.
function MultiHeadAttention:for_all_heads(x)
  if self.key_heads == self.num_heads then return x end
  return ops.repeat_(x, self.num_heads // self.key_heads, x.ndim - 1)
end

function MultiHeadAttention:call(x, training, mask, options)
  local query, value, key = attend.inputs(self, x)
  local seen, query_mask = self:find_mask(query, value, mask, options)
  local projected = self.query_dense(query) * (1 / math.sqrt(self.key_dim))
  local scores = ops.einsum(self.score_equation, projected, self:for_all_heads(self.key_dense(key)))
  local weights = self:weigh(scores, seen,
    options.return_attention_scores or self.dropout > 0 or query.ndim ~= 3)
  local kept = weights
  if training and self.dropout > 0 then
    kept = random.dropout(weights, self.dropout, weights.shape, self.seed)
  end
  local read = ops.einsum(self.combine_equation, kept, self:for_all_heads(self.value_dense(value)))
  if self.gate_dense then read = read * self.gate_dense(query) end
  local y = self.output_dense(read)
  if query_mask then y.mask = query_mask end
  if options.return_attention_scores then return y, weights end
  return y
end

return MultiHeadAttention
