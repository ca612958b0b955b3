-- What the description of the Lua API promises in sections 1 to 3, sentence by sentence and in its
-- order. Functions with values of their own are in ops_spec.lua, layers in model_spec.lua.
local cdl = require "cdl"
local close = require "close"
local layers = cdl.layers

local t = cdl.tensor
local QUIET = { verbose = 0 }

-- The message of the error that f(...) raises.
local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok, "an error was expected")
  return text
end

-- The line of this file on which f begins, as errors name it, plus `offset`.
local function line_of(f, offset)
  return ("api_spec.lua:%d: "):format(debug.getinfo(f, "S").linedefined + (offset or 0))
end

-- f raises, and blames the line `offset` below its own first one.
local function blames(f, offset, pattern)
  local text = message(f)
  assert.are.equal("string", type(text))
  assert.is_truthy(text:find(line_of(f, offset), 1, true), text)
  if pattern then assert.matches(pattern, text) end
end

-- Eager, traced and symbolic values of f(x), which are the same.
local function three_ways(f, x)
  local input = cdl.Input { batch_shape = x.shape, dtype = x.dtype }
  local eager, traced = f(x), cdl.jit(f)(x)
  local symbolic = cdl.Function { inputs = { input }, outputs = { f(input) } }(x)
  if not cdl.is_tensor(eager) then eager = t(eager, x.dtype) end
  for _, other in ipairs { traced, symbolic } do
    assert.are.equal(eager.dtype, other.dtype)
    assert.are.same(eager.shape, other.shape)
    assert.are.same(eager:totable(), other:totable())
  end
  return eager
end

describe("1.1 arguments", function()
  it("of the data kind are the whole table", function()
    assert.matches("has the key 'dtype'.*second argument", message(t, { 1, 2, dtype = "int32" }))
    assert.matches("has the key 'x' at %[1%]", message(t, { { 1, x = 2 } }))
    assert.matches("a tensor %(stack joins tensors%) at %[1%]", message(t, { t { 1 } }))
  end)

  it("in one table are positional behind a tensor, a tensor when they are numbers", function()
    local x = t { { 1, 2 }, { 3, 4 } }
    assert.are.same({ 1, 2, 3, 4 }, cdl.reshape({ x, { 4 } }):totable())
    assert.are.same({ { 7, 10 }, { 15, 22 } }, cdl.matmul({ x, x }):totable())
    assert.are.same({ { 0, 2 }, { 3, 4 } }, cdl.where({ x:gt(1), x, 0 }):totable())
    assert.are.same({ 4, 6 }, cdl.sum({ x, axis = 1 }):totable())
    assert.are.same({ -1, 2 }, cdl.reshape({ cdl.Input { 1, 2 }, { -1, 2 } }).shape)
    assert.are.equal(6, cdl.sum({ 1, 2, 3 }):item())
    assert.are.same({ { true, false }, { true, false } }, x:eq({ { 1, 0 }, { 3, 0 } }):totable())
  end)

  it("are checked where an object is made", function()
    assert.matches("unknown initializer 'glort'", message(layers.Dense, { 1, kernel_initializer = "glort" }))
    assert.matches("unknown regularizer 'l3'", message(layers.Dense, { 1, bias_regularizer = "l3" }))
    assert.matches("unknown constraint 'maxnorn'", message(layers.Dense, { 1, kernel_constraint = "maxnorn" }))
    local model = cdl.Sequential { layers.Dense(1) }
    assert.matches("a name, a function or an object, got 5", message(model.compile, model,
      { loss = "mse", metrics = { 5 } }))
  end)

  it("of a layer of one input are one tensor", function()
    local x = cdl.ones { 2, 3 }
    assert.matches("layer 'd' takes one tensor, got 2", message(layers.Dense { 1, name = "d" }, x, x))
    assert.are.same({ 2, 1 }, layers.Dense(1) { x }.shape)
  end)
end)

