-- Generators as data for fit, evaluate and predict.
local cdl = require "cdl"
local core = require "cdl.core"
local folder = require "folder"
local program = require "program"
local layers, optimizers = cdl.layers, cdl.optimizers

-- n samples of y = 2 x + 1.
local function line_data(n)
  local x, y = {}, {}
  for i = 1, n do
    x[i] = { i / n }
    y[i] = { 2 * i / n + 1 }
  end
  return cdl.tensor(x), cdl.tensor(y)
end

local function new_model(rate, metrics)
  local model = cdl.Sequential { layers.Dense { 1, use_bias = false, kernel_initializer = "zeros", input_shape = {1} } }
  model:compile { optimizer = optimizers.SGD { learning_rate = rate or 0.1 }, loss = "mse", metrics = metrics }
  return model
end

local function weight_of(model) return model:get_weights()[1]:item() end

local function quiet(options)
  options.verbose = 0
  return options
end

-- The batches of x and y, in order, `passes` times over with a nil after each.
local function pass_generator(x, y, size, passes)
  local at, pass, calls = 0, 0, { count = 0 }
  return function()
    calls.count = calls.count + 1
    if pass == passes then return nil end
    if at >= #x then
      at, pass = 0, pass + 1
      return nil
    end
    local rows = { { at + 1, math.min(at + size, #x) } }
    at = at + size
    return x[rows], y[rows]
  end, calls
end

local function endless(x, y, size)
  return coroutine.wrap(function()
    while true do
      for at = 1, #x, size do
        local rows = { { at, math.min(at + size - 1, #x) } }
        coroutine.yield(x[rows], y[rows])
      end
    end
  end)
end

local function problem_of(f, ...)
  local ok, problem = pcall(f, ...)
  assert.is_false(ok, "no error was raised")
  assert.is_string(problem)
  return problem
end

-- What a script writes to standard error.
local function errors_of(script)
  local status, output, errors = program.run({ "-" }, [[
    local cdl = require "cdl"
    local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = {1} } }
    model:compile { optimizer = "sgd", loss = "mse" }
    local x = cdl.ones { 4, 1 }
    local function ending(n)
      local i = 0
      return function()
        i = i + 1
        if i <= n then return x, x end
      end
    end
  ]] .. script)
  return errors, output, status
end

local function batch_counter()
  local counts = {}
  return counts, { on_epoch_begin = function(_, epoch) counts[epoch] = 0 end,
    on_train_batch_end = function() counts[#counts] = counts[#counts] + 1 end }
end

describe("fit with a generator", function()
  local x, y = line_data(10)

  it("does what fit on tensors does with the same batches, the tail batch included", function()
    local by_tensor, by_generator = new_model(), new_model()
    local want = by_tensor:fit(x, y, quiet { epochs = 3, batch_size = 4, shuffle = false })
    local got = by_generator:fit(pass_generator(x, y, 4, 3), quiet { epochs = 3 })
    assert.same(want.history.loss, got.history.loss)
    assert.equal(weight_of(by_tensor), weight_of(by_generator))
    assert.same({ 1, 2, 3 }, got.epoch)
    assert.equal("completed", got.stop_reason)
  end)

  it("draws one batch before on_train_begin, which is the first one", function()
    local generator, calls = pass_generator(x, y, 5, 2)
    local at_begin, built
    new_model():fit(generator, quiet { epochs = 2, callbacks = { {
      set_model = function(_, model) built = #model.weights end,
      on_train_begin = function() at_begin = calls.count end } } })
    assert.equal(1, built)
    assert.equal(1, at_begin)
    assert.equal(6, calls.count) -- 2 passes of 2 batches and the nil
  end)

  it("builds a model that knows no input shape", function()
    local model = cdl.Sequential { layers.Dense(1) }
    model:compile { optimizer = "sgd", loss = "mse" }
    model:fit(endless(x, y, 5), quiet { steps_per_epoch = 2 })
    assert.same({ 1, 1 }, model:get_weights()[1].shape)
  end)

  it("takes as many steps as it is told and goes on there in the next epoch", function()
    local firsts, counts, counter = {}, batch_counter()
    local generator = endless(x, y, 2) -- 5 batches a round
    local function watched()
      local a, b = generator()
      firsts[#firsts + 1] = math.floor(a[{ 1, 1 }] * 10 + 0.5)
      return a, b
    end
    new_model():fit(watched, quiet { epochs = 3, steps_per_epoch = 3, callbacks = counter })
    assert.same({ 3, 3, 3 }, counts)
    assert.same({ 1, 3, 5, 7, 9, 1, 3, 5, 7 }, firsts)
  end)

  it("begins a new pass where the last one ended with the epoch", function()
    for _, case in ipairs { { 5, { 5, 5, 5, 5 } }, { 10, { 10, 10, 10, 10 } } } do
      local steps, want = table.unpack(case)
      local counts, counter = batch_counter()
      local generator = pass_generator(x, y, 1, 9)
      new_model():fit(generator, quiet { epochs = 4, steps_per_epoch = steps, callbacks = counter })
      assert.same(want, counts)
    end
  end)

  it("does not know its steps before the first pass has told them", function()
    local steps = {}
    new_model():fit(pass_generator(x, y, 4, 3), quiet { epochs = 2, callbacks = { {
      on_train_begin = function(self) steps[1] = self.params.steps == nil end,
      on_epoch_end = function(self, epoch) steps[epoch + 1] = self.params.steps end } } })
    assert.same({ true, 3, 3 }, steps)
    new_model():fit(endless(x, y, 4), quiet { steps_per_epoch = 7, callbacks = { {
      on_train_begin = function(self) steps = self.params.steps end } } })
    assert.equal(7, steps)
  end)

  it("may refill the same tensors", function()
    local bx, by = cdl.zeros { 5, 1 }, cdl.zeros { 5, 1 }
    local at, used = 0, {}
    local function refill()
      at = at + 1
      for i = 1, 5 do bx[{ i, 1 }], by[{ i, 1 }] = at, 3 * at end
      return bx, by
    end
    local model = new_model(0)
    model:fit(refill, quiet { steps_per_epoch = 3, epochs = 2, callbacks = { {
      on_train_begin = refill, -- the batch that was drawn is not this one
      on_train_batch_end = function(_, batch, logs) used[#used + 1] = logs.loss * batch end } } })
    -- Running means of (3 at)^2 for the batches 1, 3, 4 and 5, 6, 7.
    local want, numbers = {}, { 1, 3, 4, 5, 6, 7 }
    for i, number in ipairs(numbers) do
      local sum = (i - 1) % 3 > 0 and want[i - 1] or 0
      want[i] = sum + 9 * number ^ 2
    end
    for i = 1, 6 do assert.near(want[i], used[i], 1e-2) end
  end)

  it("may change sizes, and traces each shape once", function()
    local traces, sizes = 0, { 3, 5, 2, 3, 5, 2, 3, 3 }
    local model = cdl.Sequential { layers.Input { -1 }, layers.Lambda(function(v)
      traces = traces + 1
      return v:sum(2, true)
    end), layers.Dense { 1, kernel_initializer = "zeros" } }
    model:compile { optimizer = optimizers.SGD { learning_rate = 0 }, loss = "mse" }
    local function run()
      local i = 0
      local history = model:fit(function()
        i = i + 1
        local size = sizes[i]
        if size then return cdl.ones { size, 2 * size }, cdl.full({ size, 1 }, size) end
      end, quiet {})
      return history.history.loss[1]
    end
    local sum, rows = 0, 0
    for _, size in ipairs(sizes) do sum, rows = sum + size * size ^ 2, rows + size end
    assert.near(sum / rows, run(), 1e-4)
    local once = traces
    run()
    assert.equal(once, traces)
    assert.is_true(once >= 3)
  end)

  it("allocates nothing more with every batch", function()
    local model, counts = new_model(0.01), {}
    local bx, by = x[{ { 1, 5 } }], y[{ { 1, 5 } }]
    model:fit(function() return bx, by end, quiet { steps_per_epoch = 50, callbacks = { {
      on_train_batch_end = function(_, batch, logs) counts[batch] = logs.loss and select(3, core.memory()) end } } })
    assert.equal(50, #counts)
    assert.equal(counts[3], counts[50])
  end)

  it("gives sample weights as its third value", function()
    local weights = cdl.arange(1, 10)
    local want, got = new_model(), new_model()
    want:fit(x, y, quiet { batch_size = 10, shuffle = false, sample_weight = weights })
    local given = false
    got:fit(function()
      if given then return nil end
      given = true
      return x, y, weights
    end, quiet {})
    assert.equal(weight_of(want), weight_of(got))
    assert.is_not.equal(0, weight_of(got))
  end)

  it("gives structures by name or as lists", function()
    local a, b = cdl.Input { shape = {1}, name = "a" }, cdl.Input { shape = {1}, name = "b" }
    local sum = layers.Dense { 1, name = "left", kernel_initializer = "ones" } (a)
    local product = layers.Dense { 1, name = "right", kernel_initializer = "zeros" } (b)
    local function model_of(outputs)
      local model = cdl.Model { inputs = { a, b }, outputs = outputs }
      model:compile { optimizer = optimizers.SGD { learning_rate = 0 }, loss = "mse" }
      return model
    end
    local one, two = cdl.ones { 4, 1 }, cdl.full({ 4, 1 }, 2)
    local function once(...)
      local values = { ... }
      return function()
        local now = values
        values = {}
        return table.unpack(now)
      end
    end
    local history = model_of { sum, product }:fit(once({ a = two, b = one }, { two, two }), quiet {})
    assert.near(4, history.history.loss[1], 1e-6) -- left: (2 - 2)^2; right: (0 - 2)^2
    history = model_of { sum, product }:fit(once({ two, one }, { left = one, right = one }), quiet {})
    assert.near(2, history.history.loss[1], 1e-6)
  end)

  it("may be an object that is called, which tells its state", function()
    local Numbers = {}
    Numbers.__index = Numbers
    function Numbers:__call()
      self.at = self.at + 1
      if self.at <= 4 then return x, y end
    end
    function Numbers:state() return self.at end
    function Numbers:load_state(at) self.at = at end
    local numbers = setmetatable({ at = 0 }, Numbers)
    local counts, counter = batch_counter()
    new_model():fit(numbers, quiet { callbacks = counter })
    assert.same({ 4 }, counts)

    local data = require "cdl.fit_stream".read("fit", new_model(), { x = setmetatable({ at = 0 }, Numbers) },
      { key = tostring })
    local part = data:peek():part()
    assert.equal(0, part.state().object) -- the batch that was drawn to build is still to come
    part.draw()
    assert.equal(1, part.state().object)
    part.load_state { object = 2, draws = 0 }
    part.start(1)
    local drawn = 0
    while part.draw() do drawn = drawn + 1 end
    assert.equal(2, drawn)
    assert.equal(5, part.state().object)
  end)

  it("works under its old name", function()
    local counts, counter = batch_counter()
    local model = new_model()
    model:fit_generator(endless(x, y, 5), quiet { steps_per_epoch = 4, epochs = 2, callbacks = counter })
    assert.same({ 4, 4 }, counts)
    local want = model:evaluate(x, y, { verbose = 0 })
    assert.near(want, model:evaluate_generator(endless(x, y, 5), { steps = 2, verbose = 0 }), 1e-6)
    assert.same({ 20, 1 }, model:predict_generator(endless(x, y, 5), { steps = 4, verbose = 0 }).shape)
  end)

  it("may evaluate and predict with the model, and train another one", function()
    local model, other, losses = new_model(), new_model(), {}
    model:fit(function()
      losses[#losses + 1] = model:evaluate(x, y, { verbose = 0 })
      other:fit(x, y, quiet {})
      if #losses <= 3 then return x, y end
    end, quiet {})
    assert.equal(4, #losses)
    assert.is_true(losses[4] < losses[2])
    assert.matches("this model is being fitted", problem_of(model.fit, model, function()
      if #losses > 4 then model:fit(x, y) end
      losses[#losses + 1] = 0
      return x, y
    end, quiet {}), 1, true)
  end)
end)

describe("a run that is continued", function()
  local x, y = line_data(12)

  -- Batches of 2 samples in passes of 6, as an object that tells where it is.
  local Pages = {}
  Pages.__index = Pages
  function Pages:__call()
    self.at = self.at + 1
    if self.at > 6 then
      self.at = 0
      return nil
    end
    local rows = { { 2 * self.at - 1, 2 * self.at } }
    return x[rows], y[rows]
  end
  function Pages:state() return { at = self.at } end
  function Pages:load_state(state) self.at = state.at end

  local kinds = {
    ["an object with a state"] = function() return setmetatable({ at = 0 }, Pages) end,
    ["from_generator"] = function()
      return cdl.data.from_generator(function() return (pass_generator(x, y, 2, 1)) end)
    end,
    ["a shuffled dataset"] = function() return cdl.data.Dataset(x, y):shuffle():batch(2) end,
    ["a mapped dataset"] = function()
      return cdl.data.Dataset(x, y):shuffle():batch(2):map(function(a, b) return a, b end)
    end,
  }

  local function run(make, steps, backup, fail_in)
    cdl.random.seed(11)
    local model = new_model(0.05)
    local ok, result = pcall(model.fit, model, make(), quiet { epochs = 5, steps_per_epoch = steps, callbacks = {
      backup and cdl.callbacks.BackupAndRestore(backup("run")) or false,
      { on_train_batch_end = function(_, batch)
        if fail_in and #model.history.epoch == fail_in - 1 and batch == 2 then error "killed" end
      end } } })
    return ok and result.history.loss or result, weight_of(model)
  end

  for name, make in pairs(kinds) do
    it("has the same numbers with " .. name, function()
      for _, steps in ipairs { false, 3, 6 } do
        local want, want_weight = run(make, steps or nil)
        local backup = folder.new()
        assert.matches("killed", run(make, steps or nil, backup, 4), 1, true)
        local got, weight = run(make, steps or nil, backup)
        backup:remove()
        assert.same(want, got)
        assert.equal(want_weight, weight)
      end
    end)
  end

  it("warns of a generator that cannot tell where it was", function()
    local warnings, warn = {}, core.warn
    finally(function() core.warn = warn end)
    core.warn = function(text) warnings[#warnings + 1] = text end
    local function make() return endless(x, y, 2) end
    local want = run(make, 4)
    local backup = folder.new()
    assert.matches("killed", run(make, 4, backup, 3), 1, true)
    assert.same(want, (run(make, 4, backup)))
    backup:remove()
    assert.equal(1, #warnings)
    assert.matches("its generator cannot tell where it was: it begins anew, and 8 batches are passed over", warnings[1],
      1, true)
  end)
end)

it("a fit with a generator fails cleanly when there is no memory", function()
  local x, y = line_data(10)
  local model, failed = new_model(), 0
  local function batches() return (pass_generator(x, y, 4, 1)) end
  model:fit(batches(), quiet {}) -- the plans are made
  for n = 1, 30 do
    local generator = batches()
    core.fail_allocation(n)
    local ok, problem = pcall(model.fit, model, generator, { verbose = 0 })
    core.fail_allocation(0)
    if not ok then
      failed = failed + 1
      assert.matches("out of memory", problem, 1, true)
    end
  end
  assert.is_true(failed > 3)
  assert.same({ 1 }, model:fit(batches(), quiet {}).epoch)
end)

describe("a generator that ends", function()
  it("stops fit with a warning where the next epoch has no batch", function()
    local errors, output = errors_of [[
      local seen = {}
      local function note(name) return function(_, n) seen[#seen + 1] = name .. tostring(n) end end
      local h = model:fit(ending(3), { epochs = 5, verbose = 0, callbacks = {
        { on_epoch_begin = note "begin", on_epoch_end = note "end",
          on_train_end = function() seen[#seen + 1] = "train_end" end } } })
      print(table.concat(seen, " "), #h.epoch, h.stop_reason)
    ]]
    assert.matches("warning: fit: the data gave no batch in epoch 2; training stops there", errors, 1, true)
    assert.equal("begin1 end1 begin2 train_end\t1\tstop_training\n", output)
  end)

  it("may be a coroutine", function()
    local errors, output = errors_of [[
      local generator = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(x, x) end end)
      local h = model:fit(generator, { epochs = 5, verbose = 2 })
      print(#h.epoch)
    ]]
    assert.matches("no batch in epoch 2", errors, 1, true)
    assert.matches("Epoch 1/5 - 3/3 - ", output, 1, true)
    assert.matches("\n1\n$", output)
  end)

  it("is called again at the next epoch", function()
    local counts, counter = batch_counter()
    local x = line_data(4)
    new_model():fit(pass_generator(x, x, 2, 3), quiet { epochs = 3, callbacks = counter })
    assert.same({ 2, 2, 2 }, counts)
  end)

  it("ends the epoch early, with a warning, when steps are missing", function()
    local errors, output = errors_of [[
      local counts = {}
      local data = cdl.data.from_generator(function() return ending(5) end)
      model:fit(data, { epochs = 4, steps_per_epoch = 4, verbose = 0,
        callbacks = { { on_epoch_end = function(self, epoch) counts[epoch] = self.batches end,
          on_train_batch_end = function(self, batch) self.batches = batch end } } })
      print(table.concat(counts, " "))
    ]]
    assert.equal("4 1 4 1\n", output)
    assert.matches("the data ran out after 1 of 4 steps in epoch 2", errors, 1, true)
    assert.equal(1, select(2, errors:gsub("warning", "")))
  end)

  it("with its first call is an error", function()
    for _, call in ipairs { "fit", "evaluate", "predict" } do
      local model = new_model()
      local problem = problem_of(model[call], model, function() end)
      assert.matches(call .. ": the generator has no batch: its first call gave nil", problem, 1, true)
    end
  end)
end)

describe("from_generator", function()
  local x, y = line_data(6)

  it("begins anew with each pass", function()
    local made, counts, counter = 0, batch_counter()
    local data = cdl.data.from_generator(function()
      made = made + 1
      return (pass_generator(x, y, 4, 1))
    end)
    local history = new_model():fit(data, quiet { epochs = 3, callbacks = counter })
    assert.same({ 2, 2, 2 }, counts)
    assert.equal(3, made)
    assert.equal("completed", history.stop_reason)
    local want = new_model():fit(x, y, quiet { epochs = 3, batch_size = 4, shuffle = false })
    assert.same(want.history.loss, history.history.loss)
  end)

  it("wants a function that makes generators", function()
    assert.matches("from_generator: make must be a function, got 5", problem_of(cdl.data.from_generator, 5), 1, true)
    local data = cdl.data.from_generator(function() return x, y end)
    assert.matches("make() must return a function that gives one element at each call, got a float32 tensor {6, 1}",
      problem_of(function() new_model():fit(data, quiet {}) end), 1, true)
  end)
end)

describe("validation with a generator", function()
  local x, y = line_data(12)

  it("goes on where the last epoch stopped", function()
    local firsts, model = {}, new_model(0)
    local generator = endless(x, y, 2)
    local history = model:fit(x, y, quiet { epochs = 3, validation_steps = 2, validation_data = function()
      local a, b = generator()
      firsts[#firsts + 1] = math.floor(a[{ 1, 1 }] * 12 + 0.5)
      return a, b
    end })
    assert.same({ 1, 3, 5, 7, 9, 11 }, firsts)
    for epoch = 1, 3 do
      local rows = { { 4 * epoch - 3, 4 * epoch } }
      assert.near((model:evaluate(x[rows], y[rows], { verbose = 0 })), history.history.val_loss[epoch], 1e-5)
    end
  end)

  it("begins anew where it can", function()
    local made, model = 0, new_model(0)
    local history = model:fit(x, y, quiet { epochs = 3, validation_steps = 2, validation_data =
      cdl.data.from_generator(function()
        made = made + 1
        return endless(x, y, 2)
      end) })
    local want = model:evaluate(x[{ { 1, 4 } }], y[{ { 1, 4 } }], { verbose = 0 })
    for epoch = 1, 3 do assert.near(want, history.history.val_loss[epoch], 1e-5) end
    assert.equal(3, made)
  end)

  it("may end and be called again, in epochs of any steps", function()
    local model = new_model(0)
    local want = model:evaluate(x, y, { verbose = 0 })
    for _, steps in ipairs { 3, false } do
      local history = model:fit(x, y, quiet { epochs = 3, validation_steps = steps or nil,
        validation_data = pass_generator(x, y, 4, 3) })
      for epoch = 1, 3 do assert.near(want, history.history.val_loss[epoch], 1e-5) end
    end
  end)

  it("warns where it has nothing more, and leaves the metrics out", function()
    local errors, output = errors_of [[
      local h = model:fit(x, x, { epochs = 3, validation_data = ending(2), verbose = 0 })
      print(#h.history.loss, #h.history.val_loss)
    ]]
    assert.matches("the validation data gave no batch in epoch 2", errors, 1, true)
    assert.equal("3\t1\n", output)
  end)

  it("is not shown to callbacks as data", function()
    local seen = "nothing"
    new_model():fit(x, y, quiet { validation_data = pass_generator(x, y, 4, 1), callbacks = { {
      on_train_begin = function(self) seen = self.validation_data end } } })
    assert.is_nil(seen)
  end)
end)

describe("evaluate and predict with a generator", function()
  local x, y = line_data(10)

  it("give what they give for the tensors", function()
    local model = new_model(0.1, { "mae" })
    model:fit(x, y, quiet {})
    local loss, mae = model:evaluate(x, y, { verbose = 0 })
    local got, got_mae = model:evaluate(pass_generator(x, y, 3, 1), { verbose = 0 })
    assert.near(loss, got, 1e-6)
    assert.near(mae, got_mae, 1e-6)
    assert.near(model:evaluate(x[{ { 1, 6 } }], y[{ { 1, 6 } }], { verbose = 0 }),
      (model:evaluate(endless(x, y, 3), { verbose = 0, steps = 2 })), 1e-6)
    local want = model:predict(x, { verbose = 0 })
    local predicted = model:predict(pass_generator(x, y, 3, 1), { verbose = 0 })
    assert.same(want:totable(), predicted:totable())
  end)

  it("predict takes x alone, whatever the targets are", function()
    local model = new_model()
    local given = 0
    local predicted = model:predict(function()
      given = given + 1
      if given <= 2 then return x, "no targets" end
    end, { verbose = 0 })
    assert.same({ 20, 1 }, predicted.shape)
  end)
end)

describe("an error in a generator", function()
  local x, y = line_data(4)

  local function failing(at)
    local calls = 0
    return function()
      calls = calls + 1
      if calls == at then error "broken" end
      return x, y
    end
  end

  it("ends fit with the user's line, the batch and a traceback", function()
    local model, told, reasons = new_model(), nil, {}
    local before
    local problem = problem_of(model.fit, model, failing(6), quiet { steps_per_epoch = 4, epochs = 2, callbacks = { {
      on_exception = function(_, err) told = err end,
      on_exit = function(_, reason) reasons[#reasons + 1] = reason end,
      on_train_batch_end = function() before = weight_of(model) end } } })
    assert.matches("^tests/lua/generator_spec.lua:%d+: broken\n", problem)
    assert.matches("in the training data, epoch 2, batch 2", problem, 1, true)
    assert.matches("stack traceback:", problem, 1, true)
    assert.matches("^tests/lua/generator_spec.lua:%d+: broken$", told)
    assert.same({ "error" }, reasons)
    assert.equal(before, weight_of(model)) -- as after the last whole step
    assert.same({ 1 }, model:fit(x, y, quiet {}).epoch)
  end)

  it("names evaluations and predictions", function()
    local model = new_model()
    assert.matches("in the data to evaluate, batch 3", problem_of(model.evaluate, model, failing(3),
      { verbose = 0 }), 1, true)
    assert.matches("in the data to predict, batch 3", problem_of(model.predict, model, failing(3),
      { verbose = 0 }), 1, true)
    assert.matches("in the validation data, epoch 1, batch 2", problem_of(model.fit, model, x, y,
      quiet { validation_data = failing(2) }), 1, true)
  end)

  it("at the first batch is raised as it is", function()
    local model = new_model()
    assert.matches("^tests/lua/generator_spec.lua:%d+: broken$", problem_of(model.fit, model, failing(1), quiet {}))
    assert.same({ 1 }, model:fit(x, y, quiet {}).epoch)
  end)
end)

describe("a generator that returns garbage", function()
  local x, y = line_data(4)

  -- The error when batch 3 is what garbage() returns; it must name this file's line and the batch.
  local function refused(pattern, garbage)
    local calls, model = 0, new_model()
    local problem = problem_of(function()
      model:fit(function()
        calls = calls + 1
        if calls == 3 then return garbage() end
        return x, y
      end, quiet { steps_per_epoch = 5 })
    end)
    assert.matches("^tests/lua/generator_spec.lua:%d+: ", problem)
    assert.matches("batch 3", problem:match "^[^\n]*", 1, true)
    assert.matches(pattern, problem:match "^[^\n]*", 1, true)
  end

  it("is told the batch and what is wrong", function()
    refused("x: wanted a tensor, a list or a dict of tensors, got \"abc\" (a string)", function() return "abc", y end)
    refused("x: wanted a tensor, a list or a dict of tensors, got 7", function() return 7, y end)
    refused("x: wanted a tensor, a list or a dict of tensors, got false", function() return false end)
    refused("an empty table is no data", function() return {}, y end)
    refused("there is no 'z'; wanted 'input_layer", function() return { z = x }, y end)
    refused("return x, y as two values, not in a table", function() return { x, y } end)
    refused("got four values or more", function() return x, y, nil, 1 end)
    refused("x is nil, but there is a y", function() return nil, y end)
    refused("x has 4 samples (shape {4, 1}) and y has 3 (shape {3, 1})", function() return x, y[{ { 1, 3 } }] end)
    refused("no samples (shape {0, 1})", function() return cdl.zeros { 0, 1 }, cdl.zeros { 0, 1 } end)
    refused("a scalar has no samples", function() return cdl.tensor(1), y end)
    refused("sample_weight is given without y", function() return x, nil, cdl.ones { 4 } end)
  end)

  it("is told what has changed since the first batch", function()
    refused("y is nothing; in the first batch it was one tensor", function() return x end)
    refused("sample_weight is one tensor; in the first batch it was nothing", function()
      return x, y, cdl.ones { 4 }
    end)
    refused("x is int64; in the first batch it was float32", function() return x:astype "int64", y end)
    refused("y has shape {4}; in the first batch it had 2 axes: {4, 1}", function() return x, y:reshape { 4 } end)
    refused("input 'input_layer", function() return cdl.ones { 4, 3 }, y end)
    refused("y is a list of 1; in the first batch it was one tensor", function() return x, { y } end)
  end)

  it("is told so in evaluate, predict and validation too", function()
    local model = new_model()
    assert.matches("evaluate: batch 1 of the generator: x: wanted", problem_of(model.evaluate, model,
      function() return "abc" end), 1, true)
    assert.matches("predict: batch 1 of the generator: x: wanted", problem_of(model.predict, model,
      function() return "abc" end), 1, true)
    assert.matches("fit: validation_data: batch 1 of the generator: y: wanted", problem_of(model.fit, model, x, y,
      quiet { validation_data = function() return x, print end }), 1, true)
  end)

  it("finds options that do not go with generators", function()
    local model = new_model()
    local function refuse(pattern, a, options)
      assert.matches(pattern, problem_of(model.fit, model, endless(x, y, 2), a, quiet(options)), 1, true)
    end
    refuse("fit: y is given beside a generator", y, {})
    refuse("sample_weight is given beside a generator", nil, { sample_weight = cdl.ones { 4 } })
    refuse("validation_split takes the last samples of tensors", nil, { validation_split = 0.5 })
    refuse("class_weight is for tensors and datasets", nil, { class_weight = { [0] = 1 } })
    assert.matches("make the generator with coroutine.wrap", problem_of(model.fit, model,
      coroutine.create(function() end), quiet {}), 1, true)
    local errors = errors_of [[
      model:fit(ending(2), { verbose = 0, shuffle = true, batch_size = 8 })
      model:fit(ending(2), { verbose = 0, shuffle = false })
    ]]
    assert.matches("fit: shuffle is ignored: the generator makes the batches", errors, 1, true)
    assert.matches("fit: batch_size is ignored", errors, 1, true)
    assert.equal(2, select(2, errors:gsub("warning", "")))
  end)
end)

it("scripts/generator.lua runs", function()
  local status, output, errors = program.run { "scripts/generator.lua", "tiny" }
  assert.equal("", errors)
  assert.equal(0, status)
  assert.matches("Epoch 2/2 - 6/6 - ", output, 1, true)
  assert.matches("after 2 epochs the climb is off by %d+%.%d%d steps on average; read backwards by %d+%.%d%d\n$",
    output)
end)
