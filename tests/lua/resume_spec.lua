-- Runs that go on within an epoch, at the batch: fit's `resume` and BackupAndRestore with save_freq.
local cdl = require "cdl"
local capture = require "capture"
local core = require "cdl.core"
local serialize = require "cdl.serialize"
local folders = require "folder"
local callbacks, layers = cdl.callbacks, cdl.layers
local warned, problem_of = capture.warned, capture.problem_of

local folder
before_each(function() folder = folders.new() end)
after_each(function() folder:remove() end)

local ROWS, BATCH = 64, 8

-- What a script does when it is started.
local function start()
  cdl.random.seed(7)
  local x = cdl.random.normal { shape = { ROWS, 4 } }
  local y = x:sum(2):gt(0):astype "int64"
  local model = cdl.Sequential { layers.GaussianNoise { 0.1, input_shape = { 4 } }, layers.Dense { 8,
    activation = "relu" }, layers.BatchNormalization(), layers.Dropout(0.25),
    layers.Dense { 2, activation = "softmax" } }
  model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "acc" } }
  return model, x, y
end

-- Everything that a run leaves, in lines: weights, optimizer, history, what the user's callback has
-- seen, and whether the random numbers go on alike.
local function outcome(model, history, seen)
  local lines = {}
  local function add(name, value) lines[#lines + 1] = name .. " " .. serialize.write(value, name) end
  for name, list in pairs { weight = model.weights, slot = model.optimizer.variables } do
    for i, variable in ipairs(list) do add(("%s %d"):format(name, i), core.digest { core.value(variable) }) end
  end
  table.sort(lines)
  for i, entry in ipairs(seen.list) do add("seen " .. i, entry) end
  add("history", history.history)
  add("epochs", history.epoch)
  add("stop_reason", history.stop_reason)
  add("next", cdl.random.uniform({ 1 }):item())
  return lines
end

-- Notes the logs of all batches, and draws a number of its own with each.
local Observer = cdl.Callback:extend "Observer"
function Observer:init(options)
  self.list, self.batches, self.stop = {}, 0, options.stop
  self.draw = options.jit and options.jit()
end
function Observer:on_train_batch_end(batch, logs)
  self.batches = self.batches + 1
  self.list[#self.list + 1] = { batch, logs.loss, logs.acc, cdl.random.uniform({ 1 }):item() }
  if self.draw then self.list[#self.list + 1] = self.draw(cdl.zeros { 1 }):item() end
  if self.batches == self.stop then self.model.stop_training = true end
end
function Observer:on_test_end(logs) self.list[#self.list + 1] = { "test", logs.loss } end
function Observer:on_epoch_begin(epoch)
  self.list[#self.list + 1] = { "begin", epoch }
  self.model.optimizer.learning_rate = self.model.optimizer.learning_rate * 0.9
end
function Observer:state() return { list = self.list, batches = self.batches } end
function Observer:load_state(state) self.list, self.batches = state.list, state.batches end

-- The run of a script; it ends with an error at the begin of batch `kill`, counted over epochs.
local function run(place, kill, options)
  local model, x, y = start()
  local seen, count = Observer(options), 0
  local args = { epochs = 3, verbose = 0, batch_size = not options.data and BATCH or nil,
    validation_split = not options.data and not options.validation and 0.25 or 0,
    steps_per_epoch = options.steps, validation_steps = options.validation_steps }
  if options.validation then args.validation_data = options.validation(x, y) end
  args.callbacks = { callbacks.EarlyStopping { patience = 5, restore_best_weights = true, monitor = "loss" }, seen,
    { name = "killer", on_train_batch_begin = function()
      count = count + 1
      if count == kill then error "killed" end
    end }, callbacks.BackupAndRestore { folder(place), save_freq = options.save_freq or 2,
      delete_checkpoint = false } }
  local history
  if options.data then history = model:fit(options.data(x, y), args) else history = model:fit(x, y, args) end
  return outcome(model, history, seen), seen, history
end

-- The first line that differs, of both.
local function difference(a, b)
  for i = 1, math.max(#a, #b) do
    if a[i] ~= b[i] then return ("was %s, is %s"):format(a[i], b[i]) end
  end
  return "none"
end

-- Kills the run at every so many of the batches, and goes on.
local function check(options)
  local whole, seen = run("whole", nil, options)
  for kill = options.first or 2, seen.batches, options.every or 6 do
    local place = "cut" .. kill
    assert.matches("killed", problem_of(run, place, kill, options), 1, true)
    local got
    assert.equal("", warned(function() got = run(place, nil, options) end))
    assert.equal("none", difference(whole, got), ("killed at batch %d"):format(kill))
  end
  folder:remove()
  os.execute("mkdir " .. folder.path)
end

-- A run that ends so, each of whose snapshots is written before the next batch.
local function cut_short(kill, options)
  capture.with_core("safetensors_save_aside", function() end, function() problem_of(run, "cut", kill, options) end)
end

describe("a run that was cut short goes on at the batch", function()
  it("with tensors", function() check { first = 1, every = 3, save_freq = 1 } end)

  it("with passes that are longer than an epoch", function() check { steps = 3 } end)

  it("from the last of fewer snapshots", function() check { save_freq = 4 } end)

  it("when it was told to stop within the epoch", function()
    check { stop = 9, first = 8, every = 1, save_freq = 1 }
  end)

  it("with a dataset that is shuffled, changed at random and drawn ahead", function()
    local function data(x, y)
      return cdl.data.Dataset(x, y):shuffle(10):map(function(a, b)
        return a + cdl.random.normal { shape = { 4 }, stddev = 0.1 }, b
      end):shuffle(7):batch(BATCH):prefetch(2)
    end
    check { data = data }
    check { data = data, steps = 4 }
    check { data = function(x, y) return cdl.data.Dataset(x, y):shuffle():batch(BATCH) end }
  end)

  it("with traced functions that draw, in the data and in hooks", function()
    local noise = function(a) return a + cdl.random.normal { shape = a.shape, stddev = 0.1 } end
    check { jit = function() return cdl.jit(noise) end, data = function(x, y)
      local traced = cdl.jit(noise)
      return cdl.data.Dataset(x, y):map(function(a, b) return traced(a), b end):shuffle(9):batch(BATCH)
    end }
  end)

  it("with a dataset that is kept in memory", function()
    check { data = function(x, y)
      return cdl.data.Dataset(x, y):map(function(a, b) return a * cdl.random.uniform { 4 }, b end):cache()
        :shuffle(20):batch(BATCH)
    end }
  end)

  it("with a generator that begins anew", function()
    check { data = function(x, y)
      return cdl.data.from_generator(function()
        local at = 0
        return function()
          at = at + 1
          if at > ROWS / BATCH then return nil end
          local rows = { { (at - 1) * BATCH + 1, at * BATCH } }
          return x[rows] + cdl.random.normal { shape = { BATCH, 4 }, stddev = 0.1 }, y[rows]
        end
      end)
    end }
  end)

  -- Endless batches from an object that tells where it is.
  local function pages(x, y)
    local page = { at = 0 }
    function page:state() return { at = self.at } end
    function page:load_state(state) self.at = state.at end
    return setmetatable(page, { __call = function(self)
      self.at = self.at % (ROWS / BATCH) + 1
      local rows = { { (self.at - 1) * BATCH + 1, self.at * BATCH } }
      return x[rows] + cdl.random.normal { shape = { BATCH, 4 }, stddev = 0.1 }, y[rows]
    end })
  end

  it("with generators that tell where they are", function()
    check { data = pages, steps = 4, validation = pages, validation_steps = 2 }
  end)

  it("with validation data that are drawn at random", function()
    check { validation = function(x, y)
      return cdl.data.Dataset(x, y):map(function(a, b) return a * cdl.random.uniform { 4 }, b end):batch(BATCH)
    end }
  end)
end)

it("a long epoch is saved on the way, by time", function()
  local model, x, y = start()
  local keeper = callbacks.BackupAndRestore { folder "run", delete_checkpoint = false }
  keeper:save_every(1e-6)
  problem_of(model.fit, model, x, y, { batch_size = BATCH, verbose = 0, callbacks = { keeper,
    { name = "killer", on_train_batch_begin = function(_, batch)
      keeper:wait()
      if batch == 5 then error "killed" end
    end } } })
  assert.equal(4, require "cdl.snapshot".read(folder "run/latest.safetensors").batch)
end)

describe("a generator that cannot tell where it was", function()
  local function endless(x, y) return function() return x[{ { 1, BATCH } }], y[{ { 1, BATCH } }] end end

  it("lets the epoch begin again, with a warning", function()
    local options = { data = endless, steps = 4 }
    cut_short(7, options)
    local _, seen, history
    local text = warned(function() _, seen, history = run("cut", nil, options) end)
    assert.matches("its generator cannot tell where it was: it begins anew, and so does epoch 2", text, 1, true)
    assert.same({ 1, 2, 3 }, history.epoch)
    local begins = {}
    for _, entry in ipairs(seen.list) do
      if entry[1] == "begin" then begins[#begins + 1] = entry[2] end
    end
    assert.same({ 1, 2, 2, 3 }, begins)
  end)

  it("is named when it validates", function()
    local options = { validation = endless, validation_steps = 2 }
    cut_short(9, options)
    assert.matches("its validation generator cannot tell where it was",
      warned(function() run("cut", nil, options) end), 1, true)
  end)
end)

it("metrics that are others begin anew, and are named", function()
  cut_short(9, {})
  local compile = cdl.Sequential.compile
  finally(function() cdl.Sequential.compile = compile end)
  cdl.Sequential.compile = function(self, args)
    args.metrics = { "sparse_top_k_categorical_accuracy" }
    return compile(self, args)
  end
  local text = warned(function() run("cut", nil, {}) end)
  assert.matches("the metric 'sparse_top_k_categorical_accuracy': is new\n  the metric 'acc': is missing", text, 1,
    true)
end)
