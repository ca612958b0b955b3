-- Callbacks driven by hand, outside any fit.
local cdl = require "cdl"
local callbacks = require "cdl.callbacks"
local core = require "cdl.core"

local nan, inf = 0 / 0, math.huge

-- What f writes with print, as one string.
local function printed(f)
  local lines, original = {}, print
  _G.print = function(...)
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = tostring(parts[i]) end
    lines[#lines + 1] = table.concat(parts, "\t")
  end
  local ok, problem = pcall(f)
  _G.print = original
  if not ok then error(problem, 0) end
  return table.concat(lines, "\n")
end

-- The warnings that f gives.
local function warned(f)
  local texts, original = {}, core.warn
  core.warn = function(text) texts[#texts + 1] = text end
  local ok, problem = pcall(f)
  core.warn = original
  if not ok then error(problem, 0) end
  return table.concat(texts, "\n")
end

-- A model whose weights are one number; directions as compiled metrics give them.
local function new_model(rate)
  local directions = { mse = "min", accuracy = "max", acc = "max", f1_score = "max", hinge = "min" }
  return {
    optimizer = { learning_rate = rate or 0.1 }, weight = 0, stop_training = false,
    get_weights = function(self) return { self.weight } end,
    set_weights = function(self, weights) self.weight = weights[1] end,
    _metric_direction = function(_, name) return directions[name] end,
  }
end

-- Runs a callback over values of a metric, one per epoch, as fit would; gives the last epoch.
local function drive(callback, model, name, values, each)
  callback:set_model(model)
  if callback.on_train_begin then callback:on_train_begin {} end
  local last = 0
  for epoch, value in ipairs(values) do
    last = epoch
    model.weight = epoch
    if callback.on_epoch_begin then callback:on_epoch_begin(epoch, {}) end
    local logs = { [name] = value }
    callback:on_epoch_end(epoch, logs)
    if each then each(epoch, logs) end
    if model.stop_training then break end
  end
  if callback.on_train_end then callback:on_train_end {} end
  return last
end

describe("the callbacks module", function()
  it("lists its classes in order and has no others", function()
    local names = {}
    for name, class in pairs(callbacks) do
      names[#names + 1] = name
      assert.equal("table", type(class))
    end
    assert.equal("BackupAndRestore CSVLogger Callback EarlyStopping History LambdaCallback "
      .. "LearningRateScheduler ModelCheckpoint ProgbarLogger ReduceLROnPlateau RemoteMonitor SwapEMAWeights "
      .. "TensorBoard TerminateOnNaN TimeLimit", table.concat(names, " "))
    assert.is_nil(callbacks.EarlyStoping)
  end)

  it("has a base class without hooks", function()
    for name in pairs(callbacks.Callback) do assert.is_nil(name:find "^on_") end
    local mine = callbacks.Callback:extend "Mine" ()
    mine:set_model(7)
    mine:set_params { epochs = 3 }
    assert.equal(7, mine.model)
    assert.equal(3, mine.params.epochs)
  end)
end)

describe("watching a metric", function()
  local function direction(monitor, mode)
    local callback = callbacks.EarlyStopping { monitor = monitor, mode = mode }
    callback:set_model(new_model())
    return callback:monitor_direction()
  end

  it("takes the direction from the mode or the compiled metric", function()
    assert.equal("max", direction("val_mse", "max"))
    assert.equal("min", direction("val_loss", "min"))
    assert.equal("min", direction("val_mse", "auto"))
    assert.equal("min", direction("loss", "auto"))
    assert.equal("max", direction("acc", "auto"))
    assert.equal("max", direction("val_accuracy", "auto"))
    assert.equal("min", direction("hinge", "auto"))
    assert.equal("max", direction("f1_score", "auto"))
    assert.has_error(function() direction("unknown", "auto") end, nil)
    local _, problem = pcall(direction, "unknown", "auto")
    assert.matches("EarlyStopping: whether 'unknown' should go up or down", problem, 1, true)
  end)

  it("falls back to auto for a mode that there is not", function()
    local callback
    local text = warned(function() callback = callbacks.EarlyStopping { mode = "unknown" } end)
    assert.equal("EarlyStopping mode 'unknown' is unknown, fallback to auto mode", text)
    assert.equal("auto", callback.mode)
  end)

  it("counts as an improvement only more than min_delta", function()
    local up = callbacks.EarlyStopping { monitor = "x", mode = "max", min_delta = 0.5 }
    assert.is_true(up:is_improvement(0.75, 0))
    assert.is_true(up:is_improvement(0.5, nil))
    assert.is_false(up:is_improvement(0.5, 0))
    assert.is_false(up:is_improvement(0.2, 0.5))
    local down = callbacks.EarlyStopping { monitor = "x", mode = "min", min_delta = -0.5 }
    assert.is_true(down:is_improvement(0, 0.75))
    assert.is_false(down:is_improvement(0, 0.5))
    assert.is_false(down:is_improvement(nan, 0.5))
  end)
end)

describe("EarlyStopping", function()
  local losses = { 10, 9, 8, 9, 8.9, 8.8, 8.7, 8.6, 8.5 }

  it("stops after so many epochs without improvement", function()
    for patience, stopped in pairs { [0] = 4, [1] = 4, [2] = 5, [3] = 6 } do
      local callback, model = callbacks.EarlyStopping { monitor = "loss", patience = patience }, new_model()
      assert.equal(stopped, drive(callback, model, "loss", losses))
      assert.equal(stopped, callback.stopped_epoch)
      assert.equal(3, callback.best_epoch)
      assert.equal(8, callback.best)
    end
  end)

  it("never stops at epoch 1, nor when the metric goes on improving", function()
    local callback, model = callbacks.EarlyStopping { monitor = "loss" }, new_model()
    assert.equal(2, drive(callback, model, "loss", { nan, nan, nan }))
    model = new_model()
    assert.equal(4, drive(callback, model, "loss", { 4, 3, 2, 1 }))
    assert.equal(0, callback.stopped_epoch)
  end)

  it("begins anew with each fit", function()
    local callback = callbacks.EarlyStopping()
    callback.best, callback.wait, callback.stopped_epoch, callback.best_epoch = 0.1, 3, 5, 5
    callback.best_weights = {}
    callback:on_train_begin {}
    assert.is_nil(callback.best)
    assert.is_nil(callback.best_weights)
    assert.same({ 0, 0, 0 }, { callback.wait, callback.stopped_epoch, callback.best_epoch })
  end)

  it("restores the best weights, whoever ended training", function()
    local args = { patience = 2, restore_best_weights = true }
    local model = new_model()
    assert.equal(5, drive(callbacks.EarlyStopping(args), model, "val_loss", { .2, .15, .1, .11, .12 }))
    assert.equal(3, model.weight)
    model = new_model()
    args.patience, args.baseline = 5, 0.5
    drive(callbacks.EarlyStopping(args), model, "val_loss", { .9, .8, .7, .71, .72, .73 })
    assert.equal(3, model.weight)
    model = new_model()
    local ended = drive(callbacks.EarlyStopping(args), model, "val_loss", { .9, .8, .7, .71, .72, .73 },
      function(epoch) if epoch == 4 then model.stop_training = true end end)
    assert.equal(4, ended)
    assert.equal(3, model.weight)
  end)

  it("waits on below a baseline that is not reached", function()
    -- Every epoch improves, none reaches the baseline: an improving epoch never stops.
    local model = new_model()
    local callback = callbacks.EarlyStopping { monitor = "loss", baseline = 0.1, patience = 2 }
    assert.equal(6, drive(callback, model, "loss", { 6, 5, 4, 3, 2, 1 }))
    assert.equal(6, callback.wait)
    model = new_model()
    callback = callbacks.EarlyStopping { monitor = "loss", baseline = 0.1, patience = 2 }
    assert.equal(4, drive(callback, model, "loss", { 6, 5, 4, 4, 4 }))
  end)

  it("ignores the first epochs when asked to", function()
    local callback = callbacks.EarlyStopping { monitor = "loss", start_from_epoch = 2, patience = 0 }
    assert.equal(4, drive(callback, new_model(), "loss", { 1, 2, 3, 4, 5 }))
    assert.equal(3, callback.best_epoch)
  end)

  it("warns when the metric is missing", function()
    local callback = callbacks.EarlyStopping { monitor = "val_loss" }
    local text = warned(function() drive(callback, new_model(), "loss", { 1 }) end)
    assert.equal("Early stopping conditioned on metric `val_loss` which is not available. "
      .. "Available metrics are: loss", text)
    assert.equal(0, callback.wait)
  end)

  it("says what it does", function()
    local callback = callbacks.EarlyStopping { monitor = "loss", verbose = 1, restore_best_weights = true }
    local text = printed(function() drive(callback, new_model(), "loss", losses) end)
    assert.equal("Epoch 4: early stopping\n"
      .. "Restoring model weights from the end of the best epoch: 3.", text)
  end)

  it("carries its counters in its state", function()
    local first = callbacks.EarlyStopping { monitor = "loss", patience = 3 }
    drive(first, new_model(), "loss", { 5, 6, 7 })
    local second = callbacks.EarlyStopping { monitor = "loss", patience = 3 }
    second:set_model(new_model())
    second:load_state(first:state())
    second:on_epoch_end(4, { loss = 8 })
    assert.equal(4, second.stopped_epoch)
    assert.equal(5, second.best)
  end)

  it("refuses wrong arguments at the caller's line", function()
    local ok, problem = pcall(function() callbacks.EarlyStopping { patience = "3" } end)
    assert.is_false(ok)
    assert.matches("callbacks_spec.lua:%d+: EarlyStopping: patience must be an integer", problem)
    ok, problem = pcall(function() callbacks.EarlyStopping { patince = 3 } end)
    assert.is_false(ok)
    assert.matches("did you mean 'patience'", problem)
  end)
end)

describe("ReduceLROnPlateau", function()
  local function rates(args, values, rate)
    local model, seen = new_model(rate), {}
    args.monitor = args.monitor or "loss"
    drive(callbacks.ReduceLROnPlateau(args), model, "loss", values,
      function(epoch) seen[epoch] = model.optimizer.learning_rate end)
    return seen
  end

  local function near(want, got)
    assert.equal(#want, #got)
    for i, rate in ipairs(want) do assert.near(rate, got[i], 1e-9) end
  end

  it("lowers the rate after so many epochs without improvement", function()
    near({ 0.1, 0.1, 0.05, 0.05, 0.025 }, rates({ patience = 2, factor = 0.5 }, { 1, 1, 1, 1, 1 }))
    near({ 0.1, 0.01, 0.001 }, rates({ patience = 1 }, { 1, 1, 1 }))
    near({ 0.1, 0.01 }, rates({ patience = 0, min_delta = 100 }, { 1, 0.5 }))
    near({ 0.1, 0.1, 0.1 }, rates({ patience = 1 }, { 3, 2, 1 }))
  end)

  it("waits after a reduction", function()
    near({ 0.1, 0.01, 0.01, 0.001, 0.001 },
      rates({ patience = 1, cooldown = 2, min_delta = 100 }, { 1, 1, 1, 1, 1 }))
  end)

  it("stops at the least rate", function()
    near({ 0.1, 0.01, 0.005, 0.005 }, rates({ patience = 1, min_lr = 0.005, min_delta = 10 }, { 1, 1, 1, 1 }))
  end)

  it("logs the rate of the epoch, before a reduction", function()
    local seen = {}
    local callback = callbacks.ReduceLROnPlateau { monitor = "loss", patience = 1 }
    drive(callback, new_model(), "loss", { 1, 1, 1 }, function(epoch, logs)
      seen[epoch] = logs.learning_rate
    end)
    near({ 0.1, 0.1, 0.01 }, seen)
  end)

  it("says what it does, and warns when the metric is missing", function()
    local text = printed(function() rates({ patience = 1, verbose = 1 }, { 1, 1 }) end)
    assert.equal("\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.01.", text)
    text = warned(function() rates({ monitor = "val_loss" }, { 1 }) end)
    assert.matches("Learning rate reduction is conditioned on metric `val_loss`", text, 1, true)
  end)

  it("begins anew, and refuses a factor that does not lower", function()
    local callback = callbacks.ReduceLROnPlateau()
    callback.best, callback.wait, callback.cooldown_counter = 0.5, 3, 2
    callback:on_train_begin {}
    assert.is_nil(callback.best)
    assert.same({ 0, 0 }, { callback.wait, callback.cooldown_counter })
    assert.has_error(function() callbacks.ReduceLROnPlateau { factor = 1 } end)
  end)

  it("carries its counters in its state", function()
    local first = callbacks.ReduceLROnPlateau { monitor = "loss", patience = 3 }
    drive(first, new_model(), "loss", { 1, 1, 1 })
    local second, model = callbacks.ReduceLROnPlateau { monitor = "loss", patience = 3 }, new_model()
    second:set_model(model)
    second:load_state(first:state())
    second:on_epoch_end(4, { loss = 1 })
    assert.near(0.01, model.optimizer.learning_rate, 1e-9)
  end)
end)

describe("LearningRateScheduler", function()
  it("sets each epoch's rate and logs it", function()
    local model, seen = new_model(0.4), {}
    local callback = callbacks.LearningRateScheduler(function(epoch, rate) return rate / (epoch + 1) end)
    drive(callback, model, "loss", { 1, 1 }, function(epoch, logs) seen[epoch] = logs.learning_rate end)
    assert.near(0.2, seen[1], 1e-12)
    assert.near(0.2 / 3, seen[2], 1e-12)
  end)

  it("takes any number and nothing else", function()
    local model = new_model()
    drive(callbacks.LearningRateScheduler { schedule = function() return 1 end }, model, "loss", { 1 })
    assert.equal(1, model.optimizer.learning_rate)
    local ok, problem = pcall(drive, callbacks.LearningRateScheduler(function() return "fast" end), model,
      "loss", { 1 })
    assert.is_false(ok)
    assert.matches("output of the schedule function should be a number, got \"fast\"", problem, 1, true)
    assert.has_error(function() callbacks.LearningRateScheduler() end)
  end)

  it("says what it does", function()
    local callback = callbacks.LearningRateScheduler(function(epoch) return 1 / epoch end, 1)
    local text = printed(function() drive(callback, new_model(), "loss", { 1, 1 }) end)
    assert.equal("\nEpoch 1: LearningRateScheduler setting learning rate to 1.0.\n"
      .. "\nEpoch 2: LearningRateScheduler setting learning rate to 0.5.", text)
  end)
end)

describe("CSVLogger", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function content()
    local file <close> = assert(io.open(path, "rb"))
    return file:read "a"
  end

  local function run(callback, rows)
    callback:set_model(new_model())
    callback:on_train_begin {}
    for epoch, logs in ipairs(rows) do callback:on_epoch_end(epoch, logs) end
    callback:on_train_end {}
  end

  it("writes a header and a row for each epoch", function()
    run(callbacks.CSVLogger(path), { { loss = 0.5, val_loss = 0.25, acc = 1 / 3 }, { loss = 1e-5, val_loss = 1 } })
    assert.equal("epoch,acc,loss,val_loss\r\n1,0.3333333333333333,0.5,0.25\r\n2,NA,1e-05,1\r\n", content())
  end)

  it("has val_ columns also when the first epoch was not validated", function()
    run(callbacks.CSVLogger(path), { { loss = 0.5, learning_rate = 0.1 },
      { loss = 0.25, learning_rate = 0.1, val_loss = 2.5 } })
    assert.equal("epoch,learning_rate,loss,val_learning_rate,val_loss\r\n1,0.1,0.5,NA,NA\r\n"
      .. "2,0.1,0.25,NA,2.5\r\n", content())
  end)

  it("writes what is no finite number, lists, and names that need quotes", function()
    run(callbacks.CSVLogger(path), { { a = nan, b = inf, c = -inf, d = { 1.5, 2.5 }, ['e"x'] = "u,v", val_a = 1.0 } })
    assert.equal('epoch,a,b,c,d,"e""x",val_a\r\n1,nan,inf,-inf,"[1.5, 2.5]","u,v",1.0\r\n', content())
  end)

  it("appends without a second header", function()
    local rows = { { loss = 0.5, val_loss = 1.5 } }
    run(callbacks.CSVLogger { path, separator = "\t" }, rows)
    local second = callbacks.CSVLogger { path, separator = "\t", append = true }
    run(second, rows)
    run(second, { rows[1], rows[1] })
    local text = content()
    local _, lines = text:gsub("\r\n", "")
    local _, headers = text:gsub("epoch", "")
    local _, tabs = text:gsub("\t", "")
    assert.same({ 5, 1, 10 }, { lines, headers, tabs })
    run(callbacks.CSVLogger { path }, rows)
    assert.equal("epoch,loss,val_loss\r\n1,0.5,1.5\r\n", content())
  end)

  it("has each row in the file at once", function()
    local callback = callbacks.CSVLogger(path)
    callback:on_train_begin {}
    callback:on_epoch_end(1, { val_loss = 0.5 })
    assert.equal("epoch,val_loss\r\n1,0.5\r\n", content())
    callback:on_exit "error"
    assert.is_nil(callback.file)
  end)

  it("names a folder that there is not", function()
    local ok, problem = pcall(run, callbacks.CSVLogger "/nowhere/at/all.csv", {})
    assert.is_false(ok)
    assert.matches("CSVLogger: cannot write /nowhere/at/all.csv: No such file", problem, 1, true)
  end)
end)

describe("ModelCheckpoint", function()
  local folder, saved
  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    saved = {}
  end)
  after_each(function() os.execute(("rm -r '%s' 2> /dev/null"):format(folder)) end)

  local function saving_model()
    local model = new_model()
    model.save_weights = function(_, path) saved[#saved + 1] = "weights " .. path:sub(#folder + 2) end
    model.save = function(_, path) saved[#saved + 1] = "model " .. path:sub(#folder + 2) end
    return model
  end

  local function checkpoint(name, args)
    args = args or {}
    args.filepath = folder .. "/" .. name
    if args.save_weights_only == nil then args.save_weights_only = true end
    return callbacks.ModelCheckpoint(args)
  end

  it("saves at the end of each epoch under the formatted name", function()
    drive(checkpoint "w{epoch:02d}-{val_loss:.2f}.npz", saving_model(), "val_loss", { 0.5, 0.25 })
    assert.same({ "weights w01-0.50.npz", "weights w02-0.25.npz" }, saved)
    saved = {}
    drive(checkpoint("m.keras", { save_weights_only = false }), saving_model(), "val_loss", { 0.5 })
    assert.same({ "model m.keras" }, saved)
  end)

  it("saves the best only", function()
    local callback = checkpoint("b{epoch}.npz", { save_best_only = true })
    drive(callback, saving_model(), "val_loss", { 0.5, 0.6, 0.4, nan, 0.4 })
    assert.same({ "weights b1.npz", "weights b3.npz" }, saved)
    assert.equal(0.4, callback.best)
    drive(callback, saving_model(), "val_loss", { 0.45, 0.3 }) -- best is kept over fits
    assert.equal("weights b2.npz", saved[3])
    assert.equal(3, #saved)
  end)

  it("begins at a threshold", function()
    local function count(threshold, monitor, mode, value)
      saved = {}
      drive(checkpoint("t.npz", { save_best_only = true, initial_value_threshold = threshold,
        monitor = monitor, mode = mode }), saving_model(), monitor, { value })
      return #saved
    end
    assert.equal(1, count(-0.01, "val_acc", "max", 0.5))
    assert.equal(1, count(nil, "val_loss", "auto", 0.5))
    assert.equal(0, count(0, "val_loss", "min", 0.5))
    assert.equal(0, count(0, "val_loss", "auto", 0.5))
    assert.equal(0, count(1, "val_accuracy", "auto", 0.5))
  end)

  it("saves all the same when the metric is missing, with a warning", function()
    local callback = checkpoint("u.npz", { save_best_only = true, monitor = "unknown", mode = "min" })
    local text = warned(function() drive(callback, saving_model(), "loss", { 1 }) end)
    assert.matches("Can save best model only with unknown available", text, 1, true)
    assert.equal(1, #saved)
  end)

  it("saves after every so many batches, counted over epochs", function()
    local callback, model = checkpoint("epoch{epoch:02d}.npz", { save_freq = 15 }), saving_model()
    callback:set_model(model)
    for epoch = 1, 10 do
      callback:on_epoch_begin(epoch, {})
      for batch = 1, 5 do callback:on_train_batch_end(batch, { loss = 1 }) end
      callback:on_epoch_end(epoch, { loss = 1 })
    end
    assert.same({ "weights epoch03.npz", "weights epoch06.npz", "weights epoch09.npz" }, saved)
    saved = {}
    callback = checkpoint("e{epoch}b{batch}.npz", { save_freq = 1 })
    callback:set_model(model)
    for epoch = 1, 2 do
      callback:on_epoch_begin(epoch, {})
      for batch = 1, 2 do callback:on_train_batch_end(batch, {}) end
    end
    assert.same({ "weights e1b1.npz", "weights e1b2.npz", "weights e2b1.npz", "weights e2b2.npz" }, saved)
    assert.equal(core.idle_hook, checkpoint("e.npz").on_train_batch_end)
  end)

  it("compares within the first epoch, too", function()
    local callback = checkpoint("e{batch}.npz", { save_freq = 1, save_best_only = true, monitor = "loss" })
    callback:set_model(saving_model())
    callback:on_epoch_begin(1, {})
    for batch, loss in ipairs { 3, 4, 2 } do callback:on_train_batch_end(batch, { loss = loss }) end
    assert.same({ "weights e1.npz", "weights e3.npz" }, saved)
  end)

  it("makes the folders of its file", function()
    drive(checkpoint "a/b/w.npz", saving_model(), "val_loss", { 1 })
    assert.is_true(os.rename(folder .. "/a/b", folder .. "/a/c"))
  end)

  it("says what it does", function()
    local callback = checkpoint("w.npz", { save_best_only = true, verbose = 1 })
    local path = folder .. "/w.npz"
    local text = printed(function() drive(callback, saving_model(), "val_loss", { 0.5, 0.6, 0.25 }) end)
    assert.equal(("\nEpoch 1: val_loss improved from None to 0.50000, saving model to %s\n"
      .. "\nEpoch 1: finished saving model to %s\n"
      .. "\nEpoch 2: val_loss did not improve from 0.50000\n"
      .. "\nEpoch 3: val_loss improved from 0.50000 to 0.25000, saving model to %s\n"
      .. "\nEpoch 3: finished saving model to %s"):format(path, path, path, path), text)
  end)

  it("refuses file names and frequencies that cannot be", function()
    local function problem_of(args)
      local ok, problem = pcall(callbacks.ModelCheckpoint, args)
      assert.is_false(ok)
      return problem
    end
    assert.matches("must end in .weights.h5, .npz, .safetensors", problem_of { "w.keras", save_weights_only = true },
      1, true)
    assert.matches("must end in .keras", problem_of { "w.npz" }, 1, true)
    assert.matches("unrecognized save_freq \"often\"", problem_of { "w.keras", save_freq = "often" }, 1, true)
    assert.matches("save_freq 0", problem_of { "w.keras", save_freq = 0 }, 1, true)
    local ok, problem = pcall(drive, checkpoint "{nothing}.npz", saving_model(), "val_loss", { 1 })
    assert.is_false(ok)
    assert.matches("there is no 'nothing'; there are epoch, val_loss", problem, 1, true)
  end)

  it("carries best value and counter in its state", function()
    local first = checkpoint("w.npz", { save_best_only = true })
    drive(first, saving_model(), "val_loss", { 0.5 })
    local second = checkpoint("w.npz", { save_best_only = true })
    second:load_state(first:state())
    saved = {}
    drive(second, saving_model(), "val_loss", { 0.6 })
    assert.same({}, saved)
  end)
end)

describe("LambdaCallback", function()
  it("calls its functions without self", function()
    local seen = {}
    local callback = callbacks.LambdaCallback {
      on_epoch_end = function(epoch, logs) seen[#seen + 1] = { epoch, logs.loss } end,
      on_train_end = function(logs) seen[#seen + 1] = logs end,
      on_train_batch_end = function(batch) seen[#seen + 1] = batch end,
      note = "kept",
    }
    callback:on_epoch_end(3, { loss = 0.5 })
    callback:on_train_end { loss = 1 }
    callback:on_train_batch_end(7, {})
    assert.same({ { 3, 0.5 }, { loss = 1 }, 7 }, seen)
    assert.equal("kept", callback.note)
    assert.equal(core.idle_hook, callback.on_epoch_begin)
  end)

  it("does not ask for logs that its function does not take", function()
    local callback = callbacks.LambdaCallback {
      on_train_batch_end = function(batch) return batch end,
      on_epoch_end = function(epoch, logs) return epoch, logs end,
    }
    assert.equal(2, debug.getinfo(callback.on_train_batch_end, "u").nparams)
    assert.is_false(debug.getinfo(callback.on_train_batch_end, "u").isvararg)
    assert.is_true(debug.getinfo(callback.on_epoch_end, "u").isvararg)
  end)

  it("takes Keras's order of positional functions, and nothing", function()
    local seen
    local callback = callbacks.LambdaCallback(nil, function(epoch) seen = epoch end)
    callback:on_epoch_end(4, {})
    assert.equal(4, seen)
    callbacks.LambdaCallback()
    assert.has_error(function() callbacks.LambdaCallback { on_epoch_end = 5 } end)
    assert.has_error(function() callbacks.LambdaCallback { print } end)
  end)
end)

describe("TerminateOnNaN", function()
  it("stops at a loss that is not finite", function()
    for _, loss in ipairs { nan, inf, -inf } do
      local callback, model = callbacks.TerminateOnNaN(), new_model()
      callback:set_model(model)
      callback:on_batch_end(1, { loss = 0.5 })
      assert.is_false(model.stop_training)
      local text = printed(function() callback:on_batch_end(2, { loss = loss }) end)
      assert.equal("Batch 2: Invalid loss, terminating training", text)
      assert.is_true(model.stop_training)
    end
  end)

  it("raises when asked to", function()
    local callback = callbacks.TerminateOnNaN { raise_error = true }
    callback:set_model(new_model())
    callback:on_batch_end(1, {})
    local ok, problem = pcall(callback.on_batch_end, callback, 3, { loss = inf })
    assert.is_false(ok)
    assert.matches("NaN or Inf loss encountered at batch 3. Loss value: inf. Terminating training immediately.",
      problem, 1, true)
  end)
end)

describe("History", function()
  local function filled()
    local history, model = callbacks.History(), new_model()
    history:set_model(model)
    history:on_train_begin {}
    history:on_epoch_end(1, { loss = 3, accuracy = 0.5 })
    history:on_epoch_end(2, { loss = nan, accuracy = 0.9, val_loss = 2 })
    history:on_epoch_end(3, { loss = 2, accuracy = 0.7 })
    history:on_epoch_end(4, { loss = 2, accuracy = 0.9, val_loss = 1 })
    return history, model
  end

  it("records each epoch's logs", function()
    local history, model = filled()
    assert.equal(history, model.history)
    assert.same({ 1, 2, 3, 4 }, history.epoch)
    assert.same({ 0.5, 0.9, 0.7, 0.9 }, history.history.accuracy)
    assert.same({ 2, 1 }, history.history.val_loss)
    history:on_exit "completed"
    assert.equal("completed", history.stop_reason)
    history:on_train_begin {}
    assert.same({}, history.epoch)
    assert.equal(4, #history.history.accuracy)
  end)

  it("finds the best value and its epoch", function()
    local history = filled()
    assert.same({ 2, 3 }, { history:best "loss" })
    assert.same({ 0.9, 2 }, { history:best "accuracy" })
    assert.same({ 1, 4 }, { history:best "val_loss" })
    assert.same({ 2, 2 }, { history:best("val_loss", "max") })
    assert.same({ 2, 2 }, { history:best { "val_loss", mode = "max" } })
    assert.error_matches(function() history:best() end, "best: argument 'name' is missing")
    assert.error_matches(function() history:best("val_loss", "up") end, "best: mode must be one of 'min', 'max'")
  end)

  it("says what it does not have", function()
    local history = filled()
    local _, problem = pcall(history.best, history, "val_los")
    assert.matches("no 'val_los' (did you mean 'val_loss'?); it has accuracy, loss, val_loss", problem, 1, true)
    history.history.odd, history.epochs_of.odd = { 1 }, { 1 }
    _, problem = pcall(history.best, history, "odd")
    assert.matches("pass 'min' or 'max'", problem, 1, true)
  end)
end)

describe("every built-in callback", function()
  it("answers to all hooks, with or without logs", function()
    local capture = require "capture"
    local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = { 1 } } }
    model:compile { optimizer = cdl.optimizers.SGD { use_ema = true }, loss = "mse" }
    local folder = require "folder".new()
    for _, callback in ipairs { callbacks.EarlyStopping(), callbacks.ReduceLROnPlateau(), callbacks.TerminateOnNaN(),
      callbacks.ModelCheckpoint(folder "m.keras"), callbacks.CSVLogger(folder "log.csv"), callbacks.History(),
      callbacks.LearningRateScheduler(function() return 0.1 end), callbacks.TimeLimit(10),
      callbacks.SwapEMAWeights(), callbacks.LambdaCallback {}, callbacks.ProgbarLogger() } do
      callback:set_model(model)
      callback:set_params { epochs = 1, steps = 1, verbose = 0 }
      capture.warned(function()
        callback:on_train_begin {}
        callback:on_epoch_begin(1)
        callback:on_train_batch_begin(1, {})
        callback:on_train_batch_end(1, { loss = 1 })
        callback:on_test_begin()
        callback:on_test_batch_end(1, {})
        callback:on_test_end {}
        callback:on_epoch_end(1)
        callback:on_train_end()
        callback:on_exit "completed"
      end)
    end
    folder:remove()
    assert.error_matches(function() callbacks.ModelCheckpoint "m.keras":on_epoch_end(1) end,
      "ModelCheckpoint: it has no model yet; call set_model first")
  end)

  it("costs the loop nothing where it does nothing, and a subclass may call its parent", function()
    local Loud, heard = callbacks.ModelCheckpoint:extend "Loud", {}
    function Loud:on_train_begin(logs)
      callbacks.ModelCheckpoint.on_train_begin(self, logs)
      heard[#heard + 1] = "begin"
    end
    function Loud.on_batch_end(_, batch) heard[#heard + 1] = batch end
    local folder = require "folder".new()
    local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = { 1 } } }
    model:compile { loss = "mse" }
    local history = model:fit(cdl.ones { 2, 1 }, cdl.ones { 2, 1 }, { verbose = 0, batch_size = 1,
      callbacks = { Loud(folder "m.keras") } })
    folder:remove()
    assert.same({ "begin", 1, 2 }, heard)
    assert.equal("completed", history.stop_reason)
  end)
end)
