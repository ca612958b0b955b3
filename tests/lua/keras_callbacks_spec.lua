-- Keras's own test cases of its callbacks, under their names. Epochs and batches count from 1 here,
-- so the numbers in them are one higher.
--
-- Where cdl differs from Keras and why:
--   BackupAndRestore  one file (latest.safetensors) in place of weights and metadata; a snapshot is taken when
--                     all callbacks have heard of the epoch's end, and one at the begin; only its own
--                     files are removed from its folder; `false` is no save_freq
--   SwapEMAWeights    the trained weights come back after predict, too (Keras leaves the averages)
--   EarlyStopping, ReduceLROnPlateau, ModelCheckpoint  a first nan is best only until a number comes
--                     (in Keras nothing is better than it)
--   RemoteMonitor     nan and infinite values are null in JSON, which has no word for them
--   ModelCheckpoint   save_best_only with a number of batches compares within the first epoch, too
--   TensorBoard       the projector's files are text that the projector reads without TensorFlow, so its config
--                     names them; scalars, histograms and single pictures have the older, shorter form
--   LearningRateScheduler  the schedule gets both arguments; any Lua number will do
local cdl = require "cdl"
local capture = require "capture"
local core = require "cdl.core"
local events = require "cdl.event_reader"
local folders = require "folder"
local callbacks, layers, metrics, optimizers = cdl.callbacks, cdl.layers, cdl.metrics, cdl.optimizers
local printed, warned, problem_of = capture.printed, capture.warned, capture.problem_of

-- ---- the accounts: every case is run, pending, or left out for a reason ----

local EXPECTED = {
  backup_and_restore = 7, callback = 1, csv_logger = 2, early_stopping = 7, lambda_callback = 6,
  learning_rate_scheduler = 5, model_checkpoint = 2, monitor_callback = 2, orbax_checkpoint = 15,
  reduce_lr_on_plateau = 6, remote_monitor = 4, swap_ema_weights = 5, tensorboard = 15, terminate_on_nan = 7,
}

local ORBAX = "Orbax is a Python library with a file format of its own"
local LEFT_OUT = {
  swap_ema_weights = { test_swap_ema_weights_with_tf_distribute = "tf.distribute exists in TensorFlow alone" },
  orbax_checkpoint = {
    test_checkpoint_saving_basic = ORBAX, test_save_best_only = ORBAX, test_async_vs_sync_saving = ORBAX,
    test_max_to_keep = ORBAX, test_load_weights_from_orbax_checkpoint = ORBAX, test_save_freq_epoch = ORBAX,
    test_invalid_save_freq = ORBAX, test_initial_value_threshold = ORBAX,
    test_checkpoint_loading_comprehensive = ORBAX, test_distributed_checkpoint_functionality = ORBAX,
    test_distributed_checkpoint_resharding = ORBAX, test_checkpoint_loading_via_saving_api = ORBAX,
    test_comprehensive_model_state_restoration = ORBAX, test_checkpoint_with_assets = ORBAX,
    test_training_resumption = ORBAX,
  },
  tensorboard = {
    test_custom_summary = "it calls TensorFlow's summary operations",
    test_TensorBoard_auto_trace = "it traces with TensorFlow's profiler",
  },
}

local count, current = {}, nil

local function file(name, define)
  describe(name .. "_test", function()
    current = name
    count[name] = 0
    for _ in pairs(LEFT_OUT[name] or {}) do count[name] = count[name] + 1 end
    define()
  end)
end

local function case(name, f)
  count[current] = count[current] + 1
  it(name, f)
end

-- ---- data and models ----

local folder
local function in_folder()
  before_each(function() folder = folders.new() end)
  after_each(function() folder:remove() end)
end

local function uniform(...) return cdl.random.uniform { shape = { ... } } end

local function one_hot(n, classes) return cdl.utils.to_categorical(cdl.random.randint({ n }, 0, classes), classes) end

local function with(options, more)
  local all = { verbose = 0 }
  for _, part in ipairs { options, more or {} } do
    for name, value in pairs(part) do all[name] = value end
  end
  return all
end

-- Two Dense layers of one unit, as the tests of metrics that are watched use them.
local function watched_model(compile)
  local model = cdl.Sequential { layers.Dense { 1, activation = "relu" }, layers.Dense { 1, activation = "relu" } }
  model:compile(compile)
  return model
end

local function many_metrics()
  return { optimizer = "adam", loss = "mae",
    metrics = { "mse", "acc", "accuracy", "hinge", metrics.F1Score { name = "f1_score" } } }
end

local directions = {
  { "max", "val_mse", "max" }, { "min", "val_loss", "min" }, { "auto", "val_mse", "min" }, { "auto", "loss", "min" },
  { "auto", "acc", "max" }, { "auto", "val_accuracy", "max" }, { "auto", "hinge", "min" },
  { "auto", "f1_score", "max" },
}

before_each(function() cdl.random.seed(1337) end)

-- ---- the files ----

file("callback", function()
  case("test_model_state_is_current_on_epoch_end", function()
    local Counting = cdl.Model:extend "Counting"
    function Counting:init()
      self.count = self:add_weight { name = "count", initializer = "zeros", trainable = false }
    end
    function Counting:call(x)
      self.count:assign_add(1)
      return x
    end
    local model, seen = Counting {}, {}
    model:compile { optimizer = "sgd", loss = "mse" }
    model:fit(uniform(8, 1), uniform(8, 1), { batch_size = 2, verbose = 0, callbacks = { {
      on_batch_end = function(self, batch) seen[batch] = self.model.count:item() end } } })
    assert.same({ 1, 2, 3, 4 }, seen)
  end)
end)

