-- What a hook can do to the run that it is called from takes effect at once; and what it costs, and how
-- it is named when it fails.
local cdl = require "cdl"
local capture = require "capture"
local core = require "cdl.core"
local folders = require "folder"
local callbacks, layers, optimizers = cdl.callbacks, cdl.layers, cdl.optimizers
local warned, printed, problem_of = capture.warned, capture.printed, capture.problem_of

-- One weight w, the loss is (w x - y)^2 with x = 1, y = 0: each step takes w to w (1 - 2 rate).
local function new_model(optimizer)
  local model = cdl.Sequential { layers.Dense { 1, use_bias = false, kernel_initializer = "ones",
    input_shape = { 1 } } }
  model:compile { optimizer = optimizer or optimizers.SGD(0.1), loss = "mse" }
  return model
end

local x, y = cdl.ones { 4, 1 }, cdl.zeros { 4, 1 }

local function weight_of(model) return model:get_weights()[1]:item() end

-- Fits in single steps with a function as the hook of their ends (or another hook).
local function fit(model, f, options, hook)
  local all = { batch_size = 1, shuffle = false, verbose = 0,
    callbacks = { { [hook or "on_train_batch_end"] = f } } }
  for name, value in pairs(options or {}) do all[name] = value end
  return model:fit(x, y, all)
end

-- The weight after each of four steps, where `act` runs after the second one.
local function course(model, act)
  local weights = {}
  fit(model, function(self, batch)
    weights[batch] = weight_of(self.model)
    if batch == 2 then act(self.model) end
  end)
  return weights
end

