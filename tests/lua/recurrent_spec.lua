-- What the comparison with Keras does not show of recurrent layers: ways of calling, states, own
-- cells, dropout, second order, errors.
local cdl = require "cdl"
local folders = require "folder"
local layers = cdl.layers

local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok)
  return text
end

local function is_near(a, b, tolerance)
  local difference = (a - b):abs():max():item()
  assert.is_true(difference <= (tolerance or 1e-6), ("differs by %g"):format(difference))
end

local function normal(...) return cdl.random.normal { shape = { ... } } end

-- h = tanh(x kernel + h recurrent_kernel), written as a user would.
local Minimal = cdl.Layer:extend "Minimal"
function Minimal:init(args) self.units, self.state_size = args[1], args[1] end
function Minimal:build(input_shape)
  self.kernel = self:add_weight { name = "kernel", shape = { input_shape[#input_shape], self.units } }
  self.recurrent_kernel = self:add_weight { name = "recurrent_kernel", shape = { self.units, self.units } }
end
function Minimal:call(x, states)
  local h = (x:matmul(self.kernel) + states[1]:matmul(self.recurrent_kernel)):tanh()
  return h, h
end

describe("recurrent layers", function()
  local constant = cdl.initializers.Constant
  local fixed = { units = 3, kernel_initializer = constant(0.01), recurrent_initializer = constant(0.02),
    bias_initializer = constant(0.03) }

  local function last_outputs(class, more)
    local args = {}
    for key, value in pairs(fixed) do args[key] = value end
    for key, value in pairs(more or {}) do args[key] = value end
    return layers[class](args)(cdl.arange(0, 71):reshape { 3, 6, 4 })[{ {}, 1 }]
  end

  it("give Keras's numbers", function()
    is_near(last_outputs "LSTM", cdl.tensor { .6288687, .8689916, .9460773 })
    is_near(last_outputs("LSTM", { go_backwards = true }), cdl.tensor { .3562217, .7478952, .8872726 })
    is_near(last_outputs("LSTM", { unit_forget_bias = false }), cdl.tensor { .5701970, .8661914, .9459622 })
    is_near(last_outputs "GRU", cdl.tensor { .5217289, .6371659, .3938496 })
    is_near(last_outputs("GRU", { reset_after = false }), cdl.tensor { .5144776, .6426879, .4020830 })
  end)

  it("name and order their weights as Keras", function()
    local lstm = layers.LSTM { 8, name = "memory" }
    lstm(normal(2, 3, 4))
    local paths, shapes = {}, {}
    for i, weight in ipairs(lstm.weights) do
      paths[i], shapes[i] = weight.path, table.concat(weight.shape, ",")
    end
    assert.are.same({ "memory/lstm_cell/kernel", "memory/lstm_cell/recurrent_kernel", "memory/lstm_cell/bias" }, paths)
    assert.are.same({ "4,32", "8,32", "32" }, shapes)
    local both = layers.Bidirectional { layers.GRU { 2, name = "gru" }, name = "both" }
    both(normal(2, 3, 4))
    assert.are.equal("both/forward_gru/gru_cell/kernel", both.weights[1].path)
    assert.are.equal("both/backward_gru/gru_cell/bias", both.weights[6].path)
    assert.are.equal(6, #both.weights)
  end)

  it("take initial states in three ways", function()
    local lstm = layers.LSTM { 4, return_state = true }
    local x, h, c = normal(2, 3, 5), normal(2, 4), normal(2, 4)
    local y, last_h, last_c = lstm(x, h, c)
    is_near(y, last_h)
    is_near(y, lstm { x, h, c }, 0)
    is_near(y, lstm(x, { initial_state = { h, c } }), 0)
    assert.is_false(cdl.ops.all(lstm(x):eq(y)):item())
    -- Two halves of a sequence are the whole.
    local whole, whole_h, whole_c = lstm(cdl.concat({ x, x }, 2), h, c)
    local again, again_h, again_c = lstm(x, last_h, last_c)
    is_near(whole, again)
    is_near(whole_h, again_h)
    is_near(whole_c, again_c)
    -- In a functional model, too.
    local a, b = cdl.Input { 3, 5 }, cdl.Input { 4 }
    local model = cdl.Model { inputs = { a, b }, outputs = layers.GRU(4)(a, { initial_state = b }) }
    local gru = model:get_layer(3)
    is_near(model:predict({ x, h }, { verbose = 0 }), gru(x, h))
    assert.matches("initial_state: cell 'lstm_cell' has 2 states, got 1", message(lstm, x, h))
    assert.matches("recurrent_spec.lua:%d+: .*state 2 of cell 'lstm_cell' must be a tensor, got", message(lstm, x,
      { initial_state = { h, "c" } }))
  end)

  it("make an encoder and a decoder", function()
    local source, target = cdl.Input { -1, 5 }, cdl.Input { -1, 4 }
    local _, h, c = layers.LSTM { 6, return_state = true, name = "encoder" }(source)
    local y = layers.LSTM { 6, return_sequences = true, name = "decoder" }(target, { initial_state = { h, c } })
    local model = cdl.Model { inputs = { source, target }, outputs = layers.Dense(3)(y) }
    model:compile { optimizer = "sgd", loss = "mse" }
    local data = { normal(4, 7, 5), normal(4, 3, 4) }
    local before = model:get_layer("encoder"):get_weights()[1]
    model:fit(data, normal(4, 3, 3), { epochs = 1, verbose = 0 })
    assert.is_true((model:get_layer("encoder"):get_weights()[1] - before):abs():max():item() > 0)
    local lines = {}
    model:summary { print_fn = function(line) lines[#lines + 1] = line end }
    assert.matches("decoder %(LSTM%)[^\n]*, encoder", table.concat(lines, "\n"))
  end)

  it("with unknown lengths say so in their shapes", function()
    local x = cdl.Input { -1, 4 }
    assert.are.same({ -1, 6 }, layers.LSTM(6)(x).shape)
    assert.are.same({ -1, -1, 6 }, layers.LSTM { 6, return_sequences = true }(x).shape)
    assert.are.same({ -1, -1, 6 }, layers.LSTM { 6, return_sequences = true, activation = "relu" }(x).shape)
    assert.are.same({ -1, -1, 12 }, layers.Bidirectional { layers.GRU { 6, return_sequences = true } }(x).shape)
    assert.are.same({ -1, -1, 6 }, layers.RNN { Minimal { 6 }, return_sequences = true }(x).shape)
  end)

  it("skip masked steps and pass the mask on with all outputs", function()
    local ids = cdl.tensor({ { 1, 2, 0, 0 }, { 3, 0, 2, 1 } }, "int32")
    local embed = layers.Embedding { 5, 4, mask_zero = true }
    local gru = layers.GRU { 3, return_sequences = true }
    local y = gru(embed(ids))
    assert.are.same({ { true, true, false, false }, { true, false, true, true } }, y.mask:totable())
    is_near(y[{ 1, 2 }], y[{ 1, 4 }], 0)
    assert.is_nil(layers.GRU(3)(embed(ids)).mask)
    local short = layers.GRU(3)
    short(embed(ids))
    short:set_weights(gru:get_weights())
    is_near(short(embed(ids))[1], gru(embed(ids[{ {}, { 1, 2 } }]))[{ 1, 2 }], 0)
  end)

  it("are differentiated twice", function()
    for _, layer in ipairs { layers.LSTM(3), layers.GRU(3), layers.SimpleRNN(3) } do
      local x, v = normal(2, 4, 2), normal(2, 4, 2)
      layer(x)
      local function slope(at) return (cdl.grad(function(z) return layer(z):square():sum() end)(at) * v):sum() end
      local curved = (cdl.grad(slope)(x) * v):sum():item()
      local h = 2e-3
      local difference = (slope(x + v * h):item() - slope(x - v * h):item()) / (2 * h)
      assert.is_true(math.abs(curved - difference) < 1e-2 * math.max(1, math.abs(difference)))
    end
  end)

  it("learn", function()
    cdl.random.seed(1)
    local x = cdl.random.randint { shape = { 256, 6 }, low = 0, high = 8 }
    local y = x[{ {}, 3 }]:gt(3):astype "float32"
    local model = cdl.Sequential { layers.Embedding(8, 8), layers.LSTM(16),
      layers.Dense { 1, activation = "sigmoid" } }
    model:compile { optimizer = cdl.optimizers.Adam(0.03), loss = "binary_crossentropy", metrics = { "accuracy" } }
    local history = model:fit(x, y, { epochs = 20, batch_size = 32, verbose = 0 }).history
    assert.is_true(history.accuracy[20] > 0.95)
  end)

  it("refuse what they cannot take", function()
    assert.matches("recurrent_spec.lua:%d+: .*layer 'lstm[_%d]*' wants sequences of shape {batch, steps, features}, "
      .. "got {2, 3}", message(layers.LSTM(2), cdl.ones { 2, 3 }))
    assert.matches("known number of features", message(layers.LSTM(2), cdl.Input { 3, -1 }))
    assert.matches("units must be at least 1", message(layers.LSTM, 0))
    assert.matches("dropout must be at most 1", message(layers.GRU, { 2, dropout = 1.5 }))
    assert.matches("unknown activation 'tahn' %(did you mean 'tanh'%?%)", message(layers.LSTM,
      { 2, activation = "tahn" }))
    local gru = layers.GRU(2)
    gru(cdl.ones { 1, 2, 3 })
    assert.matches("kernel", message(gru, cdl.ones { 1, 2, 4 }))
  end)
end)

describe("dropout of recurrent layers", function()
  -- With a kernel of ones the sum of the inputs that are left is seen at each step.
  local function sums(args)
    args.kernel_initializer, args.recurrent_initializer, args.activation = "ones", "zeros", "linear"
    args.return_sequences = true
    local rnn = layers.SimpleRNN(args)
    local x = cdl.ones { 50, 6, 40 }
    rnn(x)
    return cdl.jit(function(z) return rnn(z, true) end)(x), rnn(x, false)
  end

  it("drops the same inputs at every step", function()
    for _, more in ipairs { 0, 0.5 } do
      cdl.random.seed(3)
      local trained, plain = sums { 1, dropout = 0.5, recurrent_dropout = more }
      is_near(plain, cdl.full({ 50, 6, 1 }, 40), 0)
      is_near(trained[{ {}, 1 }], trained[{ {}, 6 }], 0)
      assert.is_true(cdl.ops.std(trained):item() > 1)
      assert.is_true(math.abs(trained:mean():item() - 40) < 3)
    end
  end)

  it("draws anew for each batch, and the same after a seed", function()
    local rnn = layers.LSTM { 4, dropout = 0.5, recurrent_dropout = 0.5 }
    local x = normal(3, 5, 4)
    rnn(x)
    local f = cdl.jit(function(z) return rnn(z, true) end)
    cdl.random.seed(5)
    local first, second = f(x), f(x)
    assert.is_false(cdl.ops.all(first:eq(second)):item())
    cdl.random.seed(5)
    is_near(first, f(x), 0)
  end)

  it("drops states for each gate alone", function()
    local gru = layers.GRU { 30, recurrent_dropout = 0.5, kernel_initializer = "zeros", reset_after = false }
    local x, h = cdl.zeros { 20, 1, 2 }, cdl.ones { 20, 30 }
    gru(x, h)
    local dropped = cdl.jit(function(z, state) return gru({ z, state }, true) end)(x, h)
    assert.is_true((dropped - gru(x, h)):abs():max():item() > 1e-3)
  end)
end)

describe("stateful layers", function()
  local function model_of(class)
    local x = cdl.Input { batch_size = 4, shape = { 3, 2 } }
    local layer = layers[class] { 5, stateful = true, name = "memory" }
    return cdl.Model { inputs = x, outputs = layer(x) }, layer
  end

  it("go on where the batch before ended", function()
    for _, class in ipairs { "SimpleRNN", "GRU", "LSTM" } do
      local model, layer = model_of(class)
      local x = normal(4, 6, 2)
      local first, second = x[{ {}, { 1, 3 } }], x[{ {}, { 4, 6 } }]
      model:predict(first, { batch_size = 4, verbose = 0 })
      local y = model:predict(second, { batch_size = 4, verbose = 0 })
      local plain = layers[class](5)
      plain(x)
      plain:set_weights(layer:get_weights())
      is_near(y, plain(x))
      model:reset_states()
      is_near(model:predict(first, { batch_size = 4, verbose = 0 }), plain(first))
      layer:reset_states()
      assert.are.equal(0, layer.states[1]:value():abs():max():item())
    end
  end)

  it("have states that are no weights", function()
    local model, layer = model_of "LSTM"
    assert.are.equal(3, #model:get_weights())
    assert.are.equal(2, #layer.states)
    model:compile { optimizer = "adam", loss = "mse" }
    model:fit(normal(8, 3, 2), normal(8, 5), { batch_size = 4, epochs = 2, shuffle = false, verbose = 0 })
    assert.is_true(layer.states[1]:value():abs():max():item() > 0)
    assert.are.equal(3, #model.trainable_weights)
  end)

  it("go on in a run that was killed", function()
    local data = folders.new()
    local x, y = normal(8, 3, 2), normal(8, 5)
    local function run(epochs, options)
      cdl.random.seed(2)
      local model, layer = model_of "LSTM"
      model:compile { optimizer = "sgd", loss = "mse" }
      options.batch_size, options.epochs, options.verbose, options.shuffle = 4, epochs, 0, false
      model:fit(x, y, options)
      return layer.states[2]:value(), model:get_weights()[1]
    end
    local states, kernel = run(4, {})
    pcall(run, 4, { resume = data.path, callbacks = { { on_epoch_begin = function(_, epoch)
      if epoch == 3 then error "killed" end
    end } } })
    local again, same = run(4, { resume = data.path })
    is_near(states, again, 0)
    is_near(kernel, same, 0)
    data:remove()
  end)

  it("want one size of batches", function()
    assert.matches("stateful and wants a fixed batch size: Input{batch_size = 32",
      message(layers.LSTM { 2, stateful = true }, cdl.Input { 3, 2 }))
    local layer = layers.LSTM { 2, stateful = true }
    layer(cdl.ones { 4, 3, 2 })
    assert.matches("keeps the states of 4 sequences, got a batch of 3: give it batches of 4", message(layer,
      cdl.ones { 3, 3, 2 }))
  end)

  it("may be bidirectional", function()
    local both = layers.Bidirectional { layers.GRU { 3, stateful = true } }
    local x = normal(2, 4, 3)
    local first = both(x)
    assert.is_true((both(x) - first):abs():max():item() > 1e-4)
    both:reset_states()
    is_near(both(x), first, 0)
  end)
end)

describe("cells", function()
  it("are called on a step and its states", function()
    local cell = layers.LSTMCell(3)
    local x, h, c = normal(2, 4), normal(2, 3), normal(2, 3)
    local y, states = cell(x, { h, c })
    assert.are.equal(2, #states)
    is_near(y, states[1], 0)
    local lstm = layers.LSTM(3)
    lstm(x:reshape { 2, 1, 4 })
    lstm:set_weights(cell:get_weights())
    is_near(lstm(x:reshape { 2, 1, 4 }, h, c), y)
    local stacked = layers.StackedRNNCells { layers.GRUCell(3), layers.LSTMCell(2) }
    local z, nested = stacked(x, { { h }, { normal(2, 2), normal(2, 2) } })
    assert.are.same({ 2, 2 }, z.shape)
    assert.are.same({ 1, 2 }, { #nested[1], #nested[2] })
    local symbol = cell(cdl.Input { 4 }, { cdl.Input { 3 }, cdl.Input { 3 } })
    assert.are.same({ -1, 3 }, symbol.shape)
    assert.matches("has 2 states, got 1", message(cell, x, { h }))
  end)

  it("may be one's own", function()
    local rnn = layers.RNN { Minimal { 5 }, return_sequences = true }
    local x = normal(2, 4, 3)
    local y = rnn(x)
    local same = layers.SimpleRNN { 5, use_bias = false, return_sequences = true }
    same(x)
    same:set_weights(rnn:get_weights())
    is_near(y, same(x))
    local mask = cdl.tensor { { true, true, false, true }, { false, true, true, false } }
    is_near(rnn(x, { mask = mask }), same(x, { mask = mask }))
    assert.are.equal("rnn/minimal/kernel", rnn.weights[1].path:gsub("_%d+", ""), nil)
  end)

  it("are stacked when they come as a list", function()
    local rnn = layers.RNN { { Minimal { 5 }, layers.LSTMCell(4) }, return_state = true }
    local results = { rnn(normal(2, 3, 2)) }
    assert.are.equal(4, #results)
    assert.are.same({ 2, 5 }, results[2].shape)
    is_near(results[1], results[3], 0)
    assert.are.equal(5, #rnn.weights)
  end)

  it("must say what their states are", function()
    local Bare = cdl.Layer:extend "Bare"
    assert.matches("RNN: a cell is a layer with call%(x, states, training%) and state_size, got 'bare' without",
      message(layers.RNN, Bare()))
    assert.matches("and state_size, got 3", message(layers.RNN, 3))
    local Forgetful = Minimal:extend "Forgetful"
    function Forgetful:call(x) return x end
    assert.matches("must return the output and the list of new states", message(layers.RNN(Forgetful { 2 }),
      cdl.ones { 1, 2, 2 }))
    function Forgetful:call(x, states) return x, { states[1], x } end
    assert.matches("has 1 state, its call returned 2", message(layers.RNN(Forgetful { 2 }), cdl.ones { 1, 2, 2 }))
  end)
end)

describe("Bidirectional", function()
  it("makes both directions like the given layer", function()
    local given = layers.LSTM { 3, return_sequences = true, recurrent_initializer = "zeros" }
    local both = layers.Bidirectional(given)
    both(normal(2, 3, 4))
    assert.is_false(given.built)
    assert.is_true(both.backward_layer.go_backwards)
    assert.are.equal(0, both.forward_layer.weights[2]:value():abs():max():item())
    local cells = layers.Bidirectional { layers.RNN { { layers.GRUCell(3), layers.GRUCell(2) } } }
    cells(normal(2, 3, 4))
    assert.are.equal(12, #cells.weights)
  end)

  it("gives two outputs without a merge", function()
    local both = layers.Bidirectional { layers.GRU { 3, return_state = true }, merge_mode = cdl.null }
    assert.are.equal(4, select("#", both(normal(2, 3, 4))))
    assert.are.equal(cdl.null, both:get_config().merge_mode)
  end)

  it("says what does not fit", function()
    assert.matches("layer must be a recurrent layer, got layer 'dense[_%d]*' %(Dense%)", message(layers.Bidirectional,
      layers.Dense(2)))
    assert.matches("must be one of 'concat', .*did you mean 'sum'", message(layers.Bidirectional,
      { layers.LSTM(2), merge_mode = "sun" }))
    assert.matches("backward_layer has not", message(layers.Bidirectional,
      { layers.LSTM(2), backward_layer = layers.LSTM(2) }))
    assert.matches("return_sequences is true in layer and false in backward_layer", message(layers.Bidirectional,
      { layers.LSTM { 2, return_sequences = true }, backward_layer = layers.LSTM { 2, go_backwards = true } }))
    assert.matches("gives 3 states", message(layers.Bidirectional { layers.LSTM(2) }, cdl.ones { 1, 2, 3 },
      { initial_state = { cdl.ones { 1, 2 }, cdl.ones { 1, 2 }, cdl.ones { 1, 2 } } }))
  end)
end)

describe("TimeDistributed", function()
  it("hands the inside of a mask to its layer", function()
    local gru = layers.GRU(2)
    local x = normal(2, 3, 4, 5)
    local mask = cdl.random.bernoulli { shape = { 2, 3, 4 }, p = 0.6 }:gt(0.5)
    local y = layers.TimeDistributed(gru)(x, { mask = mask })
    is_near(y[{ {}, 2 }], gru(x[{ {}, 2 }], { mask = mask[{ {}, 2 }] }), 0)
    assert.matches("a mask of shape {2, 4} does not fit", message(layers.TimeDistributed(gru), x,
      { mask = cdl.ones({ 2, 4 }, "bool") }))
  end)
end)

describe("a model with a fixed batch size", function()
  it("says what to do with another one", function()
    local model = cdl.Sequential {
      cdl.layers.Input { shape = { 3, 2 }, batch_size = 4 }, cdl.layers.LSTM { 2, stateful = true } }
    local ok, text = pcall(model.predict, model, cdl.ones { 3, 3, 2 }, { verbose = 0 })
    assert.is_false(ok)
    assert.matches("got data of shape {3, 3, 2}; its batch size is fixed: give batch_size = 4", text)
  end)
end)
