-- Layers and models: building, calling, weights, errors. Training is in fit_spec.lua.
local cdl = require "cdl"
local layers = cdl.layers

local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok)
  return text
end

local function sizes(variables)
  local list = {}
  for i, variable in ipairs(variables) do list[i] = table.concat(variable.shape, "x") end
  return list
end

describe("Sequential", function()
  it("is built at once when the input shape is known", function()
    local model = cdl.Sequential {
      layers.Dense { 5, activation = "relu", input_shape = { 3 } }, layers.Dense(2), name = "m1" }
    assert.are.same({ "3x5", "5", "5x2", "2" }, sizes(model.weights))
    assert.are.equal(3 * 5 + 5 + 5 * 2 + 2, model:count_params())
    assert.are.same({ -1, 2 }, model.output_shape)
    assert.are.same({ -1, 3 }, model.input_shape)
    assert.matches("^m1/dense[_%d]*/kernel$", model.weights[1].path)
    assert.are.equal(2, #model.layers)
  end)

  it("waits for data else, and says so", function()
    local model = cdl.Sequential { layers.Dense(2) }
    assert.are.equal(0, #model.weights)
    assert.matches("build", message(function() return model.output end))
    assert.matches("model:build", message(function() model:save_weights "x.npz" end))
    model:build { -1, 4 }
    assert.are.same({ "4x2", "2" }, sizes(model.weights))
  end)

  it("takes an Input, add and pop; other layers keep their weights", function()
    local model = cdl.Sequential()
    model:add(cdl.Input { 4 })
    model:add(layers.Dense(3, { name = "first" }))
    local kernel = model:get_layer "first".kernel
    model:add(layers.Dense(2))
    assert.are.equal(kernel, model:get_layer(1).kernel)
    assert.are.same({ -1, 2 }, model.output_shape)
    model:pop()
    assert.are.same({ -1, 3 }, model.output_shape)
    assert.are.equal(kernel, model.layers[1].kernel)
    assert.are.equal(1, #model.layers)
  end)

  it("refuses what is not a layer, a layer twice, a name twice", function()
    assert.matches("model_spec.lua:%d+: Sequential: layer 1 is", message(cdl.Sequential, { "dense" }))
    local dense = layers.Dense(2)
    assert.matches("added twice", message(cdl.Sequential, { dense, dense }))
    assert.matches("two layers are named 'a'",
      message(cdl.Sequential, { layers.Dense { 1, name = "a" }, layers.Dense { 1, name = "a" } }))
    assert.matches("has no layer 'nine'", message(function()
      cdl.Sequential { dense, name = "s" }:get_layer "nine"
    end))
  end)

  it("is no layer of itself", function()
    local model = cdl.Sequential { layers.Dense { 1, input_shape = { 1 } } }
    assert.matches("model_spec.lua:%d+: Sequential: model 's.*' cannot be a layer of itself",
      message(model.add, model, model))
    assert.are.equal(1, #model.layers)
  end)

  it("says at fit that layers, not `trainable`, have changed since compile", function()
    local model = cdl.Sequential { layers.Dense { 1, input_shape = { 1 } } }
    model:compile { loss = "mse" }
    model:add(layers.Dense(1))
    assert.are.equal("layers have", model:changed_since_compile())
    model:compile { loss = "mse" }
    model.layers[1].trainable = false
    assert.are.equal("`trainable` has", model:changed_since_compile())
  end)

  it("blames the line of the layer that does not fit", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local model = cdl.Sequential { layers.Reshape { 5, 5 } }
    local text = message(function() model:build { -1, 24 } end)
    assert.matches("model_spec.lua:" .. line .. ": ", text)
    assert.matches("24 elements", text)
    assert.are.equal(0, #model.weights)
  end)
end)

describe("a functional model", function()
  local a = cdl.Input { shape = { 4 }, name = "a" }
  local b = cdl.Input { shape = { 3 }, name = "b" }
  local shared = layers.Dense(2, { name = "shared" })
  local left = shared(layers.Dense(3)(a))
  local right = shared(b)
  local squashed = layers.Activation("tanh", { name = "t" })(right)
  local model = cdl.Model { inputs = { a, b }, outputs = { left + right, squashed } }

  it("has inputs, outputs and layers", function()
    assert.are.same({ "a", "b" }, model.input_names)
    assert.are.equal("a", model.layers[1].name)
    assert.are.equal(2, #model.inputs)
    assert.are.same({ "4x3", "3", "3x2", "2" }, sizes(model.weights))
    assert.matches("called 2 times", message(function() return shared.output end))
  end)

  it("computes with eager tensors, and gives the structure it was made with", function()
    local x, y = cdl.random.normal { shape = { 5, 4 } }, cdl.random.normal { shape = { 5, 3 } }
    local outputs = model(x, y)
    assert.are.same({ 5, 2 }, outputs[1].shape)
    local by_name = model { a = x, b = y }
    assert.are.same(outputs[1]:totable(), by_name[1]:totable())
    local want = (shared(y)):tanh()
    assert.are.same(want:totable(), outputs[2]:totable())
    local predicted = model:predict({ x, y }, { verbose = 0 })
    for k = 1, 2 do
      local difference = (predicted[k] - outputs[k]):abs():max():item()
      assert.is_true(difference < 1e-6, "output " .. k)
    end
  end)

  it("is a layer in another model, with shared weights", function()
    local x = cdl.Input { 4 }
    local y = cdl.Input { 3 }
    local outputs = model(x, y)
    local outer = cdl.Model { inputs = { x, y }, outputs = layers.Dense(1)(outputs[1]) }
    assert.are.equal(#model.weights + 2, #outer.weights)
    assert.are.same({ -1, 1 }, outer.output_shape)
  end)

  it("can end at inner tensors", function()
    local inner = cdl.Model { inputs = b, outputs = right }
    local y = cdl.ones { 2, 3 }
    assert.are.same(shared(y):totable(), inner(y):totable())
  end)

  it("refuses a disconnected graph and wrong shapes", function()
    local c = cdl.Input { 2 }
    assert.matches("not among the inputs", message(cdl.Model, { inputs = c, outputs = left }))
    assert.matches("input 'a' has shape {%?, 4}, got data of shape {5, 9}",
      message(model, cdl.ones { 5, 9 }, cdl.ones { 5, 3 }))
    assert.matches("there is no 'z'", message(model, { a = cdl.ones { 1, 4 }, z = cdl.ones { 1, 3 } }))
    assert.matches("wanted a symbolic tensor", message(cdl.Model, { inputs = c, outputs = 3 }))
    assert.matches("option of fit", message(cdl.Model, (function()
      local x = cdl.Input { shape = { 2 }, name = "verbose" }
      return { inputs = x, outputs = layers.Dense(1)(x) }
    end)()))
  end)
end)

describe("unknown sizes", function()
  it("stay unknown where they matter, and are replayed", function()
    local x = cdl.Input { -1, 2 }
    local y = (x * 2):sum(2)
    assert.are.same({ -1, -1, 2 }, x.shape)
    assert.are.same({ -1, 2 }, y.shape)
    assert.are.same({ -1, 4 }, cdl.concat({ y, y }, 2).shape)
    local model = cdl.Model { inputs = x, outputs = y }
    assert.are.same({ { 6, 6 } }, model(cdl.ones { 1, 3, 2 }):totable())
    assert.are.same({ { 2, 2 } }, model(cdl.ones { 1, 1, 2 }):totable())
    assert.matches("write {%-1} for an unknown length", message(cdl.Input, {}))
  end)
end)

describe("custom layers", function()
  local Scale = cdl.Layer:extend "Scale"
  function Scale:build(input_shape)
    self.gamma = self:add_weight { name = "gamma", shape = { input_shape[#input_shape] }, initializer = "ones" }
  end
  function Scale:call(x, training, mask)
    assert(type(training) == "boolean" and mask == nil)
    return x * self.gamma
  end

  it("have weights, build once, and compute alike in every way", function()
    local scale = Scale()
    local x = cdl.tensor { { 1, 2 }, { 3, 4 } }
    assert.are.same(x:totable(), scale(x):totable())
    scale.gamma:assign { 2, 3 }
    assert.are.same({ { 2, 6 }, { 6, 12 } }, scale(x):totable())
    local model = cdl.Sequential { scale }
    assert.are.same({ { 2, 6 }, { 6, 12 } }, model:predict(x, { verbose = 0 }):totable())
    assert.matches("^scale", scale.name)
    assert.are.equal(1, #scale.weights)
  end)

  it("find the layers stored in them, in order, also in lists", function()
    local Block = cdl.Layer:extend "Block"
    function Block:init(args)
      self.first = layers.Dense(args.units)
      self.rest = {}
      for i = 1, 2 do self.rest[i] = layers.Dense(args.units + i) end
    end
    function Block:call(x)
      x = self.first(x)
      for _, layer in ipairs(self.rest) do x = layer(x) end
      return x
    end
    local block = Block { units = 2 }
    assert.are.same({ 1, 4 }, block(cdl.ones { 1, 3 }).shape)
    assert.are.same({ "3x2", "2", "2x3", "3", "3x4", "4" }, sizes(block.weights))
    block.first.trainable = false
    assert.are.equal(4, #block.trainable_weights)
    assert.are.equal(2, #block.non_trainable_weights)
    block.trainable = false
    assert.are.equal(0, #block.trainable_weights)
  end)

  it("of models name the outputs of a dict by its keys", function()
    local Two = cdl.Model:extend "Two"
    function Two:call(x) return { p = x, q = x * 2 } end
    local x = cdl.tensor { { 1 }, { 3 } }
    local function logs(loss, y, weights)
      local model = Two {}
      model:compile { loss = loss, metrics = { q = { "mae" } } }
      return model:evaluate(x, y, { verbose = 0, return_dict = true, sample_weight = weights })
    end
    assert.are.same({ loss = 7, p_loss = 5, q_loss = 2, q_mae = 2 },
      logs({ p = "mse", q = "mae" }, { p = x * 2, q = x }))
    assert.are.same({ loss = 2, q_mae = 2 }, logs({ q = "mae" }, { q = x }))
    assert.are.same({ loss = 2, p_loss = 0, q_loss = 2, q_mae = 2 },
      logs({ p = "mse", q = "mae" }, { p = x * 2, q = x }, { p = { 0, 0 }, q = { 1, 1 } }))
    assert.matches("the loss of output 'p' wants labels", message(logs, { p = "mse" }, { q = x }))
  end)

  it("of models with a step alone may be made from inputs and outputs", function()
    local Own = cdl.Model:extend "Own"
    function Own:init(args) self.factor = args.factor end
    function Own:train_step(x, y)
      local loss = ((self(x, true) - y) ^ 2):mean() * self.factor
      self.optimizer:apply(cdl.gradients(loss, self.trainable_weights), self.trainable_weights)
      return { own = loss }
    end
    local x = cdl.Input { 2 }
    local model = Own { inputs = x, outputs = layers.Dense { 1, kernel_initializer = "zeros" }(x), factor = 2 }
    model:compile { optimizer = cdl.optimizers.SGD(0.1), loss = "mse" }
    assert.are.same({ own = { 2 } }, model:fit(cdl.ones { 4, 2 }, cdl.ones { 4, 1 }, { verbose = 0 }).history)
    assert.near(0.4, model:get_weights()[2]:item(), 1e-6)
    assert.are.same({ -1, 1 }, Own(x, layers.Dense(1)(x)).output_shape)
  end)

  it("of models give several values as several outputs", function()
    local Pair = cdl.Model:extend "Pair"
    function Pair:call(x) return x, x * 2 end
    local x, model = cdl.tensor { { 1 }, { 3 } }, Pair {}
    model:compile { loss = "mse" }
    assert.are.same({ loss = 5, output_1_loss = 0, output_2_loss = 5 },
      model:evaluate(x, { x, x }, { verbose = 0, return_dict = true }))
    assert.are.same({ { 2 }, { 6 } }, model:predict(x, { verbose = 0 })[2]:totable())
    assert.matches("model 'pair.*' has no input: its call is Lua code", message(function() return model.input end))
  end)

  it("of models want names for what an own step returns", function()
    local Own = cdl.Model:extend "Own"
    function Own:train_step(x) return { x:mean() } end
    assert.matches("a step returns a dict of scalars for the logs: {loss = loss}; its entry 1 has no name",
      message(function() Own {}:fit(cdl.ones { 2, 1 }, { verbose = 0 }) end), 1, true)
  end)

  it("may hold the model they are in, and themselves", function()
    local Net = cdl.Model:extend "Net"
    function Net:init() self.dense = layers.Dense { 2, input_shape = { 3 } } self.me, self.dense.owner = self, self end
    function Net:call(x) return self.dense(x) end
    local net = Net {}
    net(cdl.ones { 1, 3 })
    assert.are.same({ "3x2", "2" }, sizes(net.weights))
    net.trainable = false
    assert.are.equal(0, #net.trainable_weights)
    assert.are.equal(2, #net.dense.non_trainable_weights)
  end)

  it("read their arguments by a signature", function()
    local Add = cdl.Layer:extend "Add"
    Add.signature = { { "amount", "number", 1, doc = "added" } }
    function Add:init(args) self.amount = args.amount end
    function Add:call(x) return x + self.amount end
    assert.are.same({ 3 }, Add { 2 }(cdl.ones { 1 }):totable())
    assert.are.same({ 2 }, Add()(cdl.ones { 1 }):totable())
    assert.matches("unknown argument 'amuont' %(did you mean 'amount'%?%)", message(Add, { amuont = 3 }))
    assert.are.equal(2, Add { 2 }:get_config().amount)
  end)

  it("name the script's line when call fails, and stay usable", function()
    local Bad = cdl.Layer:extend "Bad"
    function Bad:call(x)
      if self.broken then return x:matmul(cdl.ones { 7, 7 }) end
      return x
    end
    local bad = Bad()
    bad.broken = true
    assert.matches("model_spec.lua:%d+: matmul", message(bad, cdl.ones { 1, 2 }))
    bad.broken = false
    assert.are.same({ { 1, 1 } }, bad(cdl.ones { 1, 2 }):totable())
  end)
end)

describe("built-in layers", function()
  it("Dense computes activation(x kernel + bias) on the last axis", function()
    local dense = layers.Dense { 2, activation = "relu", kernel_initializer = "ones", bias_initializer = "ones" }
    assert.are.same({ { { 4, 4 } }, { { 0, 0 } } }, dense(cdl.tensor { { { 1, 2 } }, { { -4, -5 } } }):totable())
    local plain = layers.Dense { 2, use_bias = false, kernel_initializer = "ones" }
    assert.are.same({ { 3, 3 } }, plain(cdl.tensor { { 1, 2 } }):totable())
    assert.are.same({ { 3, 3 } }, plain(cdl.tensor({ { 1, 2 } }, "uint8")):totable())
    assert.matches("built for inputs with last size 2", message(plain, cdl.ones { 1, 3 }))
    assert.matches("did you mean 'activation'", message(layers.Dense, { 2, actvation = "relu" }))
    assert.matches("units", message(layers.Dense))
  end)

  it("Flatten, Reshape, Activation and Lambda", function()
    assert.are.same({ 2, 6 }, layers.Flatten()(cdl.ones { 2, 3, 2 }).shape)
    assert.are.same({ 2, 1 }, layers.Flatten()(cdl.ones { 2 }).shape)
    assert.are.same({ 2, 3, 2 }, layers.Reshape { 3, -1 }(cdl.ones { 2, 6 }).shape)
    assert.are.same({ 0, 2 }, layers.Activation "relu"(cdl.tensor { -1, 2 }):totable())
    assert.are.same({ 2 }, layers.Lambda(function(x) return x + 1 end)(cdl.ones { 1 }):totable())
    local scaled = layers.Lambda(function(x, _, _, given) return x * given.by end, { arguments = { by = 3 } })
    assert.are.same({ 3 }, scaled(cdl.ones { 1 }):totable())
    local masked = layers.Lambda { f = function(x) return x end, mask = function(x) return x:gt(1) end }
    assert.are.same({ false, true }, masked(cdl.tensor { 1, 2 }).mask:totable())
    assert.matches("layer 'lambda[_%d]*': output_shape says {%-1, 3}, the function returned .*{2, 4}",
      message(function() layers.Lambda(function(x) return x end, { output_shape = { 3 } })(cdl.ones { 2, 4 }) end))
  end)

  it("Dropout zeroes at its rate while training, and passes on else", function()
    local dropout = layers.Dropout(0.25)
    local x = cdl.ones { 100, 100 }
    assert.are.same(x:totable(), dropout(x):totable())
    local y = dropout(x, true)
    local zeros = y:eq(0):sum():item()
    assert.is_true(zeros > 2200 and zeros < 2800, tostring(zeros))
    assert.is_true(math.abs(y:max():item() - 1 / 0.75) < 1e-6)
    local rows = layers.Dropout { 0.5, noise_shape = { -1, 1 } }(x, true)
    assert.are.same(rows[{ {}, 1 }]:totable(), rows[{ {}, 100 }]:totable())
  end)

  it("BatchNormalization uses the batch while training and moving averages else", function()
    local layer = layers.BatchNormalization { momentum = 0.5, epsilon = 0 }
    local x = cdl.tensor { { 1, 10 }, { 3, 30 } }
    assert.are.same({ { -1, -1 }, { 1, 1 } }, layer(x, true):totable())
    assert.are.same({ 1, 10 }, layer.moving_mean:totable())
    assert.are.same({ 1, 50.5 }, layer.moving_variance:totable())
    assert.are.equal(4, #layer.weights)
    assert.are.equal(2, #layer.trainable_weights)
    local y = layer(x):totable()
    assert.is_true(math.abs(y[1][1]) < 1e-6 and math.abs(y[2][1] - 2) < 1e-6)
    layer.trainable = false
    assert.are.same(y, layer(x, true):totable())
  end)
end)

describe("weights", function()
  local folder = os.tmpname()
  os.remove(folder)

  it("go out as copies and come in as copies", function()
    local dense = layers.Dense { 2, input_shape = { 2 } }
    local model = cdl.Sequential { dense }
    local weights = model:get_weights()
    weights[1]:fill(7)
    assert.are_not.same(weights[1]:totable(), dense.kernel:totable())
    model:set_weights(weights)
    assert.are.same({ { 7, 7 }, { 7, 7 } }, dense.kernel:totable())
    local again = model:get_weights(weights)
    assert.are.equal(weights[1], again[1])
    assert.are.same({ { 7, 7 }, { 7, 7 } }, again[1]:totable())
    dense.kernel:assign { { 1, 2 }, { 3, 4 } }
    assert.are.same({ { 1, 2 }, { 3, 4 } }, model:get_weights(again)[1]:totable())
    assert.are_not.equal(weights[2], model:get_weights { "x", weights[1] }[2])
    dense.kernel:assign { { 7, 7 }, { 7, 7 } }
    assert.matches("has 2 weights", message(model.set_weights, model, { weights[1] }))
    assert.matches("shape {2, 2}", message(model.set_weights, model, { weights[2], weights[2] }))
    assert.are.same({ { 7, 7 }, { 7, 7 } }, dense.kernel:totable())
  end)

  local function test_round_trip(suffix)
    local path = folder .. suffix
    local function make() return cdl.Sequential { layers.Dense { 3, input_shape = { 2 } }, layers.Dense(1) } end
    local first, second = make(), make()
    first:save_weights(path)
    second:load_weights(path)
    for k, w in ipairs(first:get_weights()) do
      assert.are.same(w:totable(), second:get_weights()[k]:totable())
    end
    local other = cdl.Sequential { layers.Dense { 4, input_shape = { 2 } }, layers.Dense(1) }
    local before = other:get_weights()[4]:totable()
    assert.matches("skip_mismatch", message(other.load_weights, other, path))
    assert.are.same(before, other:get_weights()[4]:totable())
    assert.matches("holds 4 arrays", message(function()
      cdl.Sequential { layers.Dense { 3, input_shape = { 2 } } }:load_weights(path)
    end))
    assert.matches("npz", message(first.save_weights, first, "weights.txt"))
    os.remove(path)
  end

  it("round-trip through .npz, by name and by place", function() test_round_trip ".npz" end)
  it("round-trip through .safetensors, by name and by place", function() test_round_trip ".safetensors" end)
end)

describe("summary", function()
  it("shows layers, shapes and numbers of weights", function()
    local text
    local model = cdl.Sequential { layers.Dense { 512, input_shape = { 784 }, name = "hidden" }, layers.Dense(10) }
    model:summary { print_fn = function(s) text = s end }
    assert.matches("hidden %(Dense%)", text)
    assert.matches("{%?, 512}", text)
    assert.matches("401,920", text)
    assert.matches("Total params: 407,050", text)
    cdl.Sequential { layers.Dense(2) }:summary { print_fn = function(s) text = s end }
    assert.matches("%?", text)
  end)
end)

describe("variables and functions", function()
  it("see assignments in program order, and all or nothing", function()
    local v = cdl.Variable({ 1, 2 }, { name = "v" })
    local step = cdl.jit(function(a)
      local before = v:value()
      v:assign(v + a)
      local between = v * 1
      v:assign_sub(1)
      return before, between, v:value()
    end)
    local before, between, after = step(cdl.tensor { 10, 10 })
    assert.are.same({ 1, 2 }, before:totable())
    assert.are.same({ 11, 12 }, between:totable())
    assert.are.same({ 10, 11 }, after:totable())
    assert.are.same({ 10, 11 }, v:totable())
    local bad = cdl.jit(function(a, i)
      v:assign(v * 0)
      return a:gather(i, 1)
    end)
    assert.matches("out of range", message(bad, cdl.ones { 2 }, cdl.tensor({ 5 }, "int64")))
    assert.are.same({ 10, 11 }, v:totable())
  end)

  it("swap two variables", function()
    local a, b = cdl.Variable(1, { name = "a" }), cdl.Variable(2, { name = "b" })
    cdl.jit(function(x)
      local old = a:value()
      a:assign(b)
      b:assign(old)
      return x
    end)(cdl.ones { 1 })
    assert.are.equal(2, a:item())
    assert.are.equal(1, b:item())
    assert.matches("shape {}", message(a.assign, a, { 1, 2 }))
  end)

  it("capture eager tensors by reference and bake numbers in", function()
    local scale, number = cdl.tensor { 2 }, 3
    local f = cdl.jit(function(x) return x * scale * number end)
    assert.are.same({ 6 }, f(cdl.ones { 1 }):totable())
    scale[1], number = 5, 100
    assert.are.same({ 15 }, f(cdl.ones { 1 }):totable())
  end)

  it("give gradients of any order", function()
    local cube = function(x) return (x ^ 3):sum() end
    local x = cdl.tensor { 1, 2 }
    assert.are.same({ 3, 12 }, cdl.grad(cube)(x):totable())
    local second = cdl.grad(function(u) return cdl.grad(cube)(u):sum() end)
    assert.are.same({ 6, 12 }, second(x):totable())
    local value, gradient = cdl.value_and_grad(cube)(x)
    assert.are.equal(9, value:item())
    assert.are.same({ 3, 12 }, gradient:totable())
    local a, b = cdl.grad(function(u, w) return u * w end, { 1, 2 })(x, x + 1)
    assert.are.same({ 2, 3 }, a:totable())
    assert.are.same({ 1, 2 }, b:totable())
    assert.matches("cdl.grad", message(cdl.gradients, x, x))
  end)

  it("compile symbolic graphs with updates and gradients", function()
    local x = cdl.Input { shape = { 2 }, name = "x" }
    local total = cdl.Variable(0, { name = "total" })
    local y = (x * x):sum()
    local f = cdl.Function { inputs = { x }, outputs = { y, cdl.gradients(y, x) }, updates = { { total, total + y } } }
    local value, gradient = f(cdl.tensor { { 1, 2 } })
    assert.are.equal(5, value:item())
    assert.are.same({ { 2, 4 } }, gradient:totable())
    f(cdl.tensor { { 1, 2 } })
    assert.are.equal(10, total:item())
    assert.matches("wants 1 tensors, got 2", message(f, x, x))
  end)

  it("raise for a traced tensor kept after its trace", function()
    local kept
    cdl.jit(function(x)
      kept = x
      return x
    end)(cdl.ones { 1 })
    assert.matches("finished trace", message(function() return kept + 1 end))
    assert.matches("only while the step runs", message(cdl.jit(function(x) return x:item() end), cdl.ones { 1 }))
  end)
end)
