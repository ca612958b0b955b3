-- fit, evaluate, predict and their one-batch forms on tensors.
local cdl = require "cdl"
local core = require "cdl.core"
local program = require "program"
local layers, optimizers = cdl.layers, cdl.optimizers

-- n samples of y = 2 x + 1 on [0, 1).
local function line_data(n)
  local x, y = {}, {}
  for i = 1, n do
    x[i] = { (i - 1) / n }
    y[i] = { 2 * x[i][1] + 1 }
  end
  return cdl.tensor(x), cdl.tensor(y)
end

-- y = w x, w = 0 at first, plain gradient descent.
local function new_model(rate, metrics)
  local model = cdl.Sequential { layers.Dense { 1, use_bias = false, kernel_initializer = "zeros", input_shape = {1} } }
  model:compile { optimizer = optimizers.SGD { learning_rate = rate or 0.1 }, loss = "mse", metrics = metrics }
  return model
end

local function weight_of(model) return model:get_weights()[1]:item() end

-- The same in Lua: one epoch over the rows in order; gives the new weight and the epoch's loss.
local function descend(w, x, y, batch, rate, weights)
  local total, rows = 0, #x
  for first = 1, rows, batch do
    local last = math.min(first + batch - 1, rows)
    local n, loss, gradient = last - first + 1, 0, 0
    for i = first, last do
      local error, factor = w * x[i] - y[i], weights and weights[i] or 1
      loss = loss + factor * error ^ 2 / n
      gradient = gradient + factor * 2 * error * x[i] / n
    end
    total = total + loss * n
    w = w - rate * gradient
  end
  return w, total / rows
end

local function columns(x, y)
  local xs, ys = {}, {}
  for i = 1, #x do xs[i], ys[i] = x[{ i, 1 }], y[{ i, 1 }] end
  return xs, ys
end

local function quiet(options)
  options.verbose = 0
  return options
end

-- The message of an error that f must raise.
local function problem_of(f, ...)
  local ok, problem = pcall(f, ...)
  assert.is_false(ok, "no error was raised")
  assert.is_string(problem)
  return problem
end

