-- What the comparison with Keras does not show of attention: masks that travel, errors, dropout, training.
local cdl = require "cdl"
local layers = cdl.layers

local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok)
  return text
end

local function near(want, got, tolerance)
  assert.is_true((want - got):abs():max():item() <= (tolerance or 1e-6))
end

describe("MultiHeadAttention", function()
  local query, value = cdl.random.normal { shape = { 2, 4, 5 } }, cdl.random.normal { shape = { 2, 6, 7 } }

  it("names its weights as Keras", function()
    local mha = layers.MultiHeadAttention { num_heads = 2, key_dim = 3, use_gate = true, name = "mha" }
    mha(query, value)
    local names = {}
    for i, weight in ipairs(mha.weights) do names[i] = weight.path end
    assert.are.same({ "mha/query/kernel", "mha/query/bias", "mha/key/kernel", "mha/key/bias", "mha/gate/kernel",
      "mha/gate/bias", "mha/value/kernel", "mha/value/bias", "mha/attention_output/kernel",
      "mha/attention_output/bias" }, names)
    mha.trainable = false
    assert.are.equal(0, #mha.trainable_weights)
  end)

  it("gives weights that sum to 1, and none to hidden keys", function()
    local mha = layers.MultiHeadAttention(2, 3)
    local y, weights = mha(query, value, { return_attention_scores = true, use_causal_mask = true })
    assert.are.same({ 2, 4, 5 }, y.shape)
    assert.are.same({ 2, 2, 4, 6 }, weights.shape)
    near(cdl.ones { 2, 2, 4 }, weights:sum(-1))
    assert.are.equal(0, weights[{ {}, {}, 1, { 2, 6 } }]:abs():max():item())
    local seen = cdl.tensor { { true, false, false, true, true, true }, { false, true, true, true, true, true } }
    weights = select(2, mha(query, value, { value_mask = seen, return_attention_scores = true }))
    assert.are.equal(0, weights[{ 1, {}, {}, { 2, 3 } }]:max():item())
    assert.is_true(weights[{ 2, {}, {}, { 2, 3 } }]:min():item() > 0)
  end)

  it("gives hidden queries weight 0 when the weights are asked for", function()
    local mha = layers.MultiHeadAttention(2, 3)
    local hidden = cdl.tensor { { true, true, false, true }, { true, true, true, true } }
    local y, weights = mha(query, value, { query_mask = hidden, return_attention_scores = true })
    assert.are.equal(0, weights[{ 1, {}, 3 }]:max():item())
    assert.are.same(hidden:totable(), y.mask:totable())
  end)

  it("takes the masks of its inputs and hands the query's on", function()
    local ids = cdl.Input { shape = { -1 }, dtype = "int32" }
    local x = layers.Embedding { input_dim = 9, output_dim = 4, mask_zero = true }(ids)
    local mha = layers.MultiHeadAttention { num_heads = 1, key_dim = 4 }
    local y, weights = mha(x, x, { return_attention_scores = true })
    local model = cdl.Model { inputs = ids, outputs = { y, weights, y.mask:astype "float32" } }
    local out = model:predict(cdl.tensor({ { 3, 5, 0 } }, "int32"), { verbose = 0 })
    assert.are.equal(0, out[2][{ 1, 1, {}, 3 }]:max():item())
    assert.are.same({ { 1, 1, 0 } }, out[3]:totable())
  end)

  it("takes a mask that is a symbol", function()
    local x, allowed = cdl.Input { 4, 5 }, cdl.Input { shape = { 4, 4 }, dtype = "bool" }
    local mha = layers.MultiHeadAttention(2, 3)
    local model = cdl.Model { inputs = { x, allowed }, outputs = mha(x, x, { attention_mask = allowed }) }
    local lower = cdl.tensor { { { true, false, false, false }, { true, true, false, false },
      { true, true, true, false }, { true, true, true, true } } }
    local first = query[{ { 1, 1 } }]
    near(mha(first, first, { use_causal_mask = true }), model:predict({ first, lower }, { verbose = 0 }))
  end)

  it("drops weights while training only, the same again for a seed", function()
    local mha = layers.MultiHeadAttention { num_heads = 2, key_dim = 3, dropout = 0.5 }
    near(mha(query, value), mha(query, value), 0)
    local function trained()
      cdl.random.seed(7)
      return mha(query, value, { training = true })
    end
    near(trained(), trained(), 0)
    assert.is_true((trained() - mha(query, value)):abs():max():item() > 1e-3)
  end)

  it("learns to copy the first step", function()
    cdl.random.seed(1)
    local x = cdl.Input { 4, 8 }
    local model = cdl.Model { inputs = x, outputs = layers.MultiHeadAttention(2, 8)(x, x) }
    model:compile { optimizer = cdl.optimizers.Adam(0.02), loss = "mse" }
    local data = cdl.random.normal { shape = { 64, 4, 8 } }
    data[{ {}, 1, 1 }] = 5
    local target = data[{ {}, { 1, 1 } }]:broadcast_to { 64, 4, 8 }
    local before = model:evaluate(data, target, { verbose = 0 })
    model:fit(data, target, { epochs = 30, verbose = 0 })
    assert.is_true(model:evaluate(data, target, { verbose = 0 }) < before / 10)
  end)

  it("is made again from its config", function()
    local mha = layers.MultiHeadAttention { num_heads = 2, key_dim = 3, output_shape = 6, attention_axes = { 2 } }
    local twin = layers.MultiHeadAttention.from_config(layers.MultiHeadAttention, mha:get_config())
    mha(query, value)
    twin(query, value)
    twin:set_weights(mha:get_weights())
    near(mha(query, value), twin(query, value), 0)
  end)

  it("gives each projection numbers of its own, also from one initializer", function()
    local mha = layers.MultiHeadAttention { num_heads = 2, key_dim = 3,
      kernel_initializer = cdl.initializers.RandomNormal {} }
    mha(query, query)
    assert.is_true((mha.weights[1]:value() - mha.weights[3]:value()):abs():max():item() > 0)
  end)

  it("says what it wants", function()
    local mha = layers.MultiHeadAttention { num_heads = 2, key_dim = 3, name = "mha" }
    assert.matches("attention_spec%.lua:%d+: layer 'mha' takes two or three tensors, query, value and key, got one",
      message(function() mha(query) end))
    assert.matches("query has shape {2, 4}, wanted {batch, steps", message(mha, cdl.ones { 2, 4 }, value))
    assert.matches("query has 3 axes, value 4", message(mha, query, cdl.ones { 2, 3, 4, 5 }))
    assert.matches("value {2, 6, 7} and key {2, 5, 7} may differ in their last size only",
      message(mha, query, value, cdl.ones { 2, 5, 7 }))
    assert.matches("mask is a list", message(mha, query, value, { mask = cdl.ones { 2, 4 } }))
    assert.matches("unknown argument 'causal'", message(mha, query, value, { causal = true }))
    assert.matches("num_heads must be at least 1", message(layers.MultiHeadAttention, 0, 3))
    assert.matches("attention axis 5 is", message(
      layers.MultiHeadAttention { num_heads = 2, key_dim = 3, attention_axes = 5 }, query, value))
    assert.matches("num_query_heads %(3%) must be a multiple of num_key_value_heads %(2%)",
      message(layers.GroupQueryAttention, 4, 3, 2))
  end)
end)

describe("Attention", function()
  local query, value = cdl.random.normal { shape = { 2, 3, 4 } }, cdl.random.normal { shape = { 2, 5, 4 } }

  it("takes its tensors as a list or one by one", function()
    local attention = layers.Attention()
    near(attention { query, value }, attention(query, value), 0)
    near(attention(query, value), attention(query, value, value))
    assert.are.same({ 2, 3, 4 }, attention(query, value).shape)
  end)

  it("gives hidden queries 0 and hands their mask on", function()
    local seen = cdl.tensor { { true, false, true }, { true, true, true } }
    local y = layers.Attention()(query, value, { mask = { seen, false } })
    assert.are.equal(0, y[{ 1, 2 }]:abs():max():item())
    assert.are.same(seen:totable(), y.mask:totable())
  end)

  it("says what it wants", function()
    assert.matches("got one", message(layers.Attention(), query))
    assert.matches("one of 'dot', 'concat'", message(layers.Attention, { score_mode = "sum" }))
    assert.matches("'d' is 4 in one term and 3 in another", message(layers.Attention(), query, cdl.ones { 2, 5, 3 }))
  end)
end)

describe("EinsumDense", function()
  it("has what the equation names", function()
    local dense = layers.EinsumDense { "abc,cd->abd", { -1, 6 }, bias_axes = "d" }
    local x = cdl.Input { -1, 3 }
    assert.are.same({ -1, -1, 6 }, dense(x).shape)
    assert.are.same({ 3, 6 }, dense.kernel.shape)
    assert.are.same({ 6 }, dense.bias.shape)
  end)

  it("scales its first values by the axes that are summed over", function()
    cdl.random.seed(3)
    local dense = layers.EinsumDense("abc,cde->abde", { -1, 30, 20 })
    dense(cdl.ones { 2, 3, 50 })
    local limit = math.sqrt(6 / (50 + 600))
    local largest = dense.kernel:value():abs():max():item()
    assert.is_true(largest <= limit and largest > 0.99 * limit)
  end)

  it("says what it wants", function()
    local function make(...) return message(layers.EinsumDense, ...) end
    local function call(equation, shape, input, more)
      local args = { equation, shape, name = "e" }
      for key, value in pairs(more or {}) do args[key] = value end
      return message(layers.EinsumDense(args), cdl.ones(input))
    end
    assert.matches("must be written as", make("ab->b", 3))
    assert.matches("attention_spec%.lua:%d+: layer 'e': 'abc,cd%->abd' names 3 axes of the input, which has shape {2, ",
      call("abc,cd->abd", { -1, 4 }, { 2, 3 }))
    assert.matches("output_shape has 1 sizes, but the output of 'abc,cd%->abd' has 2",
      call("abc,cd->abd", { 4 }, { 2, 3, 4 }))
    assert.matches("'b' is 3 in the input and 5 in output_shape", call("abc,cd->abd", { 5, 4 }, { 2, 3, 4 }))
    assert.matches("'e' of the kernel stands in no other term", call("abc,ced->abd", { -1, 4 }, { 2, 3, 4 }))
    assert.matches("'x' of the output stands in no other term", call("ab,bc->ax", 4, { 2, 3 }))
    assert.matches("'x' of bias_axes is no axis", call("ab,bc->ac", 4, { 2, 3 }, { bias_axes = "x" }))
  end)
end)
