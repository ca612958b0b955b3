-- .keras files without Keras: what goes in comes out, and what does not fit says so. Against the real
-- one they are checked in tests/keras.
local cdl = require "cdl"
local capture = require "capture"
local folder = require "folder"
local json = require "cdl.json"
local layers = cdl.layers

describe("whole models in files", function()
  local temporary
  setup(function() temporary = folder.new() end)
  teardown(function() temporary:remove() end)

  local x = cdl.random.uniform { shape = { 12, 4 } }
  local y = cdl.random.randint { shape = { 12 }, low = 0, high = 3 }

  local function classifier()
    local model = cdl.Sequential {
      layers.Dense { 8, activation = "relu", input_shape = { 4 } },
      layers.BatchNormalization(),
      layers.Dropout(0),
      layers.Dense { 3, activation = "softmax" },
    }
    model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }
    return model
  end

  local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok)
    assert.matches("^[^\n]*saving_spec.lua:%d+: ", message)
    return message
  end

  it("keep a compiled Sequential with its optimizer: training goes on as if nothing had been", function()
    local model = classifier()
    model:fit(x, y, { epochs = 2, verbose = 0 })
    model:save(temporary "m.keras")
    local copy = cdl.models.load_model(temporary "m.keras")
    assert.same(model:predict(x, { verbose = 0 }):totable(), copy:predict(x, { verbose = 0 }):totable())
    assert.equal(model.optimizer.iterations, copy.optimizer.iterations)
    for _ = 1, 2 do
      local loss, accuracy = model:train_on_batch(x, y)
      local loss_copy, accuracy_copy = copy:train_on_batch(x, y)
      assert.equal(loss, loss_copy)
      assert.equal(accuracy, accuracy_copy)
    end
    assert.same({ "m.keras" }, temporary:names())
  end)

  it("keep functional graphs: shared layers, operations, subscripts, several inputs and outputs", function()
    local a, b = cdl.Input { shape = { 4 }, name = "a" }, cdl.Input { shape = { 4 }, name = "b" }
    local shared = layers.Dense { 4, activation = "tanh", name = "shared" }
    local inner_in = cdl.Input { 4 }
    local inner = cdl.Model { inputs = inner_in, outputs = layers.Dense(2)(inner_in), name = "inner" }
    local joined = layers.Concatenate() { shared(a) * 2 + 1, shared(b)[{ {}, { 2, -1 } }], inner(b) }
    local model = cdl.Model { inputs = { a = a, b = b }, outputs = { sum = joined:sum(2, true), all = joined } }
    model:save(temporary "f.keras")
    local copy = cdl.models.load_model(temporary "f.keras")
    local given = { a = x, b = x + 1 }
    local expected, got = model:predict(given, { verbose = 0 }), copy:predict(given, { verbose = 0 })
    assert.same(expected.sum:totable(), got.sum:totable())
    assert.same(expected.all:totable(), got.all:totable())
    local names = {}
    for i, layer in ipairs(copy.layers) do names[i] = layer.name end
    for i, layer in ipairs(model.layers) do assert.equal(layer.name, names[i]) end
  end)

  it("keep a model with steps and optimizers of its own", function()
    local Own = cdl.Model:extend "Own"
    function Own:init() self.net = cdl.Sequential { layers.Dense { 1, input_shape = { 4 } } } end
    function Own:train_step(batch)
      local loss = (self.net(batch, true) ^ 2):mean() * self.factor
      local weights = self.net.trainable_weights
      self.net_optimizer:apply(cdl.gradients(loss, weights), weights)
      return { loss = loss }
    end
    local model, path, options = Own {}, temporary "own.keras", { custom_objects = { Own = Own } }
    model:compile { net_optimizer = cdl.optimizers.SGD { learning_rate = 0.125, momentum = 0.5 }, factor = 2 }
    model:fit(x, { verbose = 0 })
    model:save(path)
    local copy
    assert.matches("the optimizer starts anew", capture.warned(function()
      copy = cdl.models.load_model(path, options)
    end), 1, true)
    assert.same(model.net:get_weights()[1]:totable(), copy.net:get_weights()[1]:totable())
    assert.equal(0.125, copy.net_optimizer.learning_rate)
    assert.equal(2, copy.factor)
    assert.equal(1, #copy:fit(x, { verbose = 0 }).epoch)
    options.compile = false
    assert.is_nil(cdl.models.load_model(path, options).net_optimizer)
  end)

  it("keep functional models and Sequentials of the user's classes", function()
    local Graph, Chain = cdl.Model:extend "Graph", cdl.Sequential:extend "Chain"
    local input = cdl.Input { 4 }
    local chain = Chain { layers.Dense(3), layers.Dense(2) }
    local model = Graph { inputs = input, outputs = chain(input) }
    model:save(temporary "graph.keras")
    local options = { custom_objects = { Graph = Graph, Chain = Chain } }
    local copy = cdl.models.load_model(temporary "graph.keras", options)
    for _, made in ipairs { copy, cdl.models.clone_model(model) } do
      assert.equal(Graph, getmetatable(made))
      made:set_weights(model:get_weights())
      assert.same(model:predict(x, { verbose = 0 }):totable(), made:predict(x, { verbose = 0 }):totable())
    end
    assert.equal(Chain, getmetatable(copy.layers[2]))
    assert.equal(Chain, getmetatable(Chain:from_config(chain:get_config())))
    assert.equal(Graph, getmetatable(Graph:from_config(Graph(input, layers.Dense(1)(input)):get_config())))
    chain:save(temporary "chain.keras")
    assert.equal(2, #cdl.models.load_model(temporary "chain.keras", options).layers)
    assert.matches("the class 'Graph' is not known",
      message_of(cdl.models.load_model, temporary "graph.keras"), 1, true)
  end)

  it("know classes of the user's by custom_objects or when they are registered", function()
    local Scale = cdl.Layer:extend "Scale"
    Scale.signature = { { "by", "number", 2 }, { "axis", "axis", 2 } }
    function Scale:call(input) return input * self.args.by end
    local model = cdl.Sequential { cdl.Input { 4 }, Scale { by = 3, axis = 2 }, layers.Dense(1) }
    model:save(temporary "c.keras")
    local message = message_of(cdl.models.load_model, temporary "c.keras")
    assert.matches("c.keras: config.json: Sequential 'sequential", message, 1, true)
    assert.matches("the class 'Scale' is not known; pass custom_objects = {Scale = ...}", message, 1, true)
    local copy = cdl.models.load_model(temporary "c.keras", { custom_objects = { Scale = Scale } })
    assert.same(model:predict(x, { verbose = 0 }):totable(), copy:predict(x, { verbose = 0 }):totable())
    assert.equal(2, copy.layers[1]:get_config().axis)
    cdl.models.register_keras_serializable(Scale)
    assert.equal(3, cdl.models.load_model(temporary "c.keras").layers[1].args.by)
  end)

  it("keep models with a call of their own, built for the shapes that they have seen", function()
    local Net = cdl.Model:extend "Net"
    Net.signature = { { "units", "integer", 5 } }
    function Net:init(args)
      self.first = layers.Dense(args.units)
      self.blocks = { layers.Dense(3), layers.Dense(4), layers.BatchNormalization() }
      self.out = layers.Dense(2)
    end
    function Net:call(inputs, training)
      local h = self.first(inputs[1]) + self.first(inputs[2])
      for _, block in ipairs(self.blocks) do h = block(h, training) end
      return self.out(h)
    end
    local model = Net { units = 6 }
    model:compile { optimizer = "adam", loss = "mse" }
    local target = cdl.random.uniform { shape = { 12, 2 } }
    model:fit({ x, x }, target, { epochs = 2, verbose = 0 })
    model:save(temporary "net.keras")
    local copy = cdl.models.load_model(temporary "net.keras", { custom_objects = { Net = Net } })
    assert.equal(2, copy.optimizer.iterations)
    assert.equal(6, copy:get_config().units)
    local loss = model:train_on_batch({ x, x }, target)
    assert.equal(loss, (copy:train_on_batch({ x, x }, target)))
  end)

  it("keep functions that have a name; without one the model is kept, but not how it is compiled", function()
    local function distance(t, p) return (t - p):abs() end
    local model = cdl.Sequential { cdl.Input { 4 }, layers.Dense(1) }
    model:compile { optimizer = "sgd", loss = distance }
    local text = capture.warned(function() model:save(temporary "d.keras") end)
    assert.matches("compile: loss: a Lua function has no name", text, 1, true)
    assert.is_nil(json.decode(model:to_json()).compile_config)
    cdl.models.register_keras_serializable(distance, "distance")
    model:save(temporary "d.keras")
    local target = cdl.ones { 12, 1 }
    assert.equal(model:evaluate(x, target, { verbose = 0 }),
      cdl.models.load_model(temporary "d.keras"):evaluate(x, target, { verbose = 0 }))
    local act = cdl.Sequential { cdl.Input { 4 }, layers.Dense { 1, activation = function(z) return z * 2 end } }
    assert.matches("Dense 'dense_%d+': activation: a Lua function has no name",
      message_of(act.save, act, temporary "a.keras"))
    assert.same(act:count_params(), cdl.models.clone_model(act):count_params())
  end)

  it("keep weights alone, also cut into several files", function()
    local model, copy = classifier(), classifier()
    model:fit(x, y, { verbose = 0 })
    for _, how in ipairs { { "w.weights.h5" }, { "c.weights.json", { max_shard_size = 1e-7 } } } do
      model:save_weights(temporary(how[1]), how[2])
      copy:load_weights(temporary(how[1]))
      assert.same(model:predict(x, { verbose = 0 }):totable(), copy:predict(x, { verbose = 0 }):totable())
      assert.equal(1, copy.optimizer.iterations)
      copy = classifier()
    end
    copy:load_weights(temporary "m.keras")
  end)

  it("are described by JSON, and cloned", function()
    local model = classifier()
    local text = model:to_json()
    local config = json.decode(text)
    assert.equal("Sequential", config.class_name)
    assert.equal(-1, config.config.layers[3].config.axis)
    local copy = cdl.models.model_from_json(text)
    assert.equal(text, copy:to_json())
    local clone = cdl.models.clone_model(model)
    assert.equal(model:count_params(), clone:count_params())
    local again = cdl.Sequential:from_config(model:get_config())
    assert.equal(model.layers[4].name, again.layers[4].name)
    assert.matches("model_from_json: line 1, column 9", message_of(cdl.models.model_from_json, "{nonsense"), 1, true)
  end)
end)
