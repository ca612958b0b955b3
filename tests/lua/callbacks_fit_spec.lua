-- The built-in callbacks in real fits.
local callbacks = require "cdl.callbacks"
local cdl = require "cdl"
local folders = require "folder"
local layers, optimizers = cdl.layers, cdl.optimizers

local function new_model(optimizer)
  local model = cdl.Sequential { layers.Dense { 8, activation = "relu", input_shape = {3} },
    layers.Dense { 2, activation = "softmax" } }
  model:compile { optimizer = optimizer or optimizers.Adam { learning_rate = 0.1 },
    loss = "sparse_categorical_crossentropy", metrics = { "acc" } }
  return model
end

local function new_data(n)
  cdl.random.seed(3)
  local x = cdl.random.normal { shape = {n, 3} }
  return x, x:sum(2):gt(0):astype "int64"
end

local function fit(model, options)
  local x, y = new_data(30)
  options.verbose, options.batch_size = 0, options.batch_size or 10
  if options.validate ~= false then options.validation_data = { x, y } end
  options.validate = nil
  return model:fit(x, y, options)
end

describe("in a fit", function()
  local folder
  before_each(function() folder = folders.new() end)
  after_each(function() folder:remove() end)

  it("ModelCheckpoint keeps the best weights, which load again", function()
    local model, path = new_model(), folder "best/{epoch:02d}-{val_acc:.3f}.npz"
    local history = fit(model, { epochs = 4, callbacks = {
      callbacks.ModelCheckpoint { path, save_weights_only = true, monitor = "val_acc", save_best_only = true } } })
    local best, epoch = history:best "val_acc"
    local name = ("best/%02d-%.3f.npz"):format(epoch, best)
    local loaded = new_model()
    loaded:load_weights(folder(name))
    local x, y = new_data(30)
    assert.near(best, loaded:evaluate(x, y, { verbose = 0, return_dict = true }).acc, 1e-6)
    assert.same({ "best" }, folder:names())
  end)

  it("ModelCheckpoint refuses a folder in place of a file", function()
    os.execute("mkdir " .. folder "w.npz")
    local ok, problem = pcall(fit, new_model(), { callbacks = {
      callbacks.ModelCheckpoint { folder "w.npz", save_weights_only = true } } })
    assert.is_false(ok)
    assert.matches("w.npz", problem, 1, true)
    assert.matches("in callback 1 (ModelCheckpoint), on_epoch_end(1)", problem, 1, true)
  end)

  it("CSVLogger writes what History has", function()
    local history = fit(new_model(), { epochs = 3, validation_freq = 3, callbacks = {
      callbacks.CSVLogger(folder "log.csv") } })
    local rows = {}
    for line in folder:read "log.csv":gmatch "([^\r\n]+)\r\n" do rows[#rows + 1] = line end
    assert.equal("epoch,acc,loss,val_acc,val_loss", rows[1])
    assert.equal(4, #rows)
    assert.matches("^1,[%d.]+,[%d.]+,NA,NA$", rows[2])
    local values = {}
    for cell in rows[4]:gmatch "[^,]+" do values[#values + 1] = tonumber(cell) end
    assert.same({ 3, history.history.acc[3], history.history.loss[3], history.history.val_acc[1],
      history.history.val_loss[1] }, values)
  end)

  it("ReduceLROnPlateau lowers the optimizer's rate", function()
    local model = new_model()
    local history = fit(model, { epochs = 3, callbacks = {
      callbacks.ReduceLROnPlateau { patience = 1, min_delta = 100, min_lr = 0.005 } } })
    assert.near(0.005, model.optimizer.learning_rate, 1e-8)
    assert.near(0.1, history.history.learning_rate[2], 1e-7)
    assert.near(0.01, history.history.learning_rate[3], 1e-8)
  end)

  it("LearningRateScheduler sets it, but not where a schedule does", function()
    local model = new_model(optimizers.SGD { learning_rate = 0.03 })
    local halve = callbacks.LearningRateScheduler(function(_, rate) return rate / 2 end)
    local history = fit(model, { epochs = 2, callbacks = halve })
    assert.near(0.0075, model.optimizer.learning_rate, 1e-8)
    assert.near(0.015, history.history.learning_rate[1], 1e-8)
    local driven = new_model(optimizers.SGD { learning_rate = cdl.schedules.ExponentialDecay {
      initial_learning_rate = 0.1, decay_steps = 10, decay_rate = 0.5 } })
    local ok, problem = pcall(fit, driven, { callbacks = halve })
    assert.is_false(ok)
    assert.matches("schedule", problem, 1, true)
  end)

  it("EarlyStopping knows the direction of a compiled metric", function()
    local model = new_model(optimizers.SGD { learning_rate = 0 })
    local history = fit(model, { epochs = 10, callbacks = {
      callbacks.EarlyStopping { monitor = "val_acc", patience = 2, restore_best_weights = true } } })
    assert.equal(3, #history.epoch)
    local ok, problem = pcall(fit, model, { callbacks = { callbacks.EarlyStopping { monitor = "other" } } })
    assert.is_false(ok)
    assert.matches("pass mode = 'min' or mode = 'max'", problem, 1, true)
  end)

  it("EarlyStopping puts the best weights back", function()
    local model, kept = new_model(), {}
    fit(model, { epochs = 6, callbacks = {
      { on_epoch_end = function(self, epoch, logs)
        kept[epoch] = self.model:get_weights()[1]:totable()
        logs.tagged = ({ 3, 2, 1, 2, 3, 4 })[epoch]
      end },
      callbacks.EarlyStopping { monitor = "tagged", mode = "min", patience = 3, restore_best_weights = true } } })
    assert.equal(6, #kept)
    assert.same(kept[3], model:get_weights()[1]:totable())
    assert.is_not.same(kept[3], kept[6])
  end)

  it("LambdaCallback hears of evaluate and predict, too", function()
    local seen = {}
    local function note(name) return function() seen[#seen + 1] = name end end
    local lambda = callbacks.LambdaCallback { on_train_begin = note "train", on_test_begin = note "test",
      on_predict_begin = note "predict" }
    local model = new_model()
    fit(model, { callbacks = lambda })
    local x, y = new_data(10)
    model:evaluate(x, y, { verbose = 0, callbacks = lambda })
    model:predict(x, { verbose = 0, callbacks = lambda })
    assert.same({ "train", "test", "test", "predict" }, seen)
  end)

  it("a History of the user's is the one that fit returns", function()
    local mine, model = callbacks.History(), new_model()
    assert.equal(mine, fit(model, { callbacks = mine, validate = false }))
    fit(model, { callbacks = mine, validate = false })
    assert.equal(2, #mine.history.loss)
    assert.same({ 1 }, mine.epoch)
  end)
end)