local function warned(f)
  local texts, original = {}, core.warn
  core.warn = function(text) texts[#texts + 1] = text end
  local ok, problem = pcall(f)
  core.warn = original
  if not ok then error(problem, 0) end
  return table.concat(texts, "\n")
end

describe("fit", function()
  it("does what the formulas say, the last partial batch included", function()
    local x, y = line_data(10)
    local xs, ys = columns(x, y)
    local model, w = new_model(), 0
    local history = model:fit(x, y, quiet { epochs = 3, batch_size = 4, shuffle = false })
    for epoch = 1, 3 do
      local loss
      w, loss = descend(w, xs, ys, 4, 0.1)
      assert.near(loss, history.history.loss[epoch], 1e-5)
    end
    assert.near(w, weight_of(model), 1e-5)
    assert.same({ 1, 2, 3 }, history.epoch)
    assert.equal("completed", history.stop_reason)
    assert.equal(history, model.history)
  end)

  it("repeats bit for bit with the same seed, whatever the number of threads", function()
    local x, y = line_data(50)
    local function run(seed, shuffle)
      cdl.random.seed(seed)
      local model = new_model()
      return model:fit(x, y, quiet { epochs = 2, batch_size = 8, shuffle = shuffle }).history.loss
    end
    local threads = core.threads()
    local first = run(7, true)
    core.threads(1)
    assert.same(first, run(7, true))
    core.threads(3)
    assert.same(first, run(7, true))
    core.threads(threads)
    assert.is_not.same(first, run(8, true))
    assert.is_not.same(first, run(7, false))
    assert.is_not.same(first, run(7, "batch"))
  end)

  it("draws another order in each epoch and each fit", function()
    cdl.random.seed(1)
    local x, y = line_data(50)
    local model = new_model(0)
    local seen = {}
    local watch = { on_train_batch_end = function(_, batch, logs)
      if batch == 1 then seen[#seen + 1] = logs.loss end
    end }
    model:fit(x, y, quiet { epochs = 2, batch_size = 8, callbacks = watch })
    model:fit(x, y, quiet { epochs = 1, batch_size = 8, callbacks = watch })
    assert.equal(3, #seen)
    assert.is_true(seen[1] ~= seen[2] and seen[1] ~= seen[3] and seen[2] ~= seen[3])
  end)

  it("validates on the last rows of a split", function()
    local x, y = line_data(10)
    local model, given = new_model()
    local history = model:fit(x, y, quiet { validation_split = 0.2, epochs = 2, batch_size = 4, callbacks = {
      { on_train_begin = function(self) given = self.validation_data end } } })
    assert.equal(2, #given[1])
    assert.near(0.8, given[1][{ 1, 1 }], 1e-6)
    assert.near(2.8, given[2][{ 2, 1 }], 1e-6)
    assert.is_nil(given[3])
    local loss = model:evaluate(x[{ { 9, 10 } }], y[{ { 9, 10 } }], { verbose = 0 })
    assert.near(loss, history.history.val_loss[2], 1e-6)
    assert.matches("leaves 0 for training", problem_of(model.fit, model, x[{ { 1, 1 } }], y[{ { 1, 1 } }],
      quiet { validation_split = 0.5 }))
  end)

  it("validates when it is due", function()
    local x, y = line_data(8)
    local function validated(freq)
      local model, epochs = new_model(), {}
      model:fit(x, y, quiet { validation_data = { x, y }, epochs = 5, validation_freq = freq, callbacks = {
        { on_epoch_end = function(_, epoch, logs) if logs.val_loss then epochs[#epochs + 1] = epoch end end } } })
      return epochs
    end
    assert.same({ 1, 2, 3, 4, 5 }, validated(nil))
    assert.same({ 2, 4 }, validated(2))
    assert.same({ 1, 4 }, validated { 1, 4 })
    for _, freq in ipairs { 0, 1.5, "often", {} } do
      assert.matches("validation_freq must be", problem_of(validated, freq))
    end
  end)

  it("validates on so many steps, from the first sample", function()
    local x, y = line_data(8)
    local model = new_model(0)
    local first = model:evaluate(x[{ { 1, 4 } }], y[{ { 1, 4 } }], { verbose = 0 })
    local history = model:fit(x, y, quiet { validation_data = { x, y }, validation_steps = 2,
      validation_batch_size = 2, epochs = 2 })
    assert.near(first, history.history.val_loss[1], 1e-6)
    assert.near(first, history.history.val_loss[2], 1e-6)
  end)

  it("weighs samples and classes", function()
    local x = cdl.tensor { { 1 }, { 2 }, { 3 }, { 4 } }
    local y = cdl.tensor { { 0 }, { 1 }, { 1 }, { 5 } }
    local xs, ys = columns(x, y)
    local weights = { 0.5, 3, 3, 1 }
    local want, want_loss = descend(0, xs, ys, 2, 0.01, weights)
    local by_sample, by_class = new_model(0.01), new_model(0.01)
    local history = by_sample:fit(x, y, quiet { sample_weight = cdl.tensor(weights), batch_size = 2, shuffle = false })
    by_class:fit(x, y, quiet { class_weight = { [0] = 0.5, [1] = 3 }, batch_size = 2, shuffle = false })
    assert.near(want, weight_of(by_sample), 1e-5)
    assert.near(want_loss, history.history.loss[1], 1e-4)
    assert.equal(weight_of(by_sample), weight_of(by_class))
    local function fit(options) return problem_of(by_class.fit, by_class, x, y, quiet(options)) end
    assert.matches("cannot be given together", fit { class_weight = { [0] = 1 }, sample_weight = cdl.tensor(weights) })
    assert.matches("keys of class_weight must be integer", fit { class_weight = { cat = 1 } })
    assert.matches("class_weight%[0%] must be a number", fit { class_weight = { [0] = "1" } })
  end)

  it("takes steps_per_epoch and goes on where the last epoch stopped", function()
    local x, y = line_data(20)
    local function batches(steps, size)
      local counts, model = {}, new_model()
      model:fit(x, y, quiet { epochs = 4, steps_per_epoch = steps, batch_size = size, callbacks = {
        { on_epoch_begin = function(_, epoch) counts[epoch] = 0 end,
          on_train_batch_end = function() counts[#counts] = counts[#counts] + 1 end } } })
      return counts
    end
    assert.same({ 5, 5, 5, 5 }, batches(5, 2))
    assert.same({ 10, 10, 10, 10 }, batches(nil, 2))
    assert.same({ 4, 4, 4, 4 }, batches(4, nil)) -- the batch size follows: 5 samples
  end)

  it("runs the epochs from initial_epoch to epochs", function()
    local x, y = line_data(4)
    local model = new_model()
    assert.same({ 3, 4 }, model:fit(x, y, quiet { initial_epoch = 3, epochs = 4 }).epoch)
    assert.same({}, model:fit(x, y, quiet { initial_epoch = 3, epochs = 2 }).epoch)
  end)

  it("reads integer inputs as they are", function()
    local x, y = line_data(8)
    local wide = cdl.Sequential { layers.Lambda(function(v) return v:astype "float32" / 255 end), layers.Dense(1) }
    wide:compile { optimizer = "sgd", loss = "mse" }
    local pixels = (x * 200):astype "uint8"
    local history = wide:fit(pixels, y, quiet { epochs = 1 })
    assert.is_true(history.history.loss[1] < 20)
    assert.same({ 8, 1 }, wide:predict(pixels, { verbose = 0 }).shape)
  end)

  it("allocates nothing in a step after the first", function()
    local x, y = line_data(40)
    local counts = {}
    new_model(0.1, { "mae" }):fit(x, y, quiet { batch_size = 4, callbacks = {
      { on_train_batch_end = function(_, batch, logs)
        counts[batch] = logs.loss and select(3, core.memory())
      end } } })
    assert.equal(10, #counts)
    assert.equal(counts[2], counts[10])
  end)

  it("fails cleanly when there is no memory", function()
    local x, y = line_data(10)
    local model, failed = new_model(), 0
    local options = { batch_size = 4, validation_split = 0.2, validation_freq = { 1 }, class_weight = { [1] = 2 },
      callbacks = { { on_epoch_end = function() end } } }
    model:fit(x, y, quiet(options)) -- the plans are made
    for n = 1, 40 do
      core.fail_allocation(n)
      local ok, problem = pcall(model.fit, model, x, y, options)
      core.fail_allocation(0)
      if not ok then
        failed = failed + 1
        assert.matches("out of memory", problem, 1, true)
      end
    end
    assert.is_true(failed > 5)
    assert.same({ 1 }, model:fit(x, y, quiet {}).epoch)
  end)

  it("runs in a coroutine", function()
    local x, y = line_data(4)
    local model = new_model()
    local run = coroutine.wrap(function()
      return #model:fit(x, y, quiet { epochs = 2, callbacks = { { on_epoch_end = function() end } } }).epoch
    end)
    assert.equal(2, run())
    run = coroutine.wrap(function()
      return pcall(model.fit, model, x, y, quiet { callbacks = { { on_epoch_end = coroutine.yield } } })
    end)
    local ok, problem = run()
    assert.is_false(ok) -- a hook cannot yield across the loop
    assert.matches("yield", problem, 1, true)
  end)

  it("takes nested tables of numbers", function()
    local model = new_model()
    local history = model:fit({ { 1 }, { 2 } }, { { 1 }, { 2 } }, quiet {})
    assert.near(2.5, history.history.loss[1], 1e-6)
  end)
end)

describe("hooks", function()
  local order = { "train_begin", "train_end", "epoch_begin", "epoch_end", "train_batch_begin", "train_batch_end",
    "test_begin", "test_end", "test_batch_begin", "test_batch_end", "predict_begin", "predict_end",
    "predict_batch_begin", "predict_batch_end", "exception", "exit" }

  local function keys(logs)
    local names = {}
    for name in pairs(logs) do names[#names + 1] = name end
    table.sort(names)
    return table.concat(names, " ")
  end

  -- A callback with all hooks that notes each event: "epoch_end(1) [loss]".
  local function recorder()
    local events = {}
    local callback = { events = events }
    for _, name in ipairs(order) do
      callback["on_" .. name] = function(_, first, second)
        local text = name
        if type(first) ~= "table" then text = ("%s(%s)"):format(name, first) end
        local logs = type(first) == "table" and first or second
        if logs then text = text .. (" [%s]"):format(keys(logs)) end
        events[#events + 1] = text
      end
    end
    return callback
  end

  it("come in Keras's order with Keras's logs", function()
    local x, y = line_data(4)
    local model, record = new_model(0.1, { "mae" }), recorder()
    model:fit(x, y, quiet { batch_size = 2, validation_data = { x, y }, validation_steps = 1, callbacks = record })
    assert.same({
      "train_begin []", "epoch_begin(1) []",
      "train_batch_begin(1) []", "train_batch_end(1) [loss mae]",
      "train_batch_begin(2) []", "train_batch_end(2) [loss mae]",
      "test_begin []", "test_batch_begin(1) []", "test_batch_end(1) [loss mae]", "test_end [loss mae]",
      "epoch_end(1) [loss mae val_loss val_mae]", "train_end [loss mae val_loss val_mae]", "exit(completed)",
    }, record.events)
    record = recorder()
    model:evaluate(x, y, { verbose = 0, callbacks = record })
    assert.same({ "test_begin []", "test_batch_begin(1) []", "test_batch_end(1) [loss mae]", "test_end [loss mae]" },
      record.events)
    record = recorder()
    model:predict(x, { verbose = 0, batch_size = 3, callbacks = record })
    assert.same({ "predict_begin []", "predict_batch_begin(1) []", "predict_batch_end(1) [outputs]",
      "predict_batch_begin(2) []", "predict_batch_end(2) [outputs]", "predict_end []" }, record.events)
  end)

  it("give the running metrics since the epoch began", function()
    local x, y = line_data(4)
    local xs, ys = columns(x, y)
    local seen = {}
    new_model(0.1):fit(x, y, quiet { epochs = 2, batch_size = 2, shuffle = false, callbacks = {
      { on_train_batch_end = function(_, _, logs) seen[#seen + 1] = logs.loss end } } })
    local w, first = descend(0, { xs[1], xs[2] }, { ys[1], ys[2] }, 2, 0.1)
    local w2, second = descend(w, { xs[3], xs[4] }, { ys[3], ys[4] }, 2, 0.1)
    local _, third = descend(w2, { xs[1], xs[2] }, { ys[1], ys[2] }, 2, 0.1)
    assert.near(first, seen[1], 1e-5)
    assert.near((first + second) / 2, seen[2], 1e-5)
    assert.near(third, seen[3], 1e-5)
  end)

  it("have short names that count only without the long ones", function()
    local x, y = line_data(4)
    local seen = {}
    local function note(name) return function() seen[#seen + 1] = name end end
    new_model():fit(x, y, quiet { callbacks = {
      { on_batch_begin = note "short begin", on_batch_end = note "short end" },
      { on_batch_end = note "never", on_train_batch_end = note "long end" } } })
    assert.same({ "short begin", "short end", "long end" }, seen)
  end)

  it("share one logs table for each event, which the loop does not keep", function()
    local x, y = line_data(4)
    local model, kept, last = new_model(), {}
    local history = model:fit(x, y, quiet { epochs = 2, callbacks = {
      { on_epoch_end = function(_, epoch, logs) logs.extra = epoch end },
      { on_epoch_end = function(_, _, logs) kept[#kept + 1] = logs end,
        on_train_end = function(_, logs) last = logs end } } })
    assert.same({ 1, 2 }, history.history.extra)
    assert.same({ 1, 2 }, { kept[1].extra, kept[2].extra })
    assert.equal("loss", keys(last))
    assert.equal(kept[2].loss, last.loss)
  end)

  it("know the model, the parameters and the validation data", function()
    local x, y = line_data(10)
    local model, seen, calls = new_model(), {}, {}
    model:fit(x, y, quiet { epochs = 3, batch_size = 4, validation_data = { x, y }, callbacks = {
      { set_model = function(_, m) calls[#calls + 1] = m end,
        set_params = function(_, p) calls[#calls + 1] = p end,
        on_train_begin = function(self) seen = { self.model, self.params, self.validation_data } end } } })
    assert.equal(model, seen[1])
    assert.same({ epochs = 3, steps = 3, verbose = 0 }, seen[2])
    assert.equal(10, #seen[3][1])
    assert.equal(model, calls[1])
    assert.equal(seen[2], calls[2])
  end)

  it("may be added in flight, for the next epoch", function()
    local x, y = line_data(4)
    local model, seen = new_model(), {}
    local late = { on_epoch_begin = function(self, epoch) seen[#seen + 1] = self.model == model and epoch end }
    model:fit(x, y, quiet { epochs = 3, callbacks = { {
      on_epoch_begin = function(self, epoch)
        if epoch ~= 1 then return end
        model.callbacks:add(late)
        self.on_epoch_end = function(_, number) seen[#seen + 1] = -number end
      end } } })
    assert.same({ -2, 2, -3, 3 }, { seen[2], seen[1], seen[4], seen[3] })
    assert.is_nil(model.callbacks)
  end)

  it("are looked up through metatables", function()
    local Counter = cdl.Callback:extend "Counter"
    function Counter:init() self.count = 0 end
    function Counter:on_epoch_end() self.count = self.count + 1 end
    local x, y = line_data(4)
    local counter = Counter()
    local plain = setmetatable({}, { __index = { on_epoch_end = function(self) self.hit = true end } })
    new_model():fit(x, y, quiet { epochs = 2, callbacks = { counter, { plain } } })
    assert.equal(2, counter.count)
    assert.is_true(plain.hit)
  end)

  it("may change the learning rate and the weights", function()
    local x, y = line_data(4)
    local xs, ys = columns(x, y)
    local model = new_model(0.1)
    model:fit(x, y, quiet { epochs = 2, batch_size = 4, shuffle = false, callbacks = {
      { on_epoch_begin = function(self, epoch)
        if epoch == 2 then
          self.model.optimizer.learning_rate = 0.5
          self.model:set_weights { cdl.tensor { { 1 } } }
        end
      end } } })
    assert.near(descend(1, xs, ys, 4, 0.5), weight_of(model), 1e-5)
    assert.near(0.5, model.optimizer.learning_rate, 1e-7)
  end)

  it("may evaluate and predict with the model without disturbing it", function()
    local x, y = line_data(12)
    local function run(callbacks)
      return new_model():fit(x, y, quiet { epochs = 2, batch_size = 4, shuffle = false, callbacks = callbacks })
    end
    local inner = {}
    local disturbed = run { { on_train_batch_end = function(self)
      inner[#inner + 1] = self.model:evaluate(x, y, { verbose = 0, batch_size = 5 })
      self.model:predict(x, { verbose = 0, batch_size = 7 })
    end } }
    assert.same(run {}.history.loss, disturbed.history.loss)
    assert.equal(6, #inner)
    assert.is_true(inner[6] < inner[1])
  end)

  it("may fit another model, but not this one", function()
    local x, y = line_data(4)
    local other, ran = new_model(), false
    new_model():fit(x, y, quiet { callbacks = { { on_epoch_end = function()
      ran = #other:fit(x, y, quiet { epochs = 2 }).epoch == 2
    end } } })
    assert.is_true(ran)
    local model = new_model()
    local problem = problem_of(model.fit, model, x, y, quiet { callbacks = {
      { on_epoch_end = function(self) self.model:fit(x, y, { verbose = 0 }) end } } })
    assert.matches("this model is being fitted", problem)
    model:fit(x, y, quiet {}) -- usable again
  end)
end)

describe("stopping", function()
  it("in a batch hook still validates and ends the epoch", function()
    local x, y = line_data(10)
    local batches = 0
    local model = new_model()
    local history = model:fit(x, y, quiet { epochs = 5, batch_size = 2, validation_data = { x, y }, callbacks = {
      { on_train_batch_end = function(self, batch)
        batches = batches + 1
        if batch == 2 then self.model.stop_training = true end
      end } } })
    assert.equal(2, batches)
    assert.same({ 1 }, history.epoch)
    assert.is_number(history.history.val_loss[1])
    assert.equal("stop_training", history.stop_reason)
    assert.is_true(model.stop_training)
    assert.same({ 1, 2 }, model:fit(x, y, quiet { epochs = 2 }).epoch) -- taken back
  end)

  it("at an epoch's begin trains one batch", function()
    local x, y = line_data(10)
    local batches = 0
    new_model():fit(x, y, quiet { epochs = 5, batch_size = 2, callbacks = {
      { on_epoch_begin = function(self) self.model.stop_training = true end,
        on_train_batch_end = function() batches = batches + 1 end } } })
    assert.equal(1, batches)
  end)

  it("ends evaluations and predictions", function()
    local x, y = line_data(10)
    local model, batches = new_model(), 0
    model:evaluate(x, y, { verbose = 0, batch_size = 2, callbacks = { { on_test_batch_end = function(self, batch)
      batches = batch
      if batch == 3 then self.model.stop_evaluating = true end
    end } } })
    assert.equal(3, batches)
    local p = model:predict(x, { verbose = 0, batch_size = 2, callbacks = {
      { on_predict_batch_end = function(self, batch)
        if batch == 2 then self.model.stop_predicting = true end
      end } } })
    assert.same({ 4, 1 }, p.shape)
  end)

  it("works for EarlyStopping and TerminateOnNaN", function()
    local x, y = line_data(8)
    local model = new_model(0)
    local history = model:fit(x, y, quiet { epochs = 20, validation_split = 0.25, callbacks = {
      cdl.callbacks.EarlyStopping { patience = 2 } } })
    assert.equal(3, #history.epoch)
    assert.equal("stop_training", history.stop_reason)
    local printing = print
    _G.print = function() end
    history = new_model():fit(x, y * math.huge, quiet { epochs = 5, batch_size = 1, callbacks = {
      cdl.callbacks.TerminateOnNaN() } })
    _G.print = printing
    assert.equal(1, #history.history.loss)
    assert.is_true(history.history.loss[1] == math.huge or history.history.loss[1] ~= history.history.loss[1])
  end)
end)

describe("an error in a hook", function()
  local x, y = line_data(4)

  local function fit_with(model, callback)
    return problem_of(model.fit, model, x, y, quiet { batch_size = 2, validation_data = { x, y },
      callbacks = { { name = "idle" }, callback } })
  end

  for _, name in ipairs { "train_begin", "epoch_begin", "train_batch_begin", "train_batch_end", "test_begin",
    "test_batch_begin", "test_batch_end", "test_end", "epoch_end", "train_end" } do
    it("on_" .. name .. " ends fit and names the place", function()
      local model, told, ended = new_model(), nil, {}
      local problem = fit_with(model, {
        ["on_" .. name] = function() error "broken" end,
        on_exception = function(_, err) told = err end,
        on_exit = function(_, reason) ended[#ended + 1] = reason end,
      })
      assert.matches("^tests/lua/fit_spec.lua:%d+: broken\n", problem)
      assert.matches("in callback 2, on_" .. name, problem, 1, true)
      assert.matches("stack traceback:", problem, 1, true)
      assert.matches("^tests/lua/fit_spec.lua:%d+: broken$", told)
      assert.same({ "error" }, ended)
      assert.same({ 1 }, model:fit(x, y, quiet {}).epoch) -- usable again
    end)
  end

  it("does not run on_train_end, and runs every on_exit", function()
    local seen = {}
    local model = new_model()
    local problem = problem_of(model.fit, model, x, y, quiet { callbacks = {
      { on_epoch_end = function() error "first" end, on_exit = function() error "second" end },
      { on_train_end = function() seen[#seen + 1] = "train_end" end,
        on_exception = function() error "third" end },
      { on_exit = function(_, reason) seen[#seen + 1] = reason end } } })
    assert.matches("first", problem, 1, true)
    assert.is_nil(problem:find("second", 1, true) or problem:find("third", 1, true))
    assert.same({ "error" }, seen)
    problem = fit_with(model, { on_exit = function() error "late" end })
    assert.matches("late", problem, 1, true)
  end)

  it("leaves the model as after the last whole step", function()
    local xs, ys = columns(x, y)
    local model = new_model(0.1)
    problem_of(model.fit, model, x, y, quiet { batch_size = 2, shuffle = false, callbacks = {
      { on_train_batch_end = function(_, batch) if batch == 1 then error "broken" end end } } })
    assert.near(descend(0, { xs[1], xs[2] }, { ys[1], ys[2] }, 2, 0.1), weight_of(model), 1e-6)
  end)

  it("names the class of the callback, and makes text of any value", function()
    local Broken = cdl.Callback:extend "Broken"
    function Broken:on_epoch_end() error({ code = 3 }) end
    local problem = fit_with(new_model(), Broken())
    assert.matches("in callback 2 (Broken), on_epoch_end(1)", problem, 1, true)
    assert.matches("^table: ", problem)
  end)

  it("propagates from evaluate and predict", function()
    local model = new_model()
    local broken = { on_test_batch_end = function() error "broken" end, on_predict_end = function() error "broken" end }
    local options = { verbose = 0, callbacks = broken }
    assert.matches("fit_spec.lua:%d+: broken", problem_of(model.evaluate, model, x, y, options))
    assert.matches("in callback 1, on_predict_end", problem_of(model.predict, model, x, options))
  end)
end)

describe("what fit is given", function()
  local x, y = line_data(4)
  local model
  before_each(function() model = new_model() end)

  -- The error of a call, which must name this file's line.
  local function refused(pattern, options, a, b)
    local problem = problem_of(function() model:fit(a or x, b or y, quiet(options or {})) end)
    assert.matches("^tests/lua/fit_spec.lua:%d+: ", problem)
    assert.matches(pattern, problem)
  end

  it("must be compiled", function()
    model = cdl.Sequential { layers.Dense(1) }
    refused "is not compiled"
  end)

  it("must be data of one length", function()
    refused("fit: x has 4 samples %(shape {4, 1}%) and y has 3 %(shape {3, 1}%)", {}, x, y[{ { 1, 3 } }])
    refused("no samples", {}, cdl.zeros { 0, 1 }, cdl.zeros { 0, 1 })
    refused("a scalar has no samples", {}, cdl.tensor(1), y)
    refused("wanted a tensor, a list or a dict of tensors, got \"x.npy\" %(a string%)", {}, "x.npy", y)
    refused("wanted 1", {}, { x, x }, y)
    refused("fit: the option 'epochs' stands among the data", nil, { x = x, y = y, epochs = 1 })
    refused("sample_weight has 3", { sample_weight = cdl.ones { 3 } })
    refused("validation_data: wanted {x, y} or {x, y, sample_weight}", { validation_data = { x } })
    refused("validation_data: x has 4 samples", { validation_data = { x, y[{ { 1, 2 } }] } })
    assert.matches("x is missing", problem_of(function() model:fit() end))
  end)

  it("must have options that exist and fit", function()
    refused("unknown argument 'epoch' %(did you mean 'epochs'%?%)", { epoch = 3 })
    refused("batch_size must be at least 1, got 0", { batch_size = 0 })
    refused("epochs must be an integer, got 1.5", { epochs = 1.5 })
    refused("validation_split must be less than 1", { validation_split = 1 })
    refused("shuffle must be true, false or 'batch'", { shuffle = "batches" })
    assert.matches("verbose must be 0, 1, 2 or 'auto', got 3",
      problem_of(function() model:fit(x, y, { verbose = 3 }) end))
  end)

  it("must have callbacks that are some", function()
    local callback = { on_epoch_end = function() end }
    refused("callbacks%[2%]: there is no hook 'on_epoch_ends' %(did you mean 'on_epoch_end'%?%)",
      { callbacks = { callback, { on_epoch_ends = print } } })
    local Misspelt = cdl.Callback:extend "Misspelt"
    function Misspelt:on_train_ended() return self end
    refused("there is no hook 'on_train_ended'", { callbacks = Misspelt() })
    refused("callbacks%[2%]%[1%] is the same callback as fit: callbacks%[1%]",
      { callbacks = { callback, { callback } } })
    refused("callbacks%[1%]: wanted a callback or a list of them, got nil", { callbacks = { nil, callback } })
    refused("callbacks%[1%]: wanted a callback or a list of them, got \"early\"", { callbacks = { "early" } })
    refused("got the class EarlyStopping; make one: EarlyStopping{...}", { callbacks = cdl.callbacks.EarlyStopping })
    refused("neither a list nor a callback", { callbacks = { callback, on_epoch_end = print } })
    refused("callback 1: on_epoch_end must be a function, got a number", { callbacks = { { on_epoch_end = 5 } } })
    model:fit(x, y, quiet { callbacks = { false, {}, { callback } } })
    model:fit(x, y, quiet { callbacks = callback })
  end)

  it("names the batch that an error in the data is in", function()
    local classifier = cdl.Sequential { layers.Dense { 3, activation = "softmax", input_shape = {1} } }
    classifier:compile { optimizer = "sgd", loss = "sparse_categorical_crossentropy" }
    local labels = cdl.tensor({ 0, 1, 7, 2 }, "int64")
    local before = classifier:get_weights()[1]:totable()
    local problem = problem_of(classifier.fit, classifier, x, labels, quiet { batch_size = 4, shuffle = false })
    assert.matches("7", problem, 1, true)
    assert.matches("(epoch 1, batch 1)", problem, 1, true)
    assert.same(before, classifier:get_weights()[1]:totable()) -- nothing was stored
    labels[3] = 2
    classifier:fit(x, labels, quiet {})
  end)

  it("warns when the data run out, and when `trainable` has changed", function()
    local status, _, errors = program.run { "-e", [[
      local cdl = require "cdl"
      local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = {1} } }
      model:compile { optimizer = "sgd", loss = "mse" }
      local x = cdl.zeros { 10, 1 }
      model:fit(x, x, { batch_size = 1, steps_per_epoch = 9, epochs = 4, verbose = 0 })
    ]] }
    assert.equal(0, status)
    assert.matches("the data ran out after 1 of 9 steps in epoch 2", errors, 1, true)
    assert.equal(1, select(2, errors:gsub("ran out", "")))
    model:fit(x, y, quiet {})
    model.layers[1].trainable = false
    assert.matches("call compile again", warned(function() model:fit(x, y, quiet {}) end), 1, true)
  end)
end)

describe("evaluate and predict", function()
  it("give the loss and the metrics, as values or by name", function()
    local x, y = line_data(10)
    local model = new_model(0.1, { "mae" })
    local xs, ys = columns(x, y)
    local mse, mae = 0, 0
    for i = 1, #xs do mse, mae = mse + ys[i] ^ 2 / 10, mae + math.abs(ys[i]) / 10 end
    local loss, metric, more = model:evaluate(x, y, { verbose = 0, batch_size = 4 })
    assert.near(mse, loss, 1e-5)
    assert.near(mae, metric, 1e-5)
    assert.is_nil(more)
    local dict = model:evaluate(x, y, { verbose = 0, return_dict = true })
    assert.near(mse, dict.loss, 1e-5)
    assert.near(mae, dict.mae, 1e-5)
    local first = model:evaluate(x, y, { verbose = 0, batch_size = 5, steps = 1 })
    assert.near(model:evaluate(x[{ { 1, 5 } }], y[{ { 1, 5 } }], { verbose = 0 }), first, 1e-6)
  end)

  it("join the outputs of all batches", function()
    local x = line_data(10)
    local model = new_model()
    model:set_weights { cdl.tensor { { 3 } } }
    local p = model:predict(x, { verbose = 0, batch_size = 4 })
    assert.same({ 10, 1 }, p.shape)
    for i = 1, 10 do assert.near(3 * x[{ i, 1 }], p[{ i, 1 }], 1e-6) end
    assert.same({ 8, 1 }, model:predict(x, { verbose = 0, batch_size = 4, steps = 2 }).shape)
  end)

  it("keep the structure of several outputs", function()
    local input = cdl.Input { shape = {1} }
    local model = cdl.Model { inputs = input, outputs = { a = layers.Dense(1)(input), b = layers.Dense(2)(input) } }
    local seen
    local p = model:predict(line_data(5), { verbose = 0, batch_size = 2, callbacks = {
      { on_predict_batch_end = function(_, batch, logs) if batch == 3 then seen = logs.outputs end end } } })
    assert.same({ 5, 1 }, p.a.shape)
    assert.same({ 5, 2 }, p.b.shape)
    assert.same({ 1, 2 }, seen.b.shape)
    assert.equal(p.b[{ 5, 2 }], seen.b[{ 1, 2 }])
  end)

  it("work batch by batch", function()
    local x, y = line_data(4)
    local xs, ys = columns(x, y)
    local model = new_model(0.1, { "mae" })
    local w, loss = descend(0, xs, ys, 4, 0.1)
    local got, mae = model:train_on_batch(x, y)
    assert.near(loss, got, 1e-5)
    assert.is_number(mae)
    assert.near(w, weight_of(model), 1e-6)
    local _, second = descend(w, xs, ys, 4, 0.1)
    assert.near(second, (model:test_on_batch(x, y)), 1e-5)
    assert.near(second, model:test_on_batch(x, y, { return_dict = true }).loss, 1e-5)
    assert.near(second, (model:train_on_batch(x, y)), 1e-5) -- that batch alone
    assert.near(weight_of(model) * xs[4], model:predict_on_batch(x)[{ 4, 1 }], 1e-6)
    local before = weight_of(model)
    model:train_on_batch(x, y, { sample_weight = cdl.zeros { 4 } })
    assert.equal(before, weight_of(model))
  end)

  it("have the older spellings", function()
    local x, y = line_data(4)
    local model = new_model()
    assert.same({ 1 }, model:fit_generator(x, y, quiet {}).epoch)
    assert.is_number(model:evaluate_generator(x, y, { verbose = 0 }))
    assert.same({ 4, 1 }, model:predict_generator(x, { verbose = 0 }).shape)
  end)
end)

describe("a signal during fit", function()
  -- A run of a script whose second batch sends a signal to its own process.
  local function run(signal, rest)
    local script = ([[
      local cdl = require "cdl"
      local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = {1} } }
      model:compile { optimizer = "sgd", loss = "mse" }
      local x = cdl.zeros { 10, 1 }
      local history = model:fit(x, x, { batch_size = 1, epochs = 2, verbose = 0, callbacks = { {
        on_train_batch_end = function(self, batch)
          if batch == 2 then io.popen("kill -%s $PPID"):close() end
          self.last = batch
        end,
        on_epoch_end = function() print "epoch end" end,
        on_train_end = function(self) print("train end", self.last) end,
        on_exit = function(_, reason) print("exit", reason) end } } })
      print(history.stop_reason)
      %s
    ]]):format(signal, rest or "")
    local status, out, errors
    program.with_file(script, function(path) status, out, errors = program.run { path } end)
    return status, out, errors
  end

  it("ends it in good order", function()
    local status, out = run("INT", "print(#model:fit(x, x, {verbose = 0}).epoch)")
    assert.equal(0, status)
    assert.equal("train end\t2\nexit\tinterrupted\ninterrupted\n1\n", out)
  end)

  it("ends the program when it is SIGTERM", function()
    local status, out = run "TERM"
    assert.equal(143, status)
    assert.equal("train end\t2\nexit\tinterrupted\n", out)
  end)
end)

describe("the progress of fit", function()
  it("is one plain line an epoch in a file", function()
    local status, out = program.run { "-e", [[
      local cdl = require "cdl"
      local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = {1} } }
      model:compile { optimizer = "sgd", loss = "mse" }
      local x = cdl.zeros { 10, 1 }
      model:fit(x, x, { batch_size = 4, epochs = 2, validation_data = { x, x } })
      model:evaluate(x, x)
      model:predict(x, { verbose = 0 })
    ]] }
    assert.equal(0, status)
    local lines = {}
    for line in out:gmatch "[^\n]+" do lines[#lines + 1] = line end
    assert.equal(3, #lines)
    assert.matches("^Epoch 1/2 %- 3/3 %- %d+s %- %d+%a+/step %- loss: 0.0000 %- val_loss: 0.0000$", lines[1])
    assert.matches("^Epoch 2/2 %- 3/3 ", lines[2])
    assert.matches("^1/1 %- %d+s %- %d+%a+/step %- loss: 0.0000$", lines[3])
  end)
end)
