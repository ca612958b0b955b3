-- The TensorBoard callback beside Keras's own cases (keras_callbacks_spec.lua): steps, snapshots, bad input.
local cdl = require "cdl"
local capture = require "capture"
local events = require "cdl.event_reader"
local folders = require "folder"
local callbacks, layers = cdl.callbacks, cdl.layers

describe("TensorBoard", function()
  local folder
  before_each(function()
    cdl.random.seed(3)
    folder = folders.new()
  end)
  after_each(function() folder:remove() end)

  local x, y = cdl.random.normal { 12, 4 }, cdl.random.normal { 12, 1 }

  local function new_model(...)
    local model = cdl.Sequential { layers.Input { 4 }, layers.Dense { 3, activation = "relu", name = "hidden" },
      layers.Dense { 1, name = "out" }, ... }
    model:compile { optimizer = "sgd", loss = "mse", metrics = { "mae" } }
    return model
  end

  local function fit(model, board, options)
    local all = { epochs = 2, batch_size = 4, verbose = 0, callbacks = board }
    for name, value in pairs(options or {}) do all[name] = value end
    return model:fit(x, y, all)
  end

  local function board_of(arguments)
    arguments[1] = folder.path
    return callbacks.TensorBoard(arguments)
  end

  local function series(run, tag)
    local found = assert(events.scalars(folder.path))
    return found[run] and found[run][tag] or { steps = {}, values = {} }
  end

  local function problem(arguments, options, model)
    return capture.problem_of(function() fit(model or new_model(), board_of(arguments), options) end)
  end

  it("writes what the logs say, by epoch", function()
    local history = fit(new_model(), board_of {}, { validation_data = { x, y } }).history
    local function near(list, found)
      assert.same({ 1, 2 }, found.steps)
      for i, value in ipairs(list) do assert.near(value, found.values[i], 1e-6) end
    end
    near(history.loss, series("train", "epoch_loss"))
    near(history.val_mae, series("validation", "epoch_mae"))
    near({ 0.01, 0.01 }, series("train", "epoch_learning_rate"))
    assert.same({ 3, 6 }, series("validation", "evaluation_loss_vs_iterations").steps)
  end)

  it("writes every n-th batch", function()
    fit(new_model(), board_of { update_freq = 2 }, { epochs = 3 })
    assert.same({ 2, 4, 6, 8 }, series("train", "batch_loss").steps)
  end)

  it("goes on with its steps over fits and over initial_epoch", function()
    local model, board = new_model(), board_of { update_freq = "batch" }
    fit(model, board, { epochs = 2 })
    fit(model, board, { epochs = 4, initial_epoch = 3 })
    fit(model, board, { epochs = 1 })
    assert.same({ 1, 2, 3, 4, 5 }, series("train", "epoch_loss").steps)
    assert.same(15, #series("train", "batch_loss").steps)
    fit(model, board_of { update_freq = "batch" }, { epochs = 7, initial_epoch = 7 })
    assert.same({ 1, 2, 3, 4, 5, 7 }, series("train", "epoch_loss").steps)
    assert.same(18, series("train", "batch_loss").steps[18])
  end)

  it("goes on after a kill as if there had been none", function()
    local function run(path, stop)
      local model = new_model()
      local list = { callbacks.TensorBoard { path, update_freq = "batch" } }
      if stop then
        list[2] = { on_train_batch_end = function(_, batch)
          if model.optimizer.iterations == 8 then error "killed" end
        end }
      end
      return pcall(fit, model, list, { epochs = 4, resume = folder "keep" })
    end
    assert.is_false(run(folder "logs", true))
    assert.is_true(run(folder "logs"))
    local found = {}
    for _, path in ipairs(events.find_runs(folder "logs").train) do
      for _, value in ipairs(events.read_file(path)) do
        if value.tag == "batch_loss" or value.tag == "epoch_loss" then
          found[value.tag] = found[value.tag] or {}
          table.insert(found[value.tag], value.step)
        end
      end
    end
    -- No step stands twice, even for a reader that takes all that is there.
    assert.same({ 1, 2, 3, 4 }, found.epoch_loss)
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, found.batch_loss)
  end)

  it("writes activations and gradients of the first rows of the validation data", function()
    local model = new_model()
    fit(model, board_of { activation_freq = 2, gradient_freq = 2, histogram_freq = 3 },
      { epochs = 4, validation_data = { x, y } })
    local count = {}
    for _, path in ipairs(events.find_runs(folder.path).train) do
      for _, value in ipairs(events.read_file(path)) do
        if value.kind == "histogram" then count[value.tag] = (count[value.tag] or "") .. value.step end
      end
    end
    assert.same({ "13", "13", "14" }, { count["hidden/activation/histogram"],
      count["sequential/hidden/kernel/gradient/histogram"] or count[model.name .. "/hidden/kernel/gradient/histogram"],
      count[model.name .. "/out/bias/histogram"] })
  end)

  it("gives the gradients of the loss", function()
    local probe = require "cdl.callbacks.tensorboard_probe"
    local model = cdl.Sequential { layers.Input { 4 }, layers.Dense { 1, use_bias = false } }
    model:compile { optimizer = "sgd", loss = "mse" }
    local found = probe.gradients(model)({ x, y })
    local error = model(x) - y
    local wanted = x:transpose():matmul(error) * (2 / 12)
    assert.is_true((found[1].value - wanted):abs():max():item() < 1e-5)
    local outputs = probe.activations(model)({ x, y })
    assert.is_true((outputs[1].value - model(x)):abs():max():item() < 1e-6)
  end)

  it("draws no random number that the run would miss", function()
    local function weights(list)
      cdl.random.seed(5)
      local model = new_model(layers.Dropout(0.5))
      fit(model, list, { validation_data = { x, y } })
      return model:get_weights()
    end
    local plain = weights {}
    local watched = weights { board_of { histogram_freq = 1, activation_freq = 1, gradient_freq = 1 } }
    for i, value in ipairs(plain) do assert.is_true(value:eq(watched[i]):all():item()) end
  end)

  it("writes an Embedding with labels that are given as a list", function()
    local model = cdl.Sequential { layers.Input { 4, dtype = "int32" }, layers.Embedding { 3, 2, name = "words" },
      layers.Flatten(), layers.Dense(1) }
    model:compile { optimizer = "sgd", loss = "mse" }
    local function run(metadata)
      model:fit(cdl.zeros({ 4, 4 }, "int32"), cdl.zeros { 4, 1 }, { verbose = 0,
        callbacks = board_of { embeddings_freq = 1, embeddings_metadata = metadata } })
    end
    run { words = { "a", "b", "c" } }
    assert.equal("a\nb\nc\n", folder:read "projector/words/metadata.tsv")
    local _, rows = folder:read("projector/words/tensors.tsv"):gsub("\n", "")
    assert.equal(3, rows)
    assert.matches("layer 'words': there are 3 rows but 2 labels", capture.problem_of(run, { "a", "b" }), 1, true)
    assert.matches("there is no file 'none.tsv' in", capture.warned(function() run "none.tsv" end), 1, true)
    assert.matches("unrecognized `Embedding` layer name 'word' in embeddings_metadata (did you mean 'words'?)",
      capture.problem_of(run, { word = "x.tsv" }), 1, true)
  end)

  it("begins and ends a session with the fit", function()
    fit(new_model(), board_of { hparams = { units = 3 } })
    pcall(fit, new_model(), { board_of { hparams = { units = 4 } }, { on_epoch_end = function() error "x" end } })
    local seen = {}
    for _, path in ipairs(events.find_runs(folder.path)["."]) do
      for _, value in ipairs(events.read_file(path)) do seen[#seen + 1] = value.tag:match "session_(%a+)" end
    end
    assert.same({ "start", "end", "start", "end" }, seen)
  end)

  it("writes evaluations outside fit, too", function()
    local model = new_model()
    model:evaluate(x, y, { verbose = 0, callbacks = board_of {} })
    assert.same({ 0 }, series("validation", "evaluation_loss_vs_iterations").steps)
  end)

  it("writes the course of batches as a trace", function()
    fit(new_model(), board_of { profile_batch = { 2, 4 } })
    local trace = require "cdl.json".decode(folder:read "train/plugins/profile/batch_4/cdl.trace.json")
    local runs = {}
    for _, event in ipairs(trace.traceEvents) do
      assert.equal("X", event.ph)
      runs[event.args.step] = true
    end
    assert.equal(3, #runs)
    local text
    for _, value in ipairs(events.read_file(events.find_runs(folder.path).train[1])) do
      if value.tag == "batch_4" then text = value end
    end
    assert.equal("text", text.plugin)
    assert.matches("train: 3 steps of", text.value, 1, true)
    fit(new_model(), board_of { profile_batch = "100,200", update_freq = 1 })
    for _, bad in ipairs { -1, "a", "3,2", { 1 }, { 2, 1 }, 1.5 } do
      assert.matches("profile_batch must be a batch's number", problem { profile_batch = bad }, 1, true)
    end
  end)

  it("goes on with a warning when a file cannot be started in the middle of a run", function()
    folder:write("validation", "in the way")
    local history
    local text = capture.warned(function()
      history = fit(new_model(), board_of { histogram_freq = 1 }, { validation_data = { x, y } })
    end)
    assert.equal(2, #history.history.loss)
    assert.matches("TensorBoard: .*validation.*; the run goes on without", text)
    assert.is_nil(text:find "\n")
    assert.same({ 1, 2 }, series("train", "epoch_loss").steps)
  end)

  it("may be driven by hand, and lends its writers", function()
    local board = board_of {}
    board:set_model(new_model())
    board:on_train_begin {}
    board:on_epoch_begin(1, {})
    board:writer "train":scalar("own", 3, 1)
    board:on_epoch_end(1, { loss = 1.5, val_loss = 2.5, list = { 1, 2 } })
    board:on_train_end {}
    assert.same({ 1.5, 2.5, 3.0, 2.0 }, { series("train", "epoch_loss").values[1],
      series("validation", "epoch_loss").values[1], series("train", "own").values[1],
      series("train", "epoch_list_2").values[1] })
  end)

  it("refuses what it cannot do", function()
    assert.matches("update_freq must be 'epoch', 'batch' or a number of batches, got \"often\"",
      problem { update_freq = "often" }, 1, true)
    assert.matches("update_freq must be", problem { update_freq = 0 }, 1, true)
    assert.matches("histogram_freq must be at least 0", problem { histogram_freq = -1 }, 1, true)
    assert.matches("activation_freq wants validation data", problem { activation_freq = 1 }, 1, true)
    assert.matches("gradient_freq wants validation data", problem { gradient_freq = 1 }, 1, true)
    assert.matches("unknown argument 'logdir' (did you mean 'log_dir'?)",
      capture.problem_of(callbacks.TensorBoard, { logdir = "x" }), 1, true)
    assert.matches("log_dir is empty", capture.problem_of(callbacks.TensorBoard, ""), 1, true)
    assert.matches("cannot make the folder", capture.problem_of(fit, new_model(), callbacks.TensorBoard "/dev/null/x"),
      1, true)
    assert.matches("hparams: 'a' must be", problem { hparams = { a = {} } }, 1, true)
    local writer <close> = cdl.summary.create_file_writer(folder "train")
    assert.matches("has a writer already", problem {}, 1, true)
    assert.is_nil(writer:flush())
  end)

  it("writes histograms without validation data, as Keras", function()
    fit(new_model(), board_of { histogram_freq = 1 })
    assert.same({ 1, 2 }, series("train", "epoch_loss").steps)
  end)

  it("goes on when the loss is no number", function()
    local model = new_model()
    model:compile { optimizer = cdl.optimizers.SGD(1e30), loss = "mse" }
    fit(model, board_of { histogram_freq = 1, update_freq = "batch", write_images = true })
    local losses = series("train", "batch_loss")
    assert.equal(6, #losses.values)
    assert.is_true(losses.values[6] ~= losses.values[6])
    assert.is_true(series("train", model.name .. "/out/bias/histogram/nonfinite").values[2] >= 1)
  end)
end)