file("monitor_callback", function()
  case("test_monitor_op_logic", function()
    local x, y = uniform(10, 5), uniform(10, 1)
    local model = watched_model(many_metrics())
    model:fit(x, y, { batch_size = 5, validation_data = { x, y }, epochs = 2, verbose = 0 })
    for _, row in ipairs(directions) do
      local callback = callbacks.EarlyStopping { mode = row[1], monitor = row[2] }
      callback:set_model(model)
      assert.equal(row[3], callback:monitor_direction(), row[2])
    end
    local unknown = callbacks.EarlyStopping { monitor = "unknown" }
    unknown:set_model(model)
    assert.matches("pass mode = 'min' or mode = 'max'", problem_of(unknown.monitor_direction, unknown), 1, true)
  end)

  case("test_min_delta", function()
    local callback = callbacks.EarlyStopping { mode = "max", min_delta = 0.5 }
    assert.is_true(callback:is_improvement(0.75, 0))
    assert.is_true(callback:is_improvement(0.5, nil))
    assert.is_false(callback:is_improvement(0.5, 0))
    assert.is_false(callback:is_improvement(0.2, 0.5))
  end)
end)

file("early_stopping", function()
  case("test_early_stopping", function()
    local x, y = uniform(10, 5), uniform(10, 1)
    local model = watched_model(many_metrics())
    local function fit(args)
      local stopper = callbacks.EarlyStopping(args)
      model:fit(x, y, { batch_size = 5, validation_data = { x, y }, epochs = 2, verbose = 0, callbacks = stopper })
      return stopper
    end
    for _, row in ipairs(directions) do
      assert.equal(row[3], fit { patience = 0, mode = row[1], monitor = row[2] }.direction, row[2])
    end
    assert.matches("whether 'unknown' should go up or down", problem_of(fit, { monitor = "unknown" }), 1, true)
  end)

  case("test_early_stopping_patience", function()
    local losses = { 10, 9, 8, 9, 8.9, 8.8, 8.7, 8.6, 8.5 }
    for patience = 0, 3 do
      local stopper, model = callbacks.EarlyStopping { monitor = "loss", patience = patience }, cdl.Sequential()
      model:compile { optimizer = "sgd", loss = "mse" }
      stopper:set_model(model)
      stopper:on_train_begin {}
      for epoch, loss in ipairs(losses) do
        stopper:on_epoch_end(epoch, { loss = loss })
        if model.stop_training then break end
      end
      assert.equal(math.max(patience, 1) + 3, stopper.stopped_epoch)
    end
  end)

  case("test_early_stopping_reuse", function()
    local x = uniform(100, 1)
    local y = x:gt(0.5):astype "float32"
    local model = watched_model { optimizer = "sgd", loss = "mae", metrics = { "mse" } }
    local stopper = callbacks.EarlyStopping { monitor = "mse", patience = 3 }
    for _ = 1, 2 do
      local history = model:fit(x, y, { epochs = 20, verbose = 0, callbacks = stopper })
      assert.is_true(#history.epoch >= 3)
    end
  end)

  case("test_state_reset_across_fit_calls", function()
    local stopper = callbacks.EarlyStopping { monitor = "loss", patience = 3 }
    stopper:set_model(cdl.Sequential())
    stopper:on_train_begin {}
    stopper.best, stopper.wait, stopper.stopped_epoch, stopper.best_epoch = 0.1, 3, 5, 5
    stopper.best_weights = {}
    stopper:on_train_begin {}
    assert.is_nil(stopper.best)
    assert.is_nil(stopper.best_weights)
    assert.same({ 0, 0, 0 }, { stopper.wait, stopper.stopped_epoch, stopper.best_epoch })
  end)

  case("test_early_stopping_with_baseline", function()
    local model = watched_model { optimizer = "sgd", loss = "mae", metrics = { "mse" } }
    local stopper = callbacks.EarlyStopping { monitor = "mse", patience = 3, baseline = 0.6 }
    local history = model:fit(uniform(10, 5), uniform(10, 1), { epochs = 20, verbose = 0, callbacks = stopper })
    assert.is_true(#history.epoch >= 3)
  end)

  case("test_early_stopping_final_weights_when_restoring_model_weights", function()
    -- The weights are the number of the epoch.
    local function run(args, losses, stop_after)
      local model = { stop_training = false,
        get_weights = function(self) return self.weights end,
        set_weights = function(self, weights) self.weights = weights end }
      args.restore_best_weights = true
      local stopper, epochs = callbacks.EarlyStopping(args), 0
      stopper:set_model(model)
      stopper:on_train_begin {}
      for epoch, loss in ipairs(losses) do
        epochs, model.weights = epoch, epoch
        stopper:on_epoch_end(epoch, { val_loss = loss })
        if epoch == stop_after then model.stop_training = true end
        if model.stop_training then break end
      end
      stopper:on_train_end {}
      return model.weights, epochs
    end
    assert.same({ 3, 5 }, { run({ patience = 2 }, { 0.2, 0.15, 0.1, 0.11, 0.12 }) })
    local below_baseline = { 0.9, 0.8, 0.7, 0.71, 0.72, 0.73 }
    assert.same({ 3, 5 }, { run({ patience = 5, baseline = 0.5 }, below_baseline) })
    assert.same({ 3, 4 }, { run({ patience = 5, baseline = 0.5 }, below_baseline, 4) })
  end)

  case("test_early_stopping_with_start_from_epoch", function()
    local x, y = uniform(10, 5), uniform(10, 1)
    local model = watched_model { optimizer = "sgd", loss = "mae", metrics = { "mse" } }
    local function epochs(patience)
      local stopper = callbacks.EarlyStopping { monitor = "mse", patience = patience, start_from_epoch = 2 }
      return #model:fit(x, y, { epochs = 20, verbose = 0, callbacks = stopper }).epoch
    end
    assert.is_true(epochs(3) >= 5)
    assert.is_true(epochs(0) >= 2)
  end)
end)

file("reduce_lr_on_plateau", function()
  local x, y
  local function new_model(rate)
    local model = cdl.Sequential { layers.Dense(5), layers.Dense(2) }
    model:compile { optimizer = optimizers.Adam(rate or 0.1), loss = "mse" }
    return model
  end
  before_each(function() x, y = cdl.random.normal { shape = { 10, 3 } }, one_hot(10, 2) end)

  local function fit(model, args, epochs)
    args.patience, args.factor, args.monitor = 1, 0.1, "val_loss"
    model:fit(x, y, { validation_data = { x, y }, epochs = epochs, verbose = 0,
      callbacks = callbacks.ReduceLROnPlateau(args) })
    return model.optimizer.learning_rate
  end

  case("test_reduces_lr_with_model_fit", function()
    assert.near(0.01, fit(new_model(), { min_delta = 100 }, 2), 1e-9)
  end)

  case("test_throws_when_optimizer_has_schedule", function()
    local model = new_model(cdl.schedules.PolynomialDecay { initial_learning_rate = 0.1, decay_steps = 10 })
    assert.matches("a schedule drives the learning rate", problem_of(fit, model, { min_delta = 100 }, 2), 1, true)
  end)

  case("test_verbose_logging", function()
    local text = printed(function() fit(new_model(), { min_delta = 100, verbose = 1 }, 2) end)
    assert.matches("ReduceLROnPlateau reducing learning rate to 0.01", text, 1, true)
  end)

  case("test_honors_min_lr", function()
    assert.near(0.005, fit(new_model(), { min_delta = 10, min_lr = 0.005 }, 4), 1e-12)
  end)

  case("test_cooldown", function()
    assert.near(0.001, fit(new_model(), { min_delta = 100, cooldown = 2 }, 4), 1e-9)
  end)

  case("test_state_reset_across_fit_calls", function()
    local callback = callbacks.ReduceLROnPlateau { patience = 1, factor = 0.1, monitor = "loss", min_delta = 0,
      cooldown = 2 }
    callback:set_model(new_model())
    callback:on_train_begin {}
    callback.best, callback.wait, callback.cooldown_counter = 0.5, 3, 2
    callback:on_train_begin {}
    assert.is_nil(callback.best)
    assert.same({ 0, 0 }, { callback.wait, callback.cooldown_counter })
  end)
end)

file("learning_rate_scheduler", function()
  local x, y
  local function new_model(optimizer)
    local model = cdl.Sequential { layers.Dense(5), layers.Dense(2) }
    model:compile { optimizer = optimizer or "sgd", loss = "mse" }
    return model
  end
  before_each(function() x, y = cdl.random.normal { shape = { 10, 3 } }, one_hot(10, 2) end)

  local function fit(model, schedule, epochs, verbose)
    return model:fit(x, y, { epochs = epochs, verbose = 0,
      callbacks = callbacks.LearningRateScheduler { schedule, verbose = verbose } })
  end

  case("test_updates_learning_rate", function()
    local model = new_model()
    fit(model, function(epoch) return 1 / (1 + epoch) end, 1)
    assert.equal(0.5, model.optimizer.learning_rate)
  end)

  case("test_verbose_logging", function()
    local text = printed(function() fit(new_model(), function(epoch) return 1 / epoch end, 1, 1) end)
    assert.matches("LearningRateScheduler setting learning rate to 1.0", text, 1, true)
  end)

  case("test_schedule_dependent_on_previous_learning_rate", function()
    local model = new_model(optimizers.Adam(0.03))
    fit(model, function(_, rate) return rate / 2 end, 2)
    assert.equal(0.03 / 4, model.optimizer.learning_rate)
  end)

  case("test_throws_when_optimizer_has_schedule", function()
    local model = new_model(optimizers.Adam(cdl.schedules.PolynomialDecay { initial_learning_rate = 0.1,
      decay_steps = 10 }))
    assert.matches("a schedule drives the learning rate",
      problem_of(fit, model, function(_, rate) return rate / 2 end, 2), 1, true)
  end)

  case("test_learning_rate_in_history", function()
    local history = fit(new_model(), function() return 0.5 end, 1)
    assert.equal("float", math.type(history.history.learning_rate[1]))
    assert.equal(0.5, history.history.learning_rate[1])
  end)
end)

-- The net of Keras's tests whose loss explodes at once.
local function exploding_model()
  local model = cdl.Sequential()
  for _ = 1, 5 do
    model:add(layers.Dense { 2, activation = "relu", kernel_initializer = cdl.initializers.Constant(1e5) })
  end
  model:add(layers.Dense(2))
  model:compile { optimizer = "sgd", loss = "mean_squared_error" }
  return model
end

local function is_finite(x) return x == x and math.abs(x) < math.huge end

file("csv_logger", function()
  in_folder()

  local function lines_of(name)
    local lines = {}
    for line in folder:read(name):gmatch "([^\r\n]+)\r\n" do lines[#lines + 1] = line end
    return lines
  end

  case("test_CSVLogger", function()
    local x, y, path = uniform(10, 3), uniform(10, 1), folder "log.tsv"
    local function new_model()
      local model = cdl.Sequential { layers.Dense { 2, activation = "relu" }, layers.Dense(1) }
      model:compile { optimizer = "sgd", loss = "mse", metrics = { "mse" } }
      return model
    end
    local function fit(model, callback, options)
      return model:fit(x, y, with({ batch_size = 4, validation_data = { x, y }, callbacks = callback }, options))
    end
    fit(new_model(), callbacks.CSVLogger { path, separator = "\t" }, { epochs = 1 })
    assert.equal("epoch\tloss\tmse\tval_loss\tval_mse", lines_of "log.tsv"[1])

    local model, appending = new_model(), callbacks.CSVLogger { path, separator = "\t", append = true }
    fit(model, appending, { epochs = 1 })
    fit(model, appending, { epochs = 2 }) -- the same object again
    local lines, headers = lines_of "log.tsv", 0
    assert.equal(5, #lines)
    for _, line in ipairs(lines) do
      assert.equal(4, select(2, line:gsub("\t", "")))
      headers = headers + select(2, line:gsub("epoch", ""))
    end
    assert.equal(1, headers)

    os.remove(path)
    local history = fit(new_model(), callbacks.CSVLogger { path, separator = "\t" },
      { epochs = 5, validation_freq = 3 })
    for row, line in ipairs(lines_of "log.tsv") do
      local cells = {}
      for cell in line:gmatch "[^\t]+" do cells[#cells + 1] = cell end
      if row == 1 then
        assert.equal("val_loss", cells[4])
      elseif row == 4 then
        assert.equal(history.history.val_loss[1], tonumber(cells[4]))
      else
        assert.equal("NA", cells[4])
      end
    end
  end)

  case("test_stop_training_csv", function()
    local x, y = uniform(10, 3), one_hot(10, 2)
    local history
    printed(function()
      history = exploding_model():fit(x, y, { batch_size = 4, validation_data = { x, y }, epochs = 20, verbose = 0,
        callbacks = { callbacks.TerminateOnNaN(), callbacks.CSVLogger(folder "log.csv") } })
    end)
    assert.equal(1, #history.history.loss)
    assert.is_false(is_finite(history.history.loss[1]))
    local lines = lines_of "log.csv"
    assert.matches(",nan", lines[#lines], 1, true)
  end)
end)

file("terminate_on_nan", function()
  in_folder()
  local inf = math.huge

  local function new_model()
    local model = cdl.Sequential { layers.Dense { 1, input_shape = { 1 } } }
    model:compile { optimizer = "sgd", loss = "mse" }
    return model
  end

  case("test_TerminateOnNaN", function()
    local x, y = uniform(10, 3), one_hot(10, 2)
    local history
    local text = printed(function()
      history = exploding_model():fit(x, y, { batch_size = 4, validation_data = { x, y }, epochs = 20, verbose = 0,
        callbacks = callbacks.TerminateOnNaN() })
    end)
    assert.equal(1, #history.history.loss)
    assert.is_false(is_finite(history.history.loss[1]))
    assert.matches("Invalid loss, terminating training", text, 1, true)
  end)

  case("test_terminate_on_nan_graceful_stop", function()
    local history
    printed(function()
      history = new_model():fit({ { 1 }, { 2 } }, { { inf }, { inf } }, { epochs = 2, batch_size = 1, verbose = 0,
        callbacks = callbacks.TerminateOnNaN { raise_error = false } })
    end)
    assert.equal(1, #history.history.loss)
  end)

  case("test_terminate_on_nan_raise_error_raises_error", function()
    local model = new_model()
    assert.matches("NaN or Inf loss encountered", problem_of(model.fit, model, { { 1 }, { 2 } }, { { inf }, { inf } },
      { batch_size = 1, verbose = 0, callbacks = callbacks.TerminateOnNaN { raise_error = true } }), 1, true)
  end)

  case("test_raise_error_terminate_does_not_trigger_on_train_end", function()
    local model, called = new_model(), false
    problem_of(model.fit, model, { { 1 } }, { { inf } }, { verbose = 0, callbacks = {
      { on_train_end = function() called = true end }, callbacks.TerminateOnNaN { raise_error = true } } })
    assert.is_false(called)
  end)

  case("test_raise_error_terminate_preserves_backup", function()
    os.execute("mkdir " .. folder "backups")
    folder:write("backups/checkpoint.txt", "dummy checkpoint")
    local model = new_model()
    problem_of(model.fit, model, { { 1 } }, { { inf } }, { verbose = 0, callbacks = {
      callbacks.BackupAndRestore(folder "backups"), callbacks.TerminateOnNaN { raise_error = true } } })
    assert.equal("dummy checkpoint", folder:read "backups/checkpoint.txt")
    assert.equal("file", core.path_kind(folder "backups/latest.safetensors"))
  end)

  case("test_normal_training_does_not_raise", function()
    for _, raise_error in ipairs { false, true } do
      local history = new_model():fit({ { 1 }, { 2 } }, { { 1 }, { 2 } }, { epochs = 2, verbose = 0,
        callbacks = callbacks.TerminateOnNaN { raise_error = raise_error } })
      assert.equal(2, #history.history.loss)
    end
  end)

  case("test_raise_error_terminate_stops_on_later_batch", function()
    local model = new_model()
    local problem = problem_of(model.fit, model, { { 1 }, { 2 } }, { { 1 }, { inf } }, { batch_size = 1, verbose = 0,
      shuffle = false, callbacks = callbacks.TerminateOnNaN { raise_error = true } })
    assert.matches("at batch 2. Loss value: inf.", problem, 1, true)
  end)
end)

file("lambda_callback", function()
  local x, y
  local function new_model()
    local model = cdl.Sequential { cdl.Input { shape = { 2 } }, layers.Dense(1) }
    model:compile { optimizer = optimizers.SGD(), loss = "mse" }
    return model
  end
  before_each(function() x, y = cdl.random.normal { shape = { 16, 2 } }, cdl.random.normal { shape = { 16, 1 } } end)

  -- How often each hook of a fit was called.
  local function fit(names)
    local calls, functions = {}, {}
    for _, name in ipairs(names) do
      functions[name] = function() calls[name] = (calls[name] or 0) + 1 end
    end
    new_model():fit(x, y, { batch_size = 4, validation_split = 0.2, epochs = 5, verbose = 0,
      callbacks = callbacks.LambdaCallback(functions) })
    return calls
  end

  case("test_lambda_callback", function()
    assert.same({ on_train_begin = 1, on_epoch_begin = 5, on_epoch_end = 5, on_train_end = 1 },
      fit { "on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end" })
  end)

  case("test_lambda_callback_with_batches", function()
    assert.same({ on_train_batch_begin = 15, on_train_batch_end = 15 },
      fit { "on_train_batch_begin", "on_train_batch_end" })
  end)

  case("test_lambda_callback_with_kwargs", function()
    local model, calls = new_model(), 0
    model:fit(x, y, { batch_size = 4, verbose = 0 })
    model:evaluate(x, y, { batch_size = 4, verbose = 0,
      callbacks = callbacks.LambdaCallback { on_test_begin = function() calls = calls + 1 end } })
    assert.equal(1, calls)
  end)

  case("test_lambda_callback_no_args", function()
    assert.equal("LambdaCallback", getmetatable(callbacks.LambdaCallback()).__name)
  end)

  case("test_lambda_callback_with_additional_kwargs", function()
    local function custom() end
    assert.equal(custom, callbacks.LambdaCallback { custom_method = custom }.custom_method)
  end)

  case("test_lambda_callback_during_prediction", function()
    local calls = 0
    new_model():predict(x, { batch_size = 4, verbose = 0,
      callbacks = callbacks.LambdaCallback { on_predict_begin = function() calls = calls + 1 end } })
    assert.equal(1, calls)
  end)
end)

file("model_checkpoint", function()
  in_folder()
  local x, y
  local function new_model()
    local model = cdl.Sequential { layers.Dense { 5, activation = "relu" }, layers.Dense { 3, activation = "softmax" } }
    model:compile { optimizer = "sgd", loss = "categorical_crossentropy",
      metrics = { metrics.Accuracy { name = "acc" } } }
    return model
  end
  before_each(function() x, y = cdl.random.normal { shape = { 30, 3 } }, one_hot(30, 3) end)

  local function fit(model, args, options)
    args.save_weights_only = not (args[1] or args.filepath):find "%.keras$"
    model:fit(x, y, with({ batch_size = 5, validation_data = { x, y }, callbacks = callbacks.ModelCheckpoint(args) },
      options))
  end

  local function exists(name)
    local there = core.path_kind(folder(name)) == "file"
    os.remove(folder(name))
    return there
  end

  case("test_model_checkpoint_options", function()
    local model = new_model()
    for _, name in ipairs { "subdir/checkpoint.keras", "subdir/checkpoint.weights.h5", "subdir/checkpoint.npz" } do
      local path = folder(name)
      fit(model, { path, monitor = "val_loss" })
      assert.is_true(exists(name)) -- case 1
      fit(model, { path, monitor = "val_loss", mode = "min" })
      assert.is_true(exists(name)) -- case 2
      fit(model, { path, monitor = "val_acc", mode = "max" })
      assert.is_true(exists(name)) -- case 3
      fit(model, { path, monitor = "val_acc", mode = "max", save_best_only = true })
      assert.is_true(exists(name)) -- case 4
      local text = warned(function() fit(model, { path, monitor = "unknown", mode = "min", save_best_only = true }) end)
      assert.matches("Can save best model only with unknown available", text, 1, true) -- case 5
      assert.is_true(exists(name))
    end
    local path = folder "subdir/checkpoint.npz"
    local text = warned(function() callbacks.ModelCheckpoint { path, mode = "unknown", save_weights_only = true } end)
    assert.matches("ModelCheckpoint mode 'unknown' is unknown", text, 1, true) -- case 6
    -- Case 8: five batches an epoch, saved after every fifteenth.
    fit(model, { folder "checkpoint.epoch{epoch:02d}.npz", save_freq = 15 }, { batch_size = 6, epochs = 10 })
    for epoch = 1, 10 do
      assert.equal(epoch % 3 == 0, exists(("checkpoint.epoch%02d.npz"):format(epoch)))
    end
    assert.matches("unrecognized save_freq", problem_of(callbacks.ModelCheckpoint, { path, save_weights_only = true,
      save_freq = "invalid_save_freq" }), 1, true) -- case 9
    callbacks.ModelCheckpoint { path, save_weights_only = true, save_freq = "epoch" }
    callbacks.ModelCheckpoint { path, save_weights_only = true, save_freq = 3 }
    fit(model, { folder "epoch{epoch:02d}batch{batch:02d}.npz", save_freq = 1 }, { batch_size = 15, epochs = 5 })
    for epoch = 1, 5 do -- case 10
      for batch = 1, 2 do assert.is_true(exists(("epoch%02dbatch%02d.npz"):format(epoch, batch))) end
    end
    -- Cases 11 to 14: thresholds.
    local function saved_with(args)
      args.filepath, args.save_best_only = path, true
      fit(model, args)
      return exists "subdir/checkpoint.npz"
    end
    assert.is_true(saved_with { monitor = "val_acc", mode = "max", initial_value_threshold = -0.01 })
    assert.is_true(saved_with { monitor = "val_loss" })
    assert.is_false(saved_with { monitor = "val_loss", mode = "min", initial_value_threshold = 0 })
    assert.is_false(saved_with { monitor = "val_loss", initial_value_threshold = 0 })
    model:compile { optimizer = "sgd", loss = "categorical_crossentropy", metrics = { metrics.AUC() } }
    assert.is_false(saved_with { monitor = "val_auc", initial_value_threshold = 1 }) -- case 15
  end)

  case("test_model_checkpoint_loading", function()
    local model = new_model()
    local function check(loaded)
      local weights = loaded:get_weights()
      assert.equal(4, #weights)
      for i, weight in ipairs(model:get_weights()) do assert.same(weight:totable(), weights[i]:totable()) end
    end
    fit(model, { folder "checkpoint.keras", save_best_only = true })
    check(cdl.models.load_model(folder "checkpoint.keras"))
    for _, name in ipairs { "checkpoint.weights.h5", "checkpoint.npz" } do
      fit(model, { folder(name), save_best_only = true })
      local loaded = new_model()
      loaded:build { -1, 3 }
      loaded:load_weights(folder(name))
      check(loaded)
    end
  end)
end)

file("backup_and_restore", function()
  in_folder()

  -- Counts the steps that it is part of.
  local Canary = cdl.Layer:extend "Canary"
  function Canary:build()
    self.counter = self:add_weight { name = "counter", initializer = "zeros", trainable = false }
  end
  function Canary:call(x, training)
    if training then self.counter:assign_add(1) end
    return x
  end

  local x, y, model
  before_each(function()
    x, y = uniform(10, 3), uniform(10, 1)
    local canary = Canary {}
    model = cdl.Sequential { cdl.Input { shape = { 3 } }, canary, layers.Dense(1) }
    model:compile { optimizer = "sgd", loss = "mse", metrics = { "mse" } }
  end)

  local function counter() return model.layers[1].counter:item() end

  local function interrupting(hook, at)
    local calls = 0
    return { [hook] = function()
      calls = calls + 1
      if calls == at then error "interruption" end
    end }
  end

  local function fit(backup, epochs, interrupt)
    return model:fit(x, y, { batch_size = 4, epochs = epochs, verbose = 0, callbacks = { backup, interrupt or false } })
  end

  case("test_save_freq_unknown_error", function()
    for _, frequency in ipairs { "batch", 0.15 } do
      assert.matches("Invalid value for argument `save_freq`", problem_of(callbacks.BackupAndRestore,
        { "backup", save_freq = frequency }), 1, true)
    end
  end)

  case("test_best_case_step", function()
    local backup = callbacks.BackupAndRestore(folder "subdir", { save_freq = 1 })
    assert.matches("interruption", problem_of(fit, backup, 2, interrupting("on_batch_end", 2)), 1, true)
    assert.equal("folder", core.path_kind(folder "subdir"))
    -- The interruption comes before the snapshot of batch 2, which waits for all callbacks.
    assert.same({ 1, 1, 2 }, { backup.current_epoch, backup.last_batch, counter() })
    local history
    assert.equal("", warned(function() history = fit(backup, 5) end))
    assert.equal(6, backup.current_epoch)
    assert.equal(5, history.epoch[#history.epoch])
    -- Keras begins the epoch again (17 steps); here it goes on, as if it had never been cut short.
    assert.equal(15, counter())
  end)

  case("test_best_case_epoch", function()
    local backup = callbacks.BackupAndRestore { backup_dir = folder "subdir", save_freq = "epoch" }
    -- The interruption comes before the snapshot of epoch 2, which waits for all callbacks.
    assert.matches("interruption", problem_of(fit, backup, 6, interrupting("on_epoch_end", 2)), 1, true)
    assert.same({ 2, 6 }, { backup.current_epoch, counter() })
    assert.equal("folder", core.path_kind(folder "subdir"))
    local history = fit(backup, 5)
    assert.same({ 1, 2, 3, 4, 5 }, history.epoch)
    assert.same({ 6, 15 }, { backup.current_epoch, counter() })
  end)

  case("test_backup_corrupted", function()
    local backup = callbacks.BackupAndRestore(folder "subdir", { double_checkpoint = true })
    problem_of(fit, backup, 6, interrupting("on_epoch_end", 3))
    local files = core.list_folder(folder "subdir")
    table.sort(files)
    assert.same({ "latest.safetensors", "latest.safetensors.bkp" }, files)
    folder:write("subdir/latest.safetensors", "0")
    local history
    local text = warned(function() history = fit(backup, 5) end)
    assert.matches("going back to the snapshot before", text, 1, true)
    assert.same({ 1, 2, 3, 4, 5 }, history.epoch)
    assert.same({ 6, 15 }, { backup.current_epoch, counter() })
  end)

  case("test_model_deleted_case_epoch", function()
    fit(callbacks.BackupAndRestore(folder "subdir"), 2)
    assert.is_nil(core.path_kind(folder "subdir"))
  end)

  case("test_backup_dir_empty_error", function()
    assert.matches("Empty `backup_dir` argument passed", problem_of(callbacks.BackupAndRestore, { backup_dir = "" }), 1,
      true)
  end)

  case("test_backup_dir_none_error", function()
    assert.matches("Empty `backup_dir` argument passed", problem_of(callbacks.BackupAndRestore,
      { save_freq = "epoch" }), 1, true)
  end)
end)

file("swap_ema_weights", function()
  in_folder()
  local x, y
  before_each(function() x, y = cdl.random.normal { shape = { 10, 3 } }, one_hot(10, 2) end)

  local function new_model(args)
    args = args or { use_ema = true }
    args.ema_momentum = 0.9
    local model = cdl.Sequential { layers.Dense { 2, kernel_initializer = "ones", use_bias = false } }
    model:compile { optimizer = optimizers.SGD(args), loss = "mse", metrics = { "mean_squared_error" } }
    return model
  end

  -- The last validation's error, and that of an evaluation after fit.
  local function errors(model, list)
    local history = model:fit(x, y, { epochs = 2, validation_data = { x, y }, verbose = 0, callbacks = list })
    local values = history.history.val_mean_squared_error
    return values[#values], model:evaluate(x, y, { verbose = 0, return_dict = true }).mean_squared_error
  end

  case("test_swap_ema_weights_with_invalid_optimizer", function()
    assert.matches("SwapEMAWeights must be used when `use_ema=True` is set", problem_of(errors,
      new_model { use_ema = false }, { callbacks.SwapEMAWeights() }), 1, true)
  end)

  case("test_swap_ema_weights", function()
    local validated, evaluated = errors(new_model(), {})
    assert.is_true(validated ~= evaluated)
    validated, evaluated = errors(new_model(), { callbacks.SwapEMAWeights() })
    assert.equal(evaluated, validated)
  end)

  case("test_swap_ema_weights_on_epoch", function()
    local model = new_model()
    local _, evaluated = errors(model, { callbacks.SwapEMAWeights { swap_on_epoch = true },
      callbacks.ModelCheckpoint { folder "{epoch:1d}.keras" } })
    local saved = cdl.models.load_model(folder "2.keras")
    assert.equal(evaluated, saved:evaluate(x, y, { verbose = 0, return_dict = true }).mean_squared_error)
  end)

  case("test_swap_ema_weights_with_loss_scale_optimizer", function()
    local validated, evaluated = errors(new_model { use_ema = true, loss_scale_factor = 2 },
      { callbacks.SwapEMAWeights() })
    assert.equal(evaluated, validated)
  end)
end)

file("remote_monitor", function()
  -- What a monitor sends, in place of sending it.
  local function sent(f)
    local requests = {}
    capture.with_core("http_post", function(url, headers, body)
      requests[#requests + 1] = { url = url, headers = headers, body = body }
      return 200
    end, f)
    assert.equal(1, #requests)
    return requests[1]
  end

  case("test_RemoteMonitor", function()
    local monitor = callbacks.RemoteMonitor()
    local text = warned(function() monitor:on_epoch_end(1, { loss = 0.0 }) end)
    assert.matches("Could not reach RemoteMonitor root server at http://localhost:9000", text, 1, true)
  end)

  case("test_RemoteMonitor_np_array", function()
    local monitor = callbacks.RemoteMonitor { send_as_json = true }
    local request = sent(function() monitor:on_epoch_end(1, { loss = 0.0, val = cdl.tensor({ 0 }, "int64") }) end)
    assert.equal('{"epoch": 1, "loss": 0.0, "val": 0}', request.body)
    assert.equal("http://localhost:9000/publish/epoch/end/", request.url)
    assert.same({ "Content-Type: application/json" }, request.headers)
  end)

  case("test_RemoteMonitor_np_float32", function()
    local monitor = callbacks.RemoteMonitor { send_as_json = true }
    local request = sent(function() monitor:on_epoch_end(1, { loss = 0.0, val = cdl.tensor(1) }) end)
    assert.equal('{"epoch": 1, "loss": 0.0, "val": 1.0}', request.body)
  end)

  case("test_RemoteMonitorWithJsonPayload", function()
    local x, y = uniform(10, 3), one_hot(10, 2)
    local model = cdl.Sequential { layers.Dense(2) }
    model:compile { optimizer = "sgd", loss = "mean_squared_error" }
    local history
    local request = sent(function()
      history = model:fit(x, y, { batch_size = 4, validation_data = { x, y }, verbose = 0,
        callbacks = callbacks.RemoteMonitor { send_as_json = true } })
    end)
    local loss, val_loss = request.body:match '^{"epoch": 1, "loss": ([%d.e-]+), "val_loss": ([%d.e-]+)}$'
    assert.same({ history.history.loss[1], history.history.val_loss[1] }, { tonumber(loss), tonumber(val_loss) })
  end)
end)

file("orbax_checkpoint", function() end)

file("tensorboard", function()
  in_folder()

  -- The tags that were written, by kind, as "run tag"; graphs are counted.
  local function written()
    local found = { scalar = {}, histogram = {}, image = {}, graph = 0 }
    for run, files in pairs(events.find_runs(folder.path)) do
      for _, path in ipairs(files) do
        for _, value in ipairs(events.read_file(path)) do
          if value.kind == "graph" then
            found.graph = found.graph + 1
          else
            local kind = value.plugin == "images" and "image" or value.kind
            if found[kind] then found[kind][run .. " " .. value.tag] = true end
          end
        end
      end
    end
    return found
  end

  local function tags(...)
    local set = {}
    for _, tag in ipairs { ... } do set[tag] = true end
    return set
  end

  local validated = { "train epoch_loss", "validation epoch_loss", "train epoch_learning_rate",
    "validation evaluation_loss_vs_iterations" }

  local function flat_model(optimizer)
    local model = cdl.Sequential { layers.Input { 10, 10, 1 }, layers.Flatten(), layers.Dense(1) }
    model:compile { optimizer = optimizer or "sgd", loss = "mse" }
    return model
  end

  local x, y = cdl.ones { 10, 10, 10, 1 }, cdl.ones { 10, 1 }

  local function fit(model, arguments, is_validated)
    arguments.log_dir = folder.path
    local callback = callbacks.TensorBoard(arguments)
    model:fit(x, y, with { batch_size = 2, epochs = 2, validation_data = is_validated and { x, y } or nil,
      callbacks = callback })
    return callback
  end

  local function each_ends(set, ending)
    assert.is_true(next(set) ~= nil)
    for tag in pairs(set) do assert.is_true(tag:find("^train .*/" .. ending .. "$") ~= nil, tag) end
  end

  case("test_TensorBoard_basic", function()
    fit(flat_model(), {}, true)
    assert.same(tags(table.unpack(validated)), written().scalar)
  end)

  case("test_TensorBoard_across_invocations", function()
    local model = flat_model()
    local callback = callbacks.TensorBoard(folder.path)
    for _ = 1, 2 do
      model:fit(x, y, with { batch_size = 2, epochs = 2, validation_data = { x, y }, callbacks = { callback } })
    end
    assert.same(tags(table.unpack(validated)), written().scalar)
  end)

  case("test_TensorBoard_no_spurious_event_files", function()
    fit(flat_model(), {}, false)
    local runs = events.find_runs(folder.path)
    assert.equal(1, #runs.train)
    runs.train = nil
    assert.same({}, runs)
  end)

  case("test_TensorBoard_batch_metrics", function()
    fit(flat_model(), { update_freq = 1 }, true)
    assert.same(tags("train batch_loss", table.unpack(validated)), written().scalar)
  end)

  local function with_schedule()
    return optimizers.SGD { cdl.schedules.CosineDecay { initial_learning_rate = 0.01, decay_steps = 1 } }
  end

  case("test_TensorBoard_learning_rate_schedules", function()
    fit(flat_model(with_schedule()), {}, false)
    assert.same(tags("train epoch_loss", "train epoch_learning_rate"), written().scalar)
  end)

  case("test_TensorBoard_global_step", function()
    fit(flat_model(with_schedule()), { update_freq = 1, profile_batch = 0, write_steps_per_second = true }, false)
    assert.same(tags("train batch_loss", "train epoch_loss", "train epoch_learning_rate",
      "train epoch_steps_per_second", "train batch_steps_per_second"), written().scalar)
  end)

  case("test_TensorBoard_weight_histograms", function()
    fit(flat_model(), { histogram_freq = 1 }, true)
    local found = written()
    assert.same(tags(table.unpack(validated)), found.scalar)
    each_ends(found.histogram, "histogram")
  end)

  case("test_TensorBoard_weight_images", function()
    local model = cdl.Sequential { layers.Input { 10, 10, 1 }, layers.Conv2D(3, 10), layers.GlobalAveragePooling2D(),
      layers.Dense(1) }
    model:compile { optimizer = "sgd", loss = "mse" }
    fit(model, { histogram_freq = 1, write_images = true }, true)
    local found = written()
    assert.same(tags(table.unpack(validated)), found.scalar)
    each_ends(found.histogram, "histogram")
    each_ends(found.image, "image")
  end)

  case("test_TensorBoard_projector_callback", function()
    local model = cdl.Sequential { layers.Input { 10 }, layers.Embedding(10, 10, { name = "test_embedding" }),
      layers.Dense { 1, activation = "sigmoid" } }
    model:compile { optimizer = "adam", loss = cdl.losses.BinaryCrossentropy { from_logits = true } }
    folder:write("metadata.tsv", ("word\n"):rep(10))
    model:fit(cdl.ones { 10, 10 }, cdl.ones { 10, 10, 1 }, with { batch_size = 2, epochs = 2,
      callbacks = callbacks.TensorBoard { folder.path, embeddings_freq = 1,
        embeddings_metadata = { test_embedding = "metadata.tsv" } } })
    assert.equal([[
embeddings {
  tensor_name: "test_embedding"
  metadata_path: "metadata.tsv"
  tensor_shape: 10
  tensor_shape: 10
  tensor_path: "projector/test_embedding/tensors.tsv"
}
]], folder:read "projector_config.pbtxt")
  end)

  case("test_TensorBoard_non_blocking", function()
    -- The loop passes over hooks that are not wanted, so nothing of a batch is read for them.
    local callback = callbacks.TensorBoard(folder.path)
    assert.equal(core.idle_hook, callback.on_train_batch_begin)
    assert.equal(core.idle_hook, callback.on_train_batch_end)
    fit(flat_model(), {}, false)
  end)

  case("test_TensorBoard_write_sequential_model_no_input_shape", function()
    local model = cdl.Sequential { layers.Conv2D(3, 10), layers.Flatten(), layers.Dense(1) }
    model:compile { optimizer = "sgd", loss = "mse" }
    fit(model, { write_graph = true }, false)
    assert.equal(1, written().graph)
  end)

  case("test_TensorBoard_write_sequential_model_with_input_shape", function()
    fit(flat_model(), { write_graph = true }, false)
    assert.equal(1, written().graph)
  end)

  case("test_TensorBoard_write_model", function()
    local input = cdl.Input { 10, 10, 1 }
    local model = cdl.Model { inputs = input, outputs = layers.Dense(1)(layers.Flatten()(input)) }
    model:compile { optimizer = "sgd", loss = "mse" }
    fit(model, { write_graph = true }, false)
    assert.equal(1, written().graph)
  end)
end)

describe("the accounts of Keras's cases", function()
  it("add up, file by file, to 84", function()
    local total = 0
    for name, expected in pairs(EXPECTED) do
      assert.equal(expected, count[name], name)
      total = total + expected
    end
    assert.equal(84, total)
    for name, reasons in pairs(LEFT_OUT) do
      assert.is_number(EXPECTED[name])
      for test, reason in pairs(reasons) do assert.is_true(test:find "^test_" ~= nil and #reason > 20) end
    end
  end)
end)
