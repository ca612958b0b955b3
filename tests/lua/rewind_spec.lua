-- model:rewind(epoch): from hooks and after fit.
local cdl = require "cdl"
local capture = require "capture"
local core = require "cdl.core"
local folders = require "folder"
local serialize = require "cdl.serialize"
local callbacks, layers = cdl.callbacks, cdl.layers
local problem_of, warned = capture.problem_of, capture.warned

local folder
before_each(function() folder = folders.new() end)
after_each(function() folder:remove() end)

local function start()
  cdl.random.seed(5)
  local x = cdl.random.normal { shape = { 48, 4 } }
  local y = x:sum(2):gt(0):astype "int64"
  local model = cdl.Sequential { layers.Dense { 8, activation = "relu", input_shape = { 4 } }, layers.Dropout(0.3),
    layers.Dense { 2, activation = "softmax" } }
  model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "acc" } }
  return model, x, y
end

local function weights_of(model)
  local digests = {}
  for i, list in ipairs { model.weights, model.optimizer.variables } do
    for _, variable in ipairs(list) do digests[#digests + 1] = i .. core.digest { core.value(variable) } end
  end
  return table.concat(digests, " ")
end

local function fit(model, x, y, options, ...)
  local args = { batch_size = 8, epochs = 6, verbose = 0, validation_split = 0.25, callbacks = { ... } }
  for name, value in pairs(options) do args[name] = value end
  return model:fit(x, y, args)
end

-- A callback that rewinds once, at the number-th call of a hook.
local function back(hook, number, epoch, more)
  local calls = 0
  return { name = "back", [hook] = function(self)
    calls = calls + 1
    if calls ~= number then return end
    self.model:rewind(epoch)
    if more then more(self.model) end
  end }
end

describe("rewind in a hook", function()
  -- The run ends in the same bits whether or not it went back in between.
  local function check(options, ...)
    local function list(place)
      return callbacks.EarlyStopping { patience = 3, restore_best_weights = true }, callbacks.ReduceLROnPlateau {
        patience = 1, min_delta = 0.1 }, callbacks.CSVLogger(folder(place))
    end
    local model, x, y = start()
    local stop, reduce, csv = list "whole.csv"
    local whole = fit(model, x, y, options, stop, reduce, csv)
    local weights = weights_of(model)
    for _, way in ipairs { ... } do
      model, x, y = start()
      local epochs = {}
      stop, reduce, csv = list "back.csv"
      local history = fit(model, x, y, options, stop, reduce, csv, back(table.unpack(way)),
        { name = "last", on_epoch_begin = function(_, epoch) epochs[#epochs + 1] = epoch end })
      assert.is_true(#epochs > #whole.epoch, way[1])
      assert.equal(weights, weights_of(model), way[1])
      assert.equal(serialize.write(whole:state(), ""), serialize.write(history:state(), ""))
      assert.equal(folder:read "whole.csv", folder:read "back.csv")
    end
  end

  it("goes on with the same bits as then", function()
    check({}, { "on_epoch_end", 4, 2 }, { "on_train_batch_end", 13, 1 }, { "on_train_batch_begin", 13, 2 },
      { "on_epoch_begin", 4, 0 }, { "on_test_end", 3, 2 }, { "on_test_batch_end", 3, 1 }, { "on_test_begin", 3, 1 })
  end)

  it("does so within passes over the data", function()
    check({ steps_per_epoch = 2, validation_split = 1 / 3 }, { "on_epoch_end", 5, 3 }, { "on_train_batch_end", 7, 2 })
  end)

  it("ends the event there: later callbacks do not hear of it", function()
    local model, x, y = start()
    local heard = {}
    fit(model, x, y, { epochs = 3 }, back("on_epoch_end", 2, 1), { name = "later",
      on_epoch_end = function(_, epoch) heard[#heard + 1] = epoch end })
    assert.same({ 1, 2, 3 }, heard)
  end)

  it("lets the hook change what then comes", function()
    local model, x, y = start()
    local history = fit(model, x, y, { epochs = 4 }, back("on_epoch_end", 3, 1, function(m)
      m.optimizer.learning_rate = 0
    end))
    assert.same({ 1, 2, 3, 4 }, history.epoch)
    assert.equal(history.history.val_loss[1], history.history.val_loss[4])
  end)

  it("goes back from a wish to stop, and several times", function()
    local model, x, y = start()
    local times = 0
    local history = fit(model, x, y, { epochs = 3 }, { name = "again", on_epoch_end = function(self, epoch)
      if epoch < 3 or times == 3 then return end
      times = times + 1
      self.model.stop_training = true
      self.model:rewind(1)
    end })
    assert.same({ 1, 2, 3 }, history.epoch)
    assert.equal("completed", history.stop_reason)
  end)

  it("takes a generator's state back, or says that it cannot", function()
    local function run(make, way)
      local model, x, y = start()
      model:fit(make(x, y), { steps_per_epoch = 3, epochs = 4, verbose = 0, callbacks = { way or false } })
      return weights_of(model)
    end
    local function pages(x, y)
      local page = { at = 0, state = function(self) return { at = self.at } end,
        load_state = function(self, state) self.at = state.at end }
      return setmetatable(page, { __call = function(self)
        self.at = self.at % 6 + 1
        local rows = { { 8 * self.at - 7, 8 * self.at } }
        return x[rows], y[rows]
      end })
    end
    assert.equal(run(pages), run(pages, back("on_train_batch_end", 8, 1)))
    local function dataset(x, y)
      return cdl.data.Dataset(x, y):shuffle():map(function(a, b) return a, b end):batch(8)
    end
    assert.equal(run(dataset), run(dataset, back("on_train_batch_end", 8, 1)))
    local function plain(x, y) return function() return x, y end end
    assert.matches("rewind: the generator goes on where it is",
      warned(function() run(plain, back("on_epoch_end", 3, 1)) end), 1, true)
  end)

  it("works in a run that was continued", function()
    local model, x, y = start()
    fit(model, x, y, {})
    local weights = weights_of(model)
    model, x, y = start()
    problem_of(fit, model, x, y, { resume = folder "run" }, { name = "back", on_epoch_begin = function(_, epoch)
      if epoch == 4 then error "killed" end
    end })
    model, x, y = start()
    fit(model, x, y, { resume = folder "run" }, back("on_epoch_end", 2, 3))
    assert.equal(weights, weights_of(model))
  end)
end)

it("a run that went back and is cut short then goes on from where it went back to", function()
  local model, x, y = start()
  local function run(kill)
    local times = 0
    return fit(model, x, y, { resume = folder "run", epochs = 5 }, { name = "back", on_epoch_end = function(self, epoch)
      if epoch ~= 4 then return end
      self.model:rewind(2)
      self.model.optimizer.learning_rate = 0.5
    end, on_train_batch_begin = function(self)
      times = times + 1
      if times == kill then error "killed" end
      if self.model.optimizer.learning_rate == 0.5 then self.on_epoch_end = nil end
    end })
  end
  problem_of(run, 21) -- the first batch of epoch 3, the second time
  model, x, y = start()
  local history = run()
  assert.same({ 1, 2, 3, 4, 5 }, history.epoch)
  assert.equal(0.5, model.optimizer.learning_rate)
end)

describe("rewind after fit", function()
  it("lets another fit go on with the same bits", function()
    local model, x, y = start()
    fit(model, x, y, {})
    local weights = weights_of(model)
    model:rewind(3)
    assert.is_false(weights == weights_of(model))
    local history = fit(model, x, y, { initial_epoch = 4 })
    assert.same({ 4, 5, 6 }, history.epoch)
    assert.equal(weights, weights_of(model))
  end)
end)

describe("rewind", function()
  it("knows the epochs that are kept", function()
    local model, x, y = start()
    assert.matches("has not been fitted yet", problem_of(model.rewind, model, 1), 1, true)
    fit(model, x, y, { epochs = 5, keep_epochs = 2 })
    assert.matches("the state after epoch 2 is not kept; kept are those after 4, 5 (fit's keep_epochs",
      problem_of(model.rewind, model, 2), 1, true)
    model:rewind(4)
    fit(model, x, y, { epochs = 2, keep_epochs = 0 })
    assert.matches("none is (fit's keep_epochs", problem_of(model.rewind, model, 1), 1, true)
    assert.matches("rewind", problem_of(model.rewind, model, "x"), 1, true)
  end)

  it("names what could not be kept", function()
    local model, x, y = start()
    fit(model, x, y, {}, { name = "mine", state = function() return 5 end })
    assert.matches("the last one could not be, since callback 'mine': state() must return a table, got 5",
      problem_of(model.rewind, model, 1), 1, true)
    model = cdl.Sequential { layers.Dense { 5000, input_shape = { 4 } }, layers.Dense(1200), layers.Dense(2) }
    model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy" }
    model:fit(x, y, { verbose = 0, batch_size = 48 })
    assert.matches("it takes 69 MB, and all of them may take 32 MB where keep_epochs is not given",
      problem_of(model.rewind, model, 0), 1, true)
    model:fit(x, y, { verbose = 0, batch_size = 48, keep_epochs = 1 })
    model:rewind(1)
  end)

  it("is refused where there is nothing to go back to", function()
    local model, x, y = start()
    local function refused(hook, act)
      return problem_of(fit, model, x, y, { epochs = 2 }, { name = "back", [hook] = act or function(self)
        self.model:rewind(1)
      end })
    end
    assert.matches("training has ended; call it after fit", refused "on_train_end", 1, true)
    assert.matches("a hook of that fit may call it, and nothing within it", refused("on_epoch_end", function(self)
      self.model:predict(x, { verbose = 0, callbacks = { { on_predict_end = function() model:rewind(0) end } } })
    end), 1, true)
    assert.matches("a hook of that fit may call it", problem_of(model.fit, model, function()
      model:rewind(0)
      return x, y
    end, { steps_per_epoch = 2, verbose = 0 }), 1, true)
  end)
end)