local function near(want, got)
  assert.equal(#want, #got)
  for i, value in ipairs(want) do assert.near(value, got[i], 1e-6) end
end

describe("a hook's change acts on the next batch:", function()
  it("the learning rate", function()
    near({ 0.8, 0.64, 0.64 * 0.4, 0.64 * 0.16 }, course(new_model(), function(model)
      model.optimizer.learning_rate = 0.3
    end))
  end)

  it("any hyper-parameter of the optimizer", function()
    -- Momentum's velocity v = m v - rate g: m becomes 0 after the second step.
    local model = new_model(optimizers.SGD { 0.1, momentum = 0.5 })
    local v, w, want = 0, 1, {}
    for step = 1, 4 do
      v = (step <= 2 and 0.5 or 0) * v - 0.1 * 2 * w
      w = w + v
      want[step] = w
    end
    near(want, course(model, function() model.optimizer.momentum = 0 end))
    -- Weight decay takes part of the weight before the step.
    model = new_model(optimizers.SGD { 0.1, weight_decay = 0.5 })
    near({ 0.75, 0.5625, 0.5625 * 0.7, 0.5625 * 0.49 }, course(model, function() model.optimizer.weight_decay = 1 end))
    -- Clipping: a step of at most rate * clipnorm.
    model = new_model(optimizers.SGD { 0.1, clipnorm = 1 })
    near({ 0.9, 0.8, 0.79, 0.78 }, course(model, function() model.optimizer.clipnorm = 0.1 end))
    -- Adam's beta_1 = 0 makes a step of the rate's size again after a change of sign.
    local before, after = new_model(optimizers.Adam(0.1)), new_model(optimizers.Adam(0.1))
    local kept = course(before, function(m) m:set_weights { cdl.tensor { { -1 } } } end)
    local changed = course(after, function(m)
      m:set_weights { cdl.tensor { { -1 } } }
      m.optimizer.beta_1 = 0
    end)
    assert.is_true(kept[3] < -1 and changed[3] > -1)
  end)

  it("the weights", function()
    near({ 0.8, 0.64, 8, 6.4 }, course(new_model(), function(model) model:set_weights { cdl.tensor { { 10 } } } end))
    near({ 0.8, 0.64, 1.6, 1.28 }, course(new_model(), function(model) model.weights[1]:assign { { 2 } } end))
  end)

  it("weights from a file", function()
    local folder = folders.new()
    local model = new_model()
    model:set_weights { cdl.tensor { { 5 } } }
    model:save_weights(folder "five.npz")
    near({ 0.8, 0.64, 4, 3.2 }, course(new_model(), function(m) m:load_weights(folder "five.npz") end))
    folder:remove()
  end)

  it("a variable that the loss reads", function()
    local target = cdl.Variable(0.0)
    local model = new_model()
    model:compile { optimizer = optimizers.SGD(0.5), loss = function(_, p) return cdl.square(p - target) end }
    near({ 0, 0, 3, 3 }, course(model, function() target:assign(3) end))
  end)

  it("stop_training", function()
    local batches = 0
    local history = fit(new_model(), function(self, batch)
      batches = batches + 1
      if batch == 2 then self.model.stop_training = true end
    end, { epochs = 3 })
    assert.equal(2, batches)
    assert.same({ 1 }, history.epoch)
  end)
end)

describe("in flight", function()
  it("a callback is added, and hears of the next epoch", function()
    local heard = {}
    fit(new_model(), function(self, batch)
      if #heard == 0 and batch == 1 and not self.added then
        self.added = true
        self.model.callbacks:add { on_epoch_begin = function(other, epoch)
          heard[#heard + 1] = { epoch, other.model == self.model, other.params.epochs }
        end }
      end
    end, { epochs = 3 })
    assert.same({ { 2, true, 3 }, { 3, true, 3 } }, heard)
    assert.matches("callbacks:add: wanted a callback", problem_of(fit, new_model(), function(self)
      self.model.callbacks:add "this"
    end), 1, true)
  end)

  it("this model is evaluated and used, another one is fitted", function()
    local seen = {}
    local plain, disturbed, other = new_model(), new_model(), new_model()
    fit(plain, function() end, { epochs = 2 })
    fit(disturbed, function(self, batch)
      seen[#seen + 1] = { self.model:evaluate(x, y, { verbose = 0 }), self.model:predict(x, { verbose = 0 })[{ 1, 1 }],
        weight_of(self.model) }
      if batch == 1 then other:fit(x, y, { batch_size = 1, verbose = 0 }) end
    end, { epochs = 2 })
    assert.equal(weight_of(plain), weight_of(disturbed))
    assert.same(plain.history.history, disturbed.history.history)
    for _, row in ipairs(seen) do
      assert.near(row[3] ^ 2, row[1], 1e-6)
      assert.equal(row[3], row[2])
    end
    assert.near(0.8 ^ 8, weight_of(other), 1e-6)
    assert.matches("this model is being fitted", problem_of(fit, plain, function(self)
      self.model:fit(x, y, { verbose = 0 })
    end), 1, true)
  end)

  it("`trainable` waits for the next compile, and the next fit says so", function()
    local model = new_model()
    assert.equal("", warned(function()
      fit(model, function(self, batch)
        if batch == 2 then self.model.layers[1].trainable = false end
      end)
    end))
    assert.near(0.8 ^ 4, weight_of(model), 1e-6)
    local text = warned(function() fit(model, function() end) end)
    assert.matches("`trainable`", text, 1, true)
    assert.matches("since it was compiled", text, 1, true)
    assert.matches("call compile again", text, 1, true)
    assert.near(0.8 ^ 8, weight_of(model), 1e-6)
    model:compile { optimizer = "sgd", loss = "mse" }
    local w = weight_of(model)
    fit(model, function() end)
    assert.equal(w, weight_of(model))
  end)
end)

describe("averages of the weights", function()
  it("are in place when on_train_end is called, of every optimizer of the model", function()
    local model = new_model(optimizers.SGD { 0.1, use_ema = true, ema_momentum = 0.5 })
    local trained, at_end
    model:fit(x, y, { batch_size = 1, verbose = 0, callbacks = { {
      on_epoch_end = function(self) trained = weight_of(self.model) end,
      on_train_end = function(self) at_end = weight_of(self.model) end } } })
    assert.near(0.8 ^ 4, trained, 1e-6)
    local average = 0.8
    for step = 2, 4 do average = 0.5 * average + 0.5 * 0.8 ^ step end
    assert.near(average, at_end, 1e-6)
    assert.equal(at_end, weight_of(model))

    local Own = cdl.Model:extend "Own"
    function Own:init()
      self.dense = layers.Dense { 1, use_bias = false, kernel_initializer = "ones" }
      self.own_optimizer = optimizers.SGD { 0.1, use_ema = true, ema_momentum = 0.5 }
    end
    function Own:call(v) return self.dense(v) end
    function Own:train_step(v)
      local loss = cdl.mean(cdl.square(self(v, true)))
      self.own_optimizer:apply(cdl.gradients(loss, self.dense.trainable_weights), self.dense.trainable_weights)
      return { loss = loss }
    end
    local own = Own {}
    own:fit(x, y, { batch_size = 1, verbose = 0, callbacks = { {
      on_train_end = function(self) at_end = weight_of(self.model) end } } })
    assert.near(average, at_end, 1e-6)
  end)

  it("stay out of it when nothing has been trained", function()
    local model = new_model(optimizers.SGD { 0.1, use_ema = true })
    model:fit(x, y, { epochs = 0, verbose = 0 })
    model:fit(x, y, { initial_epoch = 2, epochs = 1, verbose = 0 })
    assert.equal(1, weight_of(model))
  end)

  it("are swapped in for evaluations, and back whatever happens", function()
    local model = new_model(optimizers.SGD { 0.1, use_ema = true, ema_momentum = 0.5 })
    local swap = callbacks.SwapEMAWeights()
    local during, after = {}, {}
    model:fit(x, y, { batch_size = 1, epochs = 2, verbose = 0, validation_data = { x, y }, callbacks = { swap, {
      on_test_batch_end = function(self) during[#during + 1] = weight_of(self.model) end,
      on_epoch_end = function(self) after[#after + 1] = weight_of(self.model) end } } })
    assert.near(0.8 ^ 4, after[1], 1e-6)
    assert.near(0.8 ^ 8, after[2], 1e-6)
    assert.is_true(during[1] > after[1] and during[#during] > after[2])
    assert.equal(during[#during], weight_of(model)) -- fit ends with them
    -- Outside of fit: predict and evaluate put back what was there, also after an error.
    model:set_weights { cdl.tensor { { 7 } } }
    swap:set_model(model)
    local p = model:predict(x, { verbose = 0, callbacks = swap })
    assert.equal(during[#during], p[{ 1, 1 }])
    assert.equal(7, weight_of(model))
    problem_of(model.evaluate, model, x, y, { verbose = 0, callbacks = { swap,
      { on_test_batch_end = function() error "broken" end } } })
    assert.equal(7, weight_of(model))
    problem_of(model.fit, model, x, y, { verbose = 0, batch_size = 1, validation_data = { x, y }, callbacks = { swap,
      { on_test_begin = function() error "broken" end } } })
    assert.near(7 * 0.8 ^ 4, weight_of(model), 1e-5)
  end)
end)

describe("TimeLimit", function()
  it("stops after the batch in which the time is over", function()
    local batches, model = 0, new_model()
    local limit = callbacks.TimeLimit(1e-9)
    fit(model, function() batches = batches + 1 end, { epochs = 3 })
    assert.equal(12, batches)
    local history = model:fit(x, y, { batch_size = 1, epochs = 3, verbose = 0, callbacks = limit })
    assert.same({ 1 }, history.epoch)
    assert.equal("stop_training", history.stop_reason)
    assert.equal(1, limit.stopped_epoch)
    history = model:fit(x, y, { batch_size = 1, epochs = 3, verbose = 0,
      callbacks = callbacks.TimeLimit { seconds = 1e6 } })
    assert.equal(3, #history.epoch)
  end)

  it("counts the time before a break, and says that it stops", function()
    local limit = callbacks.TimeLimit { 100, verbose = 1 }
    limit:set_model { stop_training = false }
    limit:on_train_begin {}
    limit:on_epoch_begin(4)
    limit:on_train_batch_end(1)
    assert.is_false(limit.model.stop_training)
    limit:load_state { used = 100, stopped_epoch = 0 }
    assert.equal("\nEpoch 4: time limit of 100 seconds reached, stopping training",
      printed(function() limit:on_train_batch_end(2) end))
    assert.is_true(limit.model.stop_training)
    assert.is_true(limit:state().used >= 100)
    assert.matches("argument 'seconds' is missing", problem_of(callbacks.TimeLimit), 1, true)
    assert.matches("seconds must be greater than 0, got 0", problem_of(callbacks.TimeLimit, 0), 1, true)
  end)
end)

describe("an error in a hook", function()
  it("names the callback by its name, its class, or its place", function()
    local Mine = cdl.Callback:extend "Mine"
    function Mine:on_epoch_end() error "broken" end
    local named, mine, nameless = { name = "my logger", on_epoch_end = function() error "broken" end }, Mine(), {
      on_train_batch_end = function() error "broken" end }
    local function problem(callback)
      return problem_of(new_model().fit, new_model(), x, y, { verbose = 0, callbacks = { callbacks.TimeLimit(1e6),
        callback } })
    end
    assert.matches("callback_control_spec.lua:%d+: broken\nin callback 'my logger', on_epoch_end%(1%)\n"
      .. "stack traceback:", problem(named))
    assert.matches("\nin callback 2 (Mine), on_epoch_end(1)\n", problem(mine), 1, true)
    mine.name = "third"
    assert.matches("\nin callback 'third' (Mine), on_epoch_end(1)\n", problem(mine), 1, true)
    assert.matches("\nin callback 2, on_train_batch_end(1)\n", problem(nameless), 1, true)
  end)

  it("is told to on_exception of every callback, in evaluate and predict, too", function()
    local told = {}
    local listener = { on_exception = function(_, text) told[#told + 1] = text:match "broken" end }
    local model = new_model()
    local options = { verbose = 0, callbacks = { listener, { on_test_end = function() error "broken" end,
      on_predict_begin = function() error "broken" end } } }
    problem_of(model.evaluate, model, x, y, options)
    problem_of(model.predict, model, x, options)
    assert.same({ "broken", "broken" }, told)
  end)

  it("is told before the first batch, too: of set_model, set_params and a generator", function()
    local told
    local listener = { on_exception = function(self, text)
      told[1] = self.model and text
      error "not heard of"
    end, on_exit = function(_, reason) told[2] = reason end }
    local function problem_with(callback, data)
      told = {}
      local model = new_model()
      local problem = problem_of(model.fit, model, data or x, not data and y or nil,
        { verbose = 0, callbacks = { listener, callback } })
      assert.matches("^tests/lua/callback_control_spec.lua:%d+: broken$", told[1])
      assert.equal("error", told[2])
      return problem
    end
    assert.matches("callback_control_spec.lua:%d+: broken\nin callback 2, set_model\nstack traceback:",
      problem_with { set_model = function() error "broken" end })
    assert.matches("broken\nin callback 'mine', set_params\n",
      problem_with { name = "mine", set_params = function() error "broken" end }, 1, true)
    problem_with(false, function() error "broken" end)
  end)
end)

describe("runs_last", function()
  it("lets a callback come after all others in the hooks that it names", function()
    local order = {}
    local function note(name) return function() order[#order + 1] = name end end
    new_model():fit(x, y, { verbose = 0, callbacks = {
      { runs_last = { on_epoch_end = true }, on_epoch_begin = note "a begin", on_epoch_end = note "a end" },
      { on_epoch_begin = note "b begin", on_epoch_end = note "b end" } } })
    assert.same({ "a begin", "b begin", "b end", "a end" }, order)
  end)
end)

describe("profile_callbacks", function()
  it("gives the time of each callback's hooks, the dearest first, and prints it", function()
    local history
    local text = printed(function()
      history = fit(new_model(), nil, { epochs = 2, profile_callbacks = true, callbacks = {
        { name = "slow", on_train_batch_end = function(_, _, logs)
          local until_then = core.clock() + 2e-4
          repeat until core.clock() > until_then
          return logs
        end },
        { on_epoch_begin = function() end } } })
    end)
    local calls, seconds = {}, {}
    for i, cost in ipairs(history.profile) do
      local name = cost.callback .. " " .. cost.hook
      calls[name], seconds[name] = cost.calls, cost.seconds
      if i > 1 then assert.is_true(history.profile[i - 1].seconds >= cost.seconds) end
    end
    assert.is_true(seconds["slow on_train_batch_end"] >= 8 * 2e-4)
    assert.equal(8, calls["slow on_train_batch_end"])
    assert.equal(8, calls["(logs) on_train_batch_end"])
    assert.equal(2, calls["callback_1 on_epoch_begin"])
    assert.equal(1, calls["History_1 on_train_begin"])
    assert.matches("^callbacks took [%d.]+ s\n +seconds +share +calls +us/call +hook\n", text)
    assert.matches("\n +[%d.]+ +%d+%% +8 +[%d.]+ +slow on_train_batch_end\n", text)
  end)

  it("is not there when nobody asks", function()
    local history
    assert.equal("", printed(function() history = fit(new_model(), function() end) end))
    assert.is_nil(history.profile)
  end)
end)
