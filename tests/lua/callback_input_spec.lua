-- Bad input for callbacks: what cannot be written, formatted or compared. Each gives a clear message,
-- leaves no half-written file in place of a good one, and the model usable.
local cdl = require "cdl"
local capture = require "capture"
local core = require "cdl.core"
local folders = require "folder"
local program = require "program"
local callbacks, layers = cdl.callbacks, cdl.layers
local warned, printed, problem_of = capture.warned, capture.printed, capture.problem_of
local nan, inf = 0 / 0, math.huge

local folder
before_each(function() folder = folders.new() end)
after_each(function() folder:remove() end)

local x, y = cdl.ones { 8, 1 }, cdl.zeros { 8, 1 }

local function new_model(units)
  local model = cdl.Sequential { layers.Dense { units or 1, input_shape = { 1 } }, layers.Dense(1) }
  model:compile { optimizer = "sgd", loss = "mse" }
  return model
end

local function fit(model, list, options)
  local all = { verbose = 0, epochs = 2, batch_size = 4, validation_data = { x, y }, callbacks = list }
  for name, value in pairs(options or {}) do all[name] = value end
  return model:fit(x, y, all)
end

-- The message of a fit that must fail, with this file's line; the model can be trained after it.
local function refused(list, model, options)
  model = model or new_model()
  local problem = problem_of(function() fit(model, list, options) end)
  assert.matches("^tests/lua/callback_input_spec.lua:%d+: ", problem)
  assert.equal(2, #fit(model, {}).epoch)
  return problem
end

local function checkpoint(name, args)
  args = args or {}
  args.filepath, args.save_weights_only = folder(name), true
  return callbacks.ModelCheckpoint(args)
end

describe("a metric that there is not", function()
  it("raises where its direction is asked for, and warns where a mode is given", function()
    for _, class in ipairs { "EarlyStopping", "ReduceLROnPlateau" } do
      assert.matches(class .. ": whether 'val_f1' should go up or down cannot be told from the compiled metrics; pass "
        .. "mode = 'min' or mode = 'max'", refused { callbacks[class] { monitor = "val_f1" } }, 1, true)
    end
    assert.matches("ModelCheckpoint: whether 'val_f1' should go up or down",
      refused { checkpoint("w.npz", { monitor = "val_f1" }) }, 1, true)
    local text = warned(function()
      fit(new_model(), { callbacks.EarlyStopping { monitor = "val_f1", mode = "max" },
        callbacks.ReduceLROnPlateau { monitor = "val_f1", mode = "max" },
        checkpoint("w.npz", { monitor = "val_f1", mode = "max", save_best_only = true }) }, { epochs = 1 })
    end)
    assert.matches("Early stopping conditioned on metric `val_f1` which is not available. Available metrics are: "
      .. "loss,val_loss\n", text, 1, true)
    assert.matches("Learning rate reduction is conditioned on metric `val_f1` which is not available", text, 1, true)
    assert.matches("Can save best model only with val_f1 available; saving anyway", text, 1, true)
  end)

  it("or is a list is told apart; a list of one number is that number", function()
    local model = { stop_training = false }
    local stopper = callbacks.EarlyStopping { monitor = "f1", mode = "max" }
    stopper:set_model(model)
    stopper:on_train_begin {}
    stopper:on_epoch_end(1, { f1 = { 0.5 } })
    assert.equal(0.5, stopper.best)
    assert.equal("Early stopping conditioned on metric `f1` which is not a number. Available metrics are: f1",
      warned(function() stopper:on_epoch_end(2, { f1 = { 0.5, 0.7 } }) end))
  end)
end)

describe("a folder that cannot be written to", function()
  it("is named when it is missing", function()
    assert.matches("CSVLogger: cannot write " .. folder "none/log.csv" .. ": No such file or directory",
      refused { callbacks.CSVLogger(folder "none/log.csv") }, 1, true)
    folder:write("file", "x")
    assert.matches("cannot make the folder '" .. folder "file" .. "': Not a directory",
      refused { checkpoint "file/w.npz" }, 1, true)
    assert.matches("cannot make the folder '" .. folder "file/run" .. "': Not a directory",
      refused { callbacks.BackupAndRestore(folder "file/run") }, 1, true)
    assert.equal("x", folder:read "file")
  end)

  it("is named when it stands in a file's place", function()
    os.execute("mkdir " .. folder "w.npz")
    assert.matches("cannot write '" .. folder "w.npz" .. "': it is a folder", refused { checkpoint "w.npz" }, 1, true)
    assert.matches("CSVLogger: cannot write " .. folder "w.npz" .. ": Is a directory",
      refused { callbacks.CSVLogger(folder "w.npz") }, 1, true)
    os.execute("mkdir -p " .. folder "run/latest.safetensors")
    assert.matches("latest.safetensors", refused { callbacks.BackupAndRestore(folder "run") }, 1, true)
  end)

  -- Calls f with a small file system of its own at folder "small"; where that cannot be made, the test
  -- says so.
  local function with_file_system(options, f)
    os.execute("mkdir " .. folder "small")
    local mount = ("mount -t tmpfs -o %s none %s"):format(options, program.quote(folder "small"))
    if program.shell(mount) ~= 0 then return pending "needs the right to mount a file system" end
    local ok, problem = pcall(f)
    os.execute("umount " .. program.quote(folder "small"))
    if not ok then error(problem, 0) end
  end

  it("is named when it is read-only", function()
    with_file_system("size=1m,ro", function()
      assert.matches("CSVLogger: cannot write .*small/log.csv: Read%-only file system",
        refused { callbacks.CSVLogger(folder "small/log.csv") })
      assert.matches("cannot write '.*small/w.npz': Read%-only file system", refused { checkpoint "small/w.npz" })
      assert.matches("small/run': Read%-only file system", refused { callbacks.BackupAndRestore(folder "small/run") })
      assert.matches("small/latest.safetensors': Read%-only file system",
        refused { callbacks.BackupAndRestore(folder "small") })
    end)
  end)

  it("is named when it is full, and good files stay", function()
    with_file_system("size=64k", function()
      local big = 6000 -- units: their weights are larger than what is left
      fit(new_model(), { checkpoint "small/w.npz" })
      fit(new_model(), { callbacks.BackupAndRestore(folder "small/run", { delete_checkpoint = false }) })
      local good, kept = folder:read "small/w.npz", folder:read "small/run/latest.safetensors"
      assert.matches("cannot write '.*small/w.npz': No space left on device", refused({ checkpoint "small/w.npz" },
        new_model(big)))
      assert.equal(good, folder:read "small/w.npz")
      assert.matches("BackupAndRestore: cannot write '.*small/other/latest.safetensors': No space left on device",
        refused({ callbacks.BackupAndRestore(folder "small/other") }, new_model(big)))
      assert.equal(kept, folder:read "small/run/latest.safetensors")
      assert.same({}, core.list_folder(folder "small/other")) -- no temporary file

      -- A log that does not fit any more keeps its whole rows.
      local path, filler = folder "small/log.csv", ("x"):rep(3000)
      local problem = refused({ { on_epoch_end = function(_, _, logs) logs.filler = filler end },
        callbacks.CSVLogger(path) }, nil, { epochs = 40 })
      assert.matches("CSVLogger: cannot write .*small/log.csv: No space left on device", problem)
      local text = folder:read "small/log.csv"
      assert.matches("^epoch,filler,loss,val_loss\r\n1,x", text)
      assert.equal("\r\n", text:sub(-2))
    end)
  end)

  it("costs a run that is kept a warning when it fills up on the way", function()
    with_file_system("size=64k", function()
      local backup, first = callbacks.BackupAndRestore(folder "small/run", { delete_checkpoint = false }), nil
      local filler = { name = "filler", on_epoch_begin = function(_, epoch)
        if epoch ~= 2 then return end
        backup:wait()
        first = folder:read "small/run/latest.safetensors"
        program.shell("cat /dev/zero > " .. program.quote(folder "small/zeros"))
      end }
      local history
      local text = warned(function() history = fit(new_model(), { filler, backup }, { epochs = 4 }) end)
      assert.same({ 1, 2, 3, 4 }, history.epoch)
      assert.matches("No space left on device; training goes on, and the state that was saved before stays", text, 1,
        true)
      assert.matches("the last state of the run is not saved: cannot write .*: No space left on device", text)
      assert.equal(first, folder:read "small/run/latest.safetensors")
      assert.same({ "latest.safetensors" }, core.list_folder(folder "small/run"))
      -- With room again the run goes on from there.
      os.remove(folder "small/zeros")
      filler = { name = "filler" }
      assert.equal("", warned(function() history = fit(new_model(), { filler, backup }, { epochs = 4 }) end))
      assert.same({ 1, 2, 3, 4 }, history.epoch)
    end)
  end)

  it("may be small: a file that may not grow is an error, and no end of the program", function()
    local script = folder:write("save.lua", [[
      local cdl = require "cdl"
      for _, name in ipairs { "w.npz", "w.safetensors", "w.npy", "t.txt" } do
        local write = name == "w.npz" and cdl.io.savez or name == "w.safetensors" and cdl.io.save_safetensors
          or name == "w.npy" and cdl.io.save or cdl.io.write_text
        local what = name == "t.txt" and ("x"):rep(100000) or name == "w.npy" and cdl.ones { 100000 }
          or { x = cdl.ones { 100000 } }
        print(pcall(write, arg[1] .. "/" .. name, what))
      end]])
    for _, name in ipairs { "w.npz", "w.safetensors", "w.npy", "t.txt" } do folder:write(name, "good") end
    local status, output = program.shell(("ulimit -f 8; exec %s %s %s"):format(program.quote(program.path), script,
      folder.path))
    assert.equal(0, status)
    assert.equal(4, select(2, output:gsub("false\t[^\n]*File too large", "")))
    for _, name in ipairs { "w.npz", "w.safetensors", "w.npy", "t.txt" } do assert.equal("good", folder:read(name)) end
  end)
end)

describe("the separator of a CSV file", function()
  it("is one character", function()
    assert.matches('separator must be one character, got ""',
      problem_of(callbacks.CSVLogger, "log.csv", { separator = "" }), 1, true)
  end)
end)

describe("a file name template", function()
  it("that is malformed is refused when the callback is made", function()
    for template, why in pairs {
      ["{epoch"] = "a '{' without its '}'", ["epoch}"] = "a single '}'", ["{}"] = "the field '{}' has no name",
      ["{epoch:02x}"] = "cannot read the format '02x'", ["{:.2f}"] = "the field '{:.2f}' has no name",
    } do
      local problem = problem_of(function()
        local made = checkpoint(template .. ".npz")
        return made
      end)
      assert.matches("^tests/lua/callback_input_spec.lua:%d+: ModelCheckpoint: cannot read the file name ", problem)
      assert.matches(why, problem, 1, true)
    end
  end)

  it("with a field that there is not says which there are", function()
    local problem = refused { checkpoint "{epoch}-{val_los:.2f}.npz" }
    assert.matches("there is no 'val_los'; there are epoch, loss, val_loss", problem, 1, true)
    assert.matches("in callback 1 (ModelCheckpoint), on_epoch_end(1)", problem, 1, true)
    problem = refused { checkpoint("{epoch}-{val_loss}.npz", { save_freq = 1 }) }
    assert.matches("there is no 'val_loss'; there are batch, epoch, loss", problem, 1, true)
    assert.matches("is not an integer, which 'd' wants", refused { checkpoint "{loss:d}.npz" }, 1, true)
    assert.same({}, folder:names())
  end)
end)

describe("metrics that are no finite numbers", function()
  -- Each callback hears of these values of a metric, epoch by epoch.
  local values = { nan, inf, 0.5, nan, -inf, inf }
  local function drive(list, model)
    model = model or new_model()
    fit(model, { { on_epoch_end = function(_, epoch, logs) logs.metric = values[epoch] end },
      table.unpack(list) }, { epochs = #values, batch_size = 8 })
    return model
  end

  it("never improve, but for the infinite one on the right side", function()
    local stopper = callbacks.EarlyStopping { monitor = "metric", mode = "min", patience = 9 }
    drive { stopper }
    assert.same({ -inf, 5, 1 }, { stopper.best, stopper.best_epoch, stopper.wait })
    -- nan is not better than nan.
    stopper = callbacks.EarlyStopping { monitor = "metric", mode = "min", patience = 2 }
    stopper:set_model { stop_training = false }
    stopper:on_train_begin {}
    for epoch = 1, 3 do stopper:on_epoch_end(epoch, { metric = nan }) end
    assert.equal(3, stopper.stopped_epoch)
  end)

  it("count as no improvement for the learning rate", function()
    local model = new_model()
    drive({ callbacks.ReduceLROnPlateau { monitor = "metric", mode = "max", patience = 2, factor = 0.5 } }, model)
    -- The infinite value of epoch 2 is the best; nothing beats it: lowered in epochs 4 and 6.
    assert.near(0.01 * 0.25, model.optimizer.learning_rate, 1e-9)
  end)

  it("can be in file names, and are saved as best only when they are", function()
    drive { checkpoint "{epoch}-{metric:.1f}.npz" }
    assert.same({ "1-nan.npz", "2-inf.npz", "3-0.5.npz", "4-nan.npz", "5--inf.npz", "6-inf.npz" }, folder:names())
    folder:remove()
    drive { checkpoint("best{epoch}.npz", { monitor = "metric", mode = "max", save_best_only = true,
      initial_value_threshold = 0 }) }
    assert.same({ "best2.npz" }, folder:names())
  end)

  it("are written, recorded and kept as they are", function()
    local function run(kill)
      local model = new_model()
      return fit(model, { { on_epoch_end = function(_, epoch, logs) logs.metric = values[epoch] end },
        callbacks.CSVLogger { folder "log.csv" }, callbacks.BackupAndRestore(folder "run"),
        { name = "killer", on_epoch_begin = function(_, epoch) if epoch == kill then error "killed" end end } },
        { epochs = #values })
    end
    problem_of(run, 4)
    local history = run()
    local got = history.history.metric
    assert.equal(6, #got)
    for i, value in ipairs(values) do
      assert.is_true(got[i] == value or (got[i] ~= got[i] and value ~= value))
    end
    local cells = {}
    for cell in folder:read "log.csv":gmatch "\n%d,[^,]+,([^,]+)" do cells[#cells + 1] = cell end
    assert.same({ "nan", "inf", "0.5", "nan", "-inf", "inf" }, cells)
    assert.same({ -inf, 5 }, { history:best("metric", "min") })
  end)

  it("end training by TerminateOnNaN alone, by their loss", function()
    local model = new_model()
    local text = printed(function()
      model:fit(x, y * nan, { batch_size = 4, epochs = 3, verbose = 0, callbacks = callbacks.TerminateOnNaN() })
    end)
    assert.equal("Batch 1: Invalid loss, terminating training", text)
    assert.same({ 1 }, model.history.epoch)
  end)

  it("may be what a schedule gives, but not nothing", function()
    local model = new_model()
    fit(model, { callbacks.LearningRateScheduler(function(epoch) return epoch == 1 and 0.01 or nan end) })
    assert.is_true(model.history.history.learning_rate[2] ~= model.history.history.learning_rate[2])
    assert.matches("the output of the schedule function should be a number, got nil",
      refused { callbacks.LearningRateScheduler(function() end) }, 1, true)
  end)
end)

describe("the list of callbacks", function()
  it("has no holes and no callback twice", function()
    local callback = { on_epoch_end = function() end }
    assert.matches("fit: callbacks[2]: wanted a callback or a list of them, got nil",
      refused { callback, nil, { on_epoch_end = print } }, 1, true)
    assert.matches("fit: callbacks[2][1] is the same callback as fit: callbacks[1]",
      refused { callback, { callback } }, 1, true)
  end)

  it("does not hold itself", function()
    local list = { {} }
    list[1][1] = list
    assert.matches("fit: callbacks[1][1] is a list that holds itself", refused(list), 1, true)
  end)

  it("wants a model with a learning rate where one is set", function()
    local Own = cdl.Model:extend "Own"
    function Own:init() self.dense = layers.Dense { 1, input_shape = { 1 } } end
    function Own:call(v) return self.dense(v) end
    function Own:train_step(v) return { loss = cdl.mean(self(v, true)) } end
    local scheduler = callbacks.LearningRateScheduler(function() return 1 end)
    scheduler:set_model(Own {})
    assert.matches("LearningRateScheduler: the model has no optimizer with a learning rate",
      problem_of(scheduler.on_epoch_begin, scheduler, 1, {}), 1, true)
  end)
end)