describe("1.2 places", function()
  it("in subscripts are integers, not text that reads like one", function()
    local x = cdl.zeros { 2, 3 }
    assert.matches('must be an integer, got "1"', message(function() return x[{ "1" }] end))
    assert.matches('must be an integer, got "2"', message(function() return x[{ { 1, "2" } }] end))
    assert.matches("shape {%?, 3} %(1 to %?", message(function() return cdl.Input { 3 }[0] end))
  end)
end)

describe("1.3 dtypes", function()
  it("of numbers wrap into an integer dtype, eager as traced", function()
    local bytes = t({ 1, 255 }, "uint8")
    assert.are.same({ 1, 255 }, three_ways(function(x) return x + 256 end, bytes):totable())
    assert.are.same({ 0, 254 }, three_ways(function(x) return x + -1 end, bytes):totable())
    assert.are.same({ 232, 24 }, three_ways(function(x) return x * 1000 end, bytes):totable())
    assert.are.same({ 255, 1 }, three_ways(function(x) return 0 - x end, bytes):totable())
    local top = t({ 2 ^ 31 - 1 }, "int32")
    assert.are.same({ -2 ^ 31 | 0 }, three_ways(function(x) return x + 1 end, top):totable())
    assert.are.same({ -2 }, three_ways(function(x) return x * 2 end, top):totable())
    assert.are.same({ math.mininteger }, three_ways(function(x) return x + 1 end,
      t({ math.maxinteger }, "int64")):totable())
  end)

  it("of numbers stop at the ends, compare and divide rightly", function()
    local bytes = t({ 1, 255 }, "uint8")
    assert.are.same({ 1, 255 }, three_ways(function(x) return x:minimum(300) end, bytes):totable())
    assert.are.same({ 1, 255 }, three_ways(function(x) return x:maximum(-5) end, bytes):totable())
    assert.are.same({ true, true }, three_ways(function(x) return x:lt(256) end, bytes):totable())
    assert.matches("256 does not fit in dtype uint8", message(function() return bytes // 256 end))
    assert.matches("not an integer", message(function() return bytes:gather(0.5, 1) end))
  end)

  it("keep large integers exactly", function()
    local odd = (1 << 53) + 1
    assert.are.same({ odd }, three_ways(function(x) return x + odd end, t({ 0 }, "int64")):totable())
    assert.are.equal(math.maxinteger, cdl.full({ 1 }, math.maxinteger, "int64")[1])
    local x = cdl.zeros({ 1 }, "int64")
    x[1] = math.maxinteger
    assert.are.equal(math.maxinteger, x[1])
  end)

  it("of matrix products keep integers", function()
    local big = t({ { 2 ^ 20, 1 }, { 3, 4 } }, "int64")
    local square = three_ways(function(x) return x:matmul(x) end, big)
    assert.are.same({ { (1 << 40) + 3, (1 << 20) + 4 }, { 3 * (1 << 20) + 12, 19 } }, square:totable())
    assert.are.equal("uint8", (t({ { 1 } }, "uint8"):dot(t({ { 2 } }, "uint8"))).dtype)
    assert.are.equal("int32", cdl.einsum("i,i->", t({ 1 }, "int32"), t({ 2 }, "uint8")).dtype)
    assert.are.equal("float32", t({ { 1 } }, "int32"):matmul(t { { 2 } }).dtype)
  end)

  it("of clip follow the fraction of a bound", function()
    local x = t({ -3, 3 }, "int32")
    assert.are.equal("int32", three_ways(function(v) return v:clip(-1, 1) end, x).dtype)
    assert.are.same({ -0.5, 0.5 }, three_ways(function(v) return v:clip(-0.5, 0.5) end, x):totable())
  end)

  it("refuse what an integer tensor or variable cannot hold", function()
    assert.matches("1.5 does not fit in dtype int32 at element 2", message(t, t { 1, 1.5 }, "int32"))
    assert.matches("300 does not fit in dtype uint8", message(t, t { 300 }, "uint8"))
    local counter = cdl.Variable({ 1, 2 }, { dtype = "int32", name = "counter" })
    assert.matches("1.5 does not fit", message(counter.assign, counter, { 1.5, 2 }))
    assert.matches("'counter': 0.5 does not fit", message(counter.assign, counter, 0.5))
    assert.matches("1.5 does not fit", message(counter.assign_add, counter, 0.5))
    assert.are.same({ 1, 2 }, counter:value():totable())
    assert.are.same({ 2, 3 }, counter:assign_add(1):totable())
  end)
end)

describe("1.4 errors", function()
  local x, y = cdl.ones { 4, 3 }, cdl.ones { 4, 1 }
  local function model_of(...)
    local model = cdl.Sequential { ... }
    model:compile { loss = "mse" }
    return model
  end

  it("blame the line of the script for every misuse of a function", function()
    blames(function() local _ = cdl.arange(1, math.huge) end, 0, "no finite number")
    blames(function() local _ = cdl.arange(1, 0 / 0) end, 0, "no finite number")
    blames(function() local _ = cdl.tensordot(x, y, { { 1 } }) end, 0, "axes must be")
    blames(function() local _ = cdl.tensordot(x, y, 5) end, 0, "axes must be a number of axes, at most 2")
    blames(function() local _ = cdl.gather(3, 1) end, 0, "axis 1 is out of range")
    blames(function() x[1] = nil end, 0, "can be assigned to a tensor, got nil")
    blames(function() x[{ 1, 1 }] = "1" end, 0, "can be assigned to a tensor, got string")
    blames(function() local _ = x + layers.Dense(2) end, 0, "tensor expected, got Dense")
    blames(function() cdl.metrics.MeanSquaredError {}:update_state() end, 0, "got nil")
    blames(function() cdl.Variable(1).trainable = 3 end, 0, "true or false, got 3")
    blames(function() cdl.ones { 2 }.mask = 5 end, 0, "a mask is a bool tensor or nil, got 5")
    blames(function() model_of(layers.Dense(1)).fit(x, y) end, 0, "fit: is a method, called with a colon")
    blames(function() model_of(layers.Dense(1)).compile { loss = "mse" } end, 0, "called with a colon")
    blames(function() local _ = cdl.Input { 3 }:item() end, 0, "the tensor is symbolic")
  end)

  it("prefer the script's own call to the line that made the layer", function()
    local line
    local Inner = cdl.Layer:extend "BlamedInner"
    function Inner:call(v)
      line = debug.getinfo(1, "l").currentline + 1
      local wrong = v + cdl.zeros { 7 }
      return wrong
    end
    local model = model_of(layers.Dense(2), Inner {})
    local text = message(model.fit, model, x, y, QUIET)
    assert.is_truthy(text:find(("api_spec.lua:%d: "):format(line), 1, true), text)
    local made = debug.getinfo(1, "l").currentline + 1
    model = model_of(layers.Dense(2), layers.Reshape { 7 })
    text = message(model.fit, model, x, y, QUIET)
    assert.is_truthy(text:find(("api_spec.lua:%d: "):format(made), 1, true), text)
  end)

  it("name unknown sizes as such", function()
    local a, b = cdl.Input { 3 }, cdl.Input { 4 }
    assert.matches("shapes {%?, 3} and {%?, 4} do not broadcast", message(function() return a + b end))
    local Wrong = cdl.Layer:extend "Wrong"
    function Wrong:call(v) return v:reshape { 7 } end
    assert.matches("shape {%?, 3} has %? %* 3 elements", message(function() return Wrong {}(a) end))
  end)

  it("in call, loss, metric and optimizer blame the line inside", function()
    local line
    local function wrong(_, p)
      line = debug.getinfo(1, "l").currentline + 1
      local product = p:matmul(p)
      return product
    end
    local function check(text)
      assert.is_truthy(text:find(("api_spec.lua:%d: "):format(line), 1, true), text)
    end
    local model = model_of(layers.Dense(1))
    model:compile { loss = wrong }
    check(message(model.fit, model, x, y, QUIET))
    model:compile { loss = "mse", metrics = { wrong } }
    check(message(model.fit, model, x, y, QUIET))
    local Broken = cdl.Optimizer:extend "Broken"
    function Broken:update_step(gradient) wrong(nil, gradient) end
    model:compile { loss = "mse", optimizer = Broken { learning_rate = 0.1 } }
    check(message(model.fit, model, x, y, QUIET))
    local Layer = cdl.Layer:extend "BrokenLayer"
    function Layer:call(v) return wrong(nil, v) end
    local other = model_of(Layer {})
    check(message(other.fit, other, x, y, QUIET))
    model:compile { loss = function() return model:fit(x, y, QUIET).history.loss[1] end }
    assert.matches("its step is being traced", message(model.fit, model, x, y, QUIET))
    model:compile { loss = "mse" }
    assert.are.equal("completed", model:fit(x, y, QUIET).stop_reason)
  end)

  it("of labels name the loss; of kernels the line of the operation", function()
    local model = cdl.Sequential { layers.Dense { 3, activation = "softmax" } }
    model:compile { loss = "sparse_categorical_crossentropy" }
    local text = message(model.evaluate, model, x, t({ 0, 1, 7, 2 }, "int64"), QUIET)
    assert.matches("label 7 at row 3 is out of range for 3 classes", text)
    assert.matches("loss 'sparse_categorical_crossentropy'", text)
    local line
    local gathered = model_of(layers.Lambda(function(v)
      line = debug.getinfo(1, "l").currentline + 1
      local picked = cdl.arange(1, 2):gather(v:sum(2):astype "int64", 1)
      return picked:reshape { -1, 1 }
    end), layers.Dense(1))
    text = message(gathered.predict, gathered, x, QUIET)
    assert.is_truthy(text:find(("api_spec.lua:%d: gather: index 3"):format(line), 1, true), text)
  end)

  it("in coroutines, callbacks of Lua and code from strings find their line", function()
    blames(function() coroutine.wrap(function() local _ = cdl.zeros { 3.5 } end)() end, 0)
    blames(function() ("a"):gsub(".", function() local _ = cdl.zeros { 3.5 } end) end, 0)
    local chunk = load("local cdl = ...\nlocal _ = cdl.zeros { 3.5 }", "=typed")
    assert.matches("^typed:2: ", message(chunk, cdl))
  end)

  it("of a loss without gradient say so", function()
    local model = model_of(layers.Dense(1))
    model:compile { loss = function() return 3 end }
    assert.matches("depends on no trainable weight", message(model.fit, model, x, y, QUIET))
    model:compile { loss = function(_, p) return p:gt(0) end }
    assert.matches("depends on no trainable weight", message(model.fit, model, x, y, QUIET))
  end)
end)

describe("2 tensors", function()
  it("that are no views are new", function()
    local x = cdl.zeros { 1, 2 }
    for _, f in ipairs { cdl.ops.contiguous, cdl.ops.copy, cdl.ops.flip,
      function(v) return v:tile { 1, 1 } end, function(v) return v:astype "float32" end,
      function(v) return v:repeat_(1, 1) end, function(v) return v:pad { { 0, 0 }, { 0, 0 } } end,
      function(v) return cdl.einsum("ij->ij", v) end, function(v) return v:roll(0) end,
      function(v) return v:gather({ 0 }, 1) end, function(v) return cdl.concat({ v }, 1) end } do
      f(x):fill(1)
      assert.are.same({ { 0, 0 } }, x:totable())
    end
  end)

  it("are subscripted alike in all three kinds", function()
    local x = cdl.arange(1, 12):reshape { 3, 4 }
    local function check(want, key)
      assert.are.same(want, three_ways(function(v) return v[key] end, x):totable())
    end
    check({ 9, 10, 11, 12 }, -1)
    check(7, { 2, 3 })
    check({ { 4, 2 }, { 8, 6 }, { 12, 10 } }, { {}, { 4, 1, -2 } })
    check({ 6, 10 }, { { 2 }, 2 })
    check({}, { { 3, 2 } })
    check({ { 4, 3, 2, 1 } }, { { 1, 1 }, { nil, nil, -1 } })
  end)

  it("of unknown size keep their axes in squeeze, also for a batch of one", function()
    local input = cdl.Input { 1, 3 }
    local squeezed = input:squeeze()
    assert.are.same({ -1, 3 }, squeezed.shape)
    local f = cdl.Function { inputs = { input }, outputs = { squeezed } }
    assert.are.same({ 1, 3 }, f(cdl.ones { 1, 1, 3 }).shape)
    assert.are.same({ 2, 3 }, f(cdl.ones { 2, 1, 3 }).shape)
  end)

  it("have diagonals in einsum", function()
    local x = cdl.arange(1, 9):reshape { 3, 3 }
    assert.are.equal(15, three_ways(function(v) return cdl.einsum("ii", v) end, x):item())
    assert.are.same({ 1, 5, 9 }, three_ways(function(v) return cdl.einsum("ii->i", v) end, x):totable())
    local cube = cdl.arange(1, 8):reshape { 2, 2, 2 }
    assert.are.equal(9, cdl.einsum("iii", cube):item())
    assert.are.same({ { 1, 3 }, { 6, 8 } }, cdl.einsum("iji->ij", cube):totable())
    assert.matches("stands twice", message(cdl.einsum, "i->ii", t { 1 }))
    assert.matches("'i' is 2 on one axis and 3 on another", message(cdl.einsum, "ii", cdl.ones { 2, 3 }))
  end)

  it("read by a traced function are captured by reference, numbers are baked in", function()
    local factor, offset, scale = t { 2 }, cdl.Variable { 1 }, 10
    local f = cdl.jit(function(x) return x * factor * scale + offset end)
    assert.are.same({ 21 }, f(t { 1 }):totable())
    factor[1], scale = 3, 100
    offset:assign { 5 }
    assert.are.same({ 35 }, f(t { 1 }):totable())
    assert.are.same({ 305, 305 }, f(t { 1, 1 }):totable())
  end)
end)

describe("2.2 functions", function()
  it("give lists and dicts as they return them", function()
    local f = cdl.jit(function(x)
      local y = x * x
      return y, cdl.gradients((y * y):sum(), { x, y }), { half = x / 2 }
    end)
    local y, gradients, named = f(t { 1, 2 })
    assert.are.same({ 1, 4 }, y:totable())
    assert.are.same({ 4, 32 }, gradients[1]:totable())
    assert.are.same({ 2, 8 }, gradients[2]:totable())
    assert.are.same({ 0.5, 1 }, named.half:totable())
  end)

  it("differentiate with respect to eager tensors that a trace reads", function()
    local outside = t { 5, 6 }
    local function square(a) return (a * a):sum() end
    local f = cdl.jit(function(x)
      local inside = cdl.ones { 2 }
      return cdl.gradients((x * outside):sum(), outside), cdl.grad(square)(outside), cdl.grad(square)(inside),
        cdl.grad(square)(3)
    end)
    local captured, of_outside, of_inside, of_number = f(t { 1, 2 })
    assert.are.same({ 1, 2 }, captured:totable())
    assert.are.same({ 10, 12 }, of_outside:totable())
    assert.are.same({ 2, 2 }, of_inside:totable())
    assert.are.equal(6, of_number:item())
  end)

  it("of symbols update variables; outputs and updates see them as before the call", function()
    local x = cdl.Input { 1 }
    local a, b, total = cdl.Variable(1.0), cdl.Variable(2.0), cdl.Variable(0.0)
    local f = cdl.Function { inputs = { x }, outputs = { total, x * 2 },
      updates = { { a, b }, { b, a }, { total, total + x:sum() } } }
    assert.are.equal(0, (f { { 5 } }):item())
    assert.are.equal(5, (f { { 5 } }):item())
    assert.are.same({ 1, 2, 10 }, { a:item(), b:item(), total:item() })
    assert.matches("update 1 is a float32 tensor {}.*computed at once", message(cdl.Function,
      { inputs = { x }, outputs = { x }, updates = { { a, a + 1 } } }))
    assert.matches("input 1 must be of shape {%?, 1}, got a float32 tensor {2}", message(f, t { 1, 2 }))
  end)

  it("take symbolic tensors, too", function()
    local x = cdl.Input { 2 }
    local y = cdl.jit(function(v) return v * 3 end)(x)
    assert.are.equal("symbolic", y.kind)
    assert.are.same({ -1, 2 }, y.shape)
    assert.are.same({ { 3, 6 } }, cdl.Function { inputs = { x }, outputs = { y } }({ { 1, 2 } }):totable())
  end)

  it("draw numbers of their own, which the seed repeats", function()
    local function draw() return cdl.random.uniform { shape = { 3 } } end
    local function run(f) return f():totable(), f():totable() end
    cdl.random.seed(5)
    local first, second = cdl.jit(draw), cdl.jit(draw)
    local a, b = run(first)
    assert.are_not.same(a, b)
    assert.are_not.same(a, (run(second)))
    cdl.random.seed(5)
    assert.are.same({ a, b }, { run(first) })
    cdl.random.seed(5)
    assert.are.same({ a, b }, { run(cdl.jit(draw)) })
  end)

  it("raise for a symbol on which y does not depend", function()
    local a, b = cdl.Input { 1 }, cdl.Input { 1 }
    blames(function() local _ = cdl.gradients(a * 2, b) end, 0, "no y depends on x number 1")
    local zero = cdl.gradients(a * 2, b, { unused = "zeros" })
    assert.are.same({ { 0 } }, cdl.Function { inputs = { a, b }, outputs = { zero } }({ { 1 } }, { { 2 } }):totable())
  end)
end)

describe("3 models", function()
  local x, y = cdl.random.normal { 8, 4 }, cdl.random.normal { 8, 1 }

  it("without a shape yet raise, with the hint, for what needs weights", function()
    local model = cdl.Sequential { layers.Dense(1) }
    assert.matches("has no weights yet: .*build{%-1", message(model.count_params, model))
    assert.matches("has no weights yet: .*build{%-1", message(model.set_weights, model, { 1, 2 }))
    assert.are.same({}, model:get_weights())
    assert.are.equal(0, layers.Dropout(0.5):count_params())
  end)

  it("give lists of their own, which may be changed", function()
    local model = cdl.Sequential { layers.Dense { 1, input_shape = { 4 } } }
    for _, list in ipairs { model.inputs, model.outputs, model.layers, model.weights, model.input_shape,
      model.output.shape, model.layers[1].output_shape } do
      for i = #list, 1, -1 do list[i] = nil end
    end
    assert.are.same({ -1, 4 }, model.input_shape)
    assert.are.same({ -1, 1 }, model.output.shape)
    assert.are.same({ 8, 1 }, model(x).shape)
    local Changes = cdl.Layer:extend "ChangesShape"
    function Changes:build(shape) table.remove(shape, 1) end
    local changed = cdl.Sequential { Changes {}, layers.Dense(1) }
    changed:build { -1, 4 }
    changed:add(layers.Dense(1))
    assert.are.same({ -1, 1 }, changed.output_shape)
    assert.is_false(changed.stop_training)
  end)

  it("inside models name their weights by the path once", function()
    local inner = cdl.Sequential { layers.Dense { 2, name = "d" }, name = "inner" }
    local outer = cdl.Sequential { inner, layers.Dense(1), name = "outer" }
    outer:build { -1, 4 }
    assert.are.equal("outer/inner/d/kernel", outer.weights[1].path)
  end)

  it("capture what is trainable when they are compiled", function()
    local model = cdl.Sequential { layers.Dense { 1, input_shape = { 4 } } }
    model:compile { loss = "mse", optimizer = "sgd" }
    model.layers[1].trainable = false
    local before = model.weights[1]:value():totable()
    model:fit(x, y, QUIET)
    assert.are_not.same(before, model.weights[1]:value():totable())
    model:compile { loss = "mse", optimizer = "sgd" }
    before = model.weights[1]:value():totable()
    model:fit(x, y, QUIET)
    assert.are.same(before, model.weights[1]:value():totable())
  end)

  it("take add_loss on symbolic tensors", function()
    local input = cdl.Input { 4 }
    local output = layers.Dense { 1, kernel_initializer = "ones" }(input)
    local model = cdl.Model { inputs = input, outputs = output }
    model:add_loss(output:square():mean())
    model:compile { optimizer = cdl.optimizers.SGD { learning_rate = 0 } }
    local want = x:sum(2):square():mean():item()
    close(want, model:fit(x, QUIET).history.loss[1], 1e-5)
    model:add_loss(input:sum() * 0 + 1)
    close(want + 1, model:evaluate(x, QUIET), 1e-5)
    local other = cdl.Input { 4 }
    assert.matches("not among the inputs", message(model.add_loss, model, other:sum()))
  end)

  it("log for evaluation what its own step returns", function()
    local Own = cdl.Model:extend "OwnTestStep"
    function Own:init() self.dense = layers.Dense(1) end
    function Own:call(v) return self.dense(v) end
    function Own:test_step(v, labels) return { error = (self(v) - labels):abs():mean() } end
    local model = Own {}
    model:compile { loss = "mse" }
    local history = model:fit(x, y, { verbose = 0, validation_data = { x, y } }).history
    local names = {}
    for name in pairs(history) do names[#names + 1] = name end
    table.sort(names)
    assert.are.same({ "loss", "val_error" }, names)
    assert.are.equal(history.val_error[1], model:evaluate(x, y, { verbose = 0, return_dict = true }).error)
  end)
end)

describe("3.1 masks", function()
  local Marks = cdl.Layer:extend "Marks"
  function Marks:compute_mask(x) return x:ne(0):any(-1) end
  local Drops = cdl.Layer:extend "Drops"
  local Passes = cdl.Layer:extend "Passes"
  Passes.supports_masking = true
  local Ends = cdl.Layer:extend "Ends"
  function Ends:compute_mask() return nil end

  local x = t { { { 1 }, { 0 }, { 2 } }, { { 0 }, { 0 }, { 3 } } }

  it("belong to what a layer returns, not to what it was given", function()
    local marked = Marks {}(x)
    assert.is_nil(x.mask)
    assert.are.same({ { true, false, true }, { false, false, true } }, marked.mask:totable())
    assert.is_nil(Drops {}(marked).mask)
    assert.is_nil(Ends {}(marked).mask)
    assert.are.same(marked.mask:totable(), Passes {}(marked).mask:totable())
    assert.is_truthy(marked.mask)
    local input = cdl.Input { -1, 1 }
    local symbolic = Marks {}(input)
    assert.are.same({ -1, -1 }, symbolic.mask.shape)
    assert.is_nil(Drops {}(symbolic).mask)
    assert.is_truthy(Passes {}(symbolic).mask)
  end)

  it("weigh losses and metrics", function()
    local model = cdl.Sequential { Marks {}, Passes {} }
    model:compile { loss = "mse", metrics = { "mae" } }
    local loss, error = model:evaluate(x, cdl.zeros { 2, 3, 1 }, QUIET)
    close((1 + 4 + 9) / 3, loss)
    close((1 + 2 + 3) / 3, error)
    model:compile { loss = function(labels, p) return (labels - p):square() end }
    close((1 + 4 + 9) / 3, (model:evaluate(x, cdl.zeros { 2, 3, 1 }, QUIET)))
  end)
end)
