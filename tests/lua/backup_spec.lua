-- Runs that are cut short and go on: BackupAndRestore and fit's `resume`.
local cdl = require "cdl"
local capture = require "capture"
local core = require "cdl.core"
local folders = require "folder"
local program = require "program"
local callbacks, layers, optimizers = cdl.callbacks, cdl.layers, cdl.optimizers
local warned, problem_of = capture.warned, capture.problem_of

local folder
before_each(function() folder = folders.new() end)
after_each(function() folder:remove() end)

-- What a script does when it is started: seeds, data, a model that draws random numbers.
local function start(optimizer)
  cdl.random.seed(7)
  local x = cdl.random.normal { shape = { 60, 4 } }
  local y = x:sum(2):gt(0):astype "int64"
  local model = cdl.Sequential { layers.Dense { 8, activation = "relu", input_shape = { 4 } }, layers.Dropout(0.25),
    layers.Dense { 2, activation = "softmax" } }
  model:compile { optimizer = optimizer and optimizer() or "adam", loss = "sparse_categorical_crossentropy",
    metrics = { "acc" } }
  return model, x, y
end

-- Ends the run as a kill would, as far as the files can tell: at a hook, with an error.
local function killer(hook, number)
  return { name = "killer", [hook] = function(_, n) if n == number then error "killed" end end }
end

local function with(...)
  local all = { verbose = 0 }
  for _, part in ipairs { ... } do
    for name, value in pairs(part) do all[name] = value end
  end
  return all
end

local function state_of(model, history)
  local weights = {}
  for i, weight in ipairs(model:get_weights()) do weights[i] = weight:totable() end
  return { weights = weights, history = history.history, epoch = history.epoch }
end

-- Trains without a break and with one; both must end in the same bits.
local function check_same(optimizer, options, kill, list)
  local model, x, y = start(optimizer)
  options = with({ batch_size = 8, epochs = 5, validation_split = 0.2 }, options)
  local function run(place, ...)
    local all = list and list() or {}
    all[#all + 1] = callbacks.BackupAndRestore(folder(place), { delete_checkpoint = false })
    for _, callback in ipairs { ... } do all[#all + 1] = callback end
    options.callbacks = all
    return model:fit(x, y, options)
  end
  local whole = state_of(model, run "whole")
  model = start(optimizer)
  assert.matches("killed", problem_of(run, "cut", kill), 1, true)
  model = start(optimizer)
  local history
  assert.equal("", warned(function() history = run("cut", { name = "killer" }) end))
  assert.same(whole, state_of(model, history))
  return history
end

describe("a run that was cut short", function()
  it("goes on at the epoch's border with the same bits", function()
    check_same(nil, {}, killer("on_train_batch_end", 3))
    for epoch = 1, 5 do
      folder:remove()
      os.execute("mkdir " .. folder.path)
      check_same(nil, {}, killer("on_epoch_end", epoch))
    end
  end)

  it("does so with averages, accumulation, schedules and callbacks that count", function()
    check_same(function() return optimizers.AdamW { use_ema = true, ema_momentum = 0.8, clipnorm = 1 } end, {},
      killer("on_epoch_begin", 4), function()
        return { callbacks.SwapEMAWeights { swap_on_epoch = true },
          callbacks.EarlyStopping { patience = 1, restore_best_weights = true } }
      end)
  end)

  it("does so with a schedule and gradients that are accumulated", function()
    check_same(function()
      return optimizers.SGD { cdl.schedules.ExponentialDecay { initial_learning_rate = 0.5, decay_steps = 3,
        decay_rate = 0.9 }, momentum = 0.9, gradient_accumulation_steps = 2 }
    end, {}, killer("on_epoch_begin", 3))
  end)

  it("does so within a pass over the data", function()
    -- A pass has six batches; the run is cut short in the middle of the second one.
    local history = check_same(nil, { steps_per_epoch = 3 }, killer("on_epoch_begin", 4), function()
      return { callbacks.ReduceLROnPlateau { monitor = "loss", patience = 1, min_delta = 10 } }
    end)
    assert.same({ 1, 2, 3, 4, 5 }, history.epoch)
    assert.is_true(history.history.learning_rate[5] < history.history.learning_rate[1])
  end)

  it("keeps what hooks have assigned", function()
    check_same(nil, {}, killer("on_epoch_begin", 4), function()
      return { { on_epoch_begin = function(self, epoch)
        if epoch == 2 then
          self.model.optimizer.beta_1 = 0.5
          self.model.optimizer.learning_rate = 0.07
          self.model:set_weights(self.model:get_weights())
        end
      end } }
    end)
  end)

  it("keeps several optimizers of a model with a step of its own", function()
    local Two = cdl.Model:extend "Two"
    function Two:init()
      self.a, self.b = layers.Dense { 3, activation = "tanh" }, layers.Dense(1)
      self.a_optimizer, self.b_optimizer = optimizers.Adam(0.05), optimizers.SGD { 0.1, momentum = 0.9 }
    end
    function Two:call(x) return self.b(self.a(x)) end
    function Two:train_step(x, y)
      local loss = cdl.mean(cdl.square(self(x, true) - y))
      self.a_optimizer:apply(cdl.gradients(loss, self.a.trainable_weights), self.a.trainable_weights)
      self.b_optimizer:apply(cdl.gradients(loss, self.b.trainable_weights), self.b.trainable_weights)
      return { distance = loss }
    end
    local function run(place, kill)
      cdl.random.seed(3)
      local x = cdl.random.normal { shape = { 20, 2 } }
      local model = Two {}
      local history = model:fit(x, x:sum(2, true), { epochs = 4, batch_size = 4, verbose = 0, callbacks = {
        callbacks.BackupAndRestore(folder(place)), kill or { name = "killer" } } })
      return state_of(model, history)
    end
    local whole = run "whole"
    problem_of(run, "cut", killer("on_epoch_begin", 3))
    assert.same(whole, run "cut")
  end)

  it("goes on with `resume`, which keeps the run itself", function()
    local model, x, y = start()
    local function run(place, kill)
      return model:fit(x, y, with { epochs = 4, callbacks = { kill or { name = "killer" } }, resume = folder(place) })
    end
    local whole = state_of(model, run "whole")
    model = start()
    problem_of(run, "cut", killer("on_train_batch_begin", 2))
    model = start()
    problem_of(run, "cut", killer("on_epoch_end", 3))
    model = start()
    assert.same(whole, state_of(model, run "cut"))
  end)

  it("is not trained again when it has ended", function()
    local model, x, y = start()
    local function run(epochs, ...)
      return model:fit(x, y, with { epochs = epochs, resume = folder "run", callbacks = { ... } })
    end
    local function refuse() error "a hook was called" end
    local whole = state_of(model, run(3))
    model = start()
    local again
    assert.equal("", warned(function() again = run(3, { on_train_begin = refuse, on_epoch_begin = refuse }) end))
    assert.same(whole, state_of(model, again))
    assert.equal("completed", again.stop_reason)
    -- More epochs than then: it goes on to them.
    model = start()
    local longer = state_of(model, run(5))
    model = start()
    assert.same(longer, state_of(model, model:fit(x, y, with { epochs = 5 })))
  end)

  it("stays stopped when it was stopped", function()
    local model, x, y = start()
    local function run(...)
      return model:fit(x, y, with { epochs = 20, callbacks = { callbacks.BackupAndRestore(folder "run"),
        { name = "stopper", on_epoch_end = function(self, epoch) self.model.stop_training = epoch == 2 end }, ... } })
    end
    problem_of(run, { name = "last", on_train_end = function() error "killed at the very end" end })
    local stopped = model:get_weights()[1]:totable()
    model = start()
    local history = run { name = "last" }
    assert.same({ 1, 2 }, history.epoch)
    assert.equal("stop_training", history.stop_reason)
    assert.same(stopped, model:get_weights()[1]:totable())
    assert.is_nil(core.path_kind(folder "run"))
  end)

  it("is kept when Ctrl-C ended it", function()
    local script = ([[
      local cdl = require "cdl"
      cdl.random.seed(1)
      local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = {1} } }
      model:compile { optimizer = "sgd", loss = "mse" }
      local x = cdl.ones { 10, 1 }
      local history = model:fit(x, x, { batch_size = 2, epochs = 4, verbose = 0, callbacks = {
        cdl.callbacks.BackupAndRestore(%q), { name = "i", on_train_batch_end = function(self, batch)
          self.batches = (self.batches or 0) + 1
          if arg[1] and self.batches == 12 then io.popen("kill -INT $PPID"):close() end end } } })
      print(history.stop_reason, #history.epoch)
    ]]):format(folder "run")
    local path = folder:write("run.lua", script)
    local _, out = program.run { path, "break" }
    assert.equal("interrupted\t2\n", out)
    assert.equal("file", core.path_kind(folder "run/latest.safetensors"))
    _, out = program.run { path }
    assert.equal("completed\t4\n", out)
    assert.is_nil(core.path_kind(folder "run"))
  end)
end)

describe("kill -9", function()
  local script = [[
    local cdl = require "cdl"
    local folder, callbacks = arg[1], cdl.callbacks
    cdl.random.seed(11)
    local x = cdl.random.normal { shape = { 96, 6 } }
    local y = x:sum(2):gt(0):astype "int64"
    local model = cdl.Sequential { cdl.layers.Dense { 24, activation = "relu", input_shape = {6} },
      cdl.layers.Dropout(0.4), cdl.layers.Dense { 2, activation = "softmax" } }
    model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "acc" } }
    local history = model:fit(x, y, { batch_size = 8, epochs = 24, validation_split = 0.25, verbose = 0, callbacks = {
      callbacks.CSVLogger { folder .. "/log.csv", append = true },
      callbacks.EarlyStopping { patience = 20, restore_best_weights = true },
      callbacks.ReduceLROnPlateau { patience = 2 },
      callbacks.BackupAndRestore(folder .. "/backup", { delete_checkpoint = false }) } })
    local weights = {}
    for i, weight in ipairs(model:get_weights()) do weights["w" .. i] = weight end
    cdl.io.savez(folder .. "/weights.npz", weights)
    cdl.io.write_text(folder .. "/epochs", table.concat(history.epoch, " "))
  ]]

  local function read_all(place)
    local all = {}
    for _, name in ipairs { "log.csv", "weights.npz", "epochs" } do all[name] = folder:read(place .. "/" .. name) end
    return all
  end

  -- Runs the script until it ends by itself, each time killed after a random part of `seconds`.
  local function run_with_kills(path, place, seconds, random)
    local kills = 0
    os.execute("mkdir " .. folder(place))
    while true do
      local delay = ("%.4f"):format(seconds * random())
      local status, _, errors = program.shell(table.concat({ "timeout -s KILL", delay, program.quote(program.path),
        path, folder(place) }, " ") .. "; exit $?")
      if status == 0 then return kills end
      assert.equal(137, status, errors)
      kills = kills + 1
    end
  end

  it("in 8 random places leaves epochs, CSV and weights as without", function()
    local path = folder:write("train.lua", script)
    os.execute("mkdir " .. folder "whole")
    local begin = core.clock()
    assert.equal(0, (program.run { path, folder "whole" }))
    local seconds = core.clock() - begin
    local whole, kills, rounds, draws = read_all "whole", 0, 0, 0
    assert.equal(25, select(2, whole["log.csv"]:gsub("\r\n", "")))
    -- Numbers in [0, 1), the same in every run of this test.
    local function random()
      draws = draws + 1
      return (core.hash(("place %d"):format(draws)) >> 20) % 10000 / 10000
    end
    while kills < 8 do
      rounds = rounds + 1
      local place = "round" .. rounds
      kills = kills + run_with_kills(path, place, seconds, random)
      assert.same(whole, read_all(place))
      assert.same({ "latest.safetensors" }, core.list_folder(folder(place .. "/backup")))
    end
  end)
end)

describe("what a snapshot holds", function()
  local function run(list, options)
    local model, x, y = start()
    list[#list + 1] = callbacks.BackupAndRestore(folder "run", { delete_checkpoint = false })
    return model:fit(x, y, with({ epochs = 3, callbacks = list }, options))
  end

  it("is each callback's state: numbers, strings, booleans, tables and tensors", function()
    local state = { n = 3, x = 3.0, tiny = 5e-324, nan = 0 / 0, inf = -math.huge, text = 'a"\n\0\\\200', yes = true,
      list = { 1, { 2.5, "b" } }, [7] = "seven", [1.5] = false, tensor = cdl.tensor { { 1, 2 }, { 3, 4 } },
      whole = math.mininteger, empty = {}, counts = cdl.tensor({ 1, 2 }, "int64") }
    problem_of(run, { { name = "mine", state = function() return state end }, killer("on_epoch_begin", 2) })
    local got
    run { { name = "mine", state = function() return state end, load_state = function(_, s) got = s end },
      { name = "killer" } }
    assert.is_true(got.nan ~= got.nan)
    assert.same(state.tensor:totable(), got.tensor:totable())
    assert.same("int64", got.counts.dtype)
    assert.same({ "integer", "float" }, { math.type(got.n), math.type(got.x) })
    for _, name in ipairs { "n", "x", "tiny", "inf", "text", "yes", "list", 7, 1.5, "whole", "empty" } do
      assert.same(state[name], got[name])
    end
  end)

  it("is not what cannot be kept", function()
    local function refused(state)
      return problem_of(run, { { name = "mine", state = function() return state end } })
    end
    assert.matches("the run's state: callbacks/mine/f/2 is a function; wanted numbers, strings, booleans, tables and "
      .. "tensors", refused { f = { 1, print } }, 1, true)
    assert.matches("callbacks/mine/io is a userdata", refused { io = io.stdout }, 1, true)
    assert.matches("a key of callbacks/mine is", refused { [{}] = 1 }, 1, true)
    assert.matches("callback 'mine': state() must return a table, got 5", refused(5), 1, true)
    local loop = {}
    loop.loop = loop
    assert.matches("nested more than 64 deep, or holds itself", refused(loop), 1, true)
    assert.matches("in callback 2 (BackupAndRestore), on_train_begin", refused(loop), 1, true)
  end)

  it("needs names that differ", function()
    local same = function() return { name = "a", state = function() return {} end } end
    assert.matches("callbacks 1 and 2 are both named 'a'", problem_of(run, { same(), same() }), 1, true)
  end)

  it("can be read by others: one array a weight, the rest as bytes", function()
    run {}
    local arrays = cdl.io.load_safetensors(folder "run/latest.safetensors")
    assert.same({ 4, 8 }, arrays["model/weights/1"].shape)
    assert.equal("uint8", arrays.snapshot.dtype)
    assert.matches('"epoch"=4', core.tensor_bytes(arrays.snapshot), 1, true)
  end)
end)

describe("going on with another script", function()
  -- A run of three epochs is cut short after the first; then it goes on with other options.
  local function go_on(change)
    local model, x, y = start()
    local function run(options, list)
      list[#list + 1] = callbacks.BackupAndRestore(folder "run")
      return model:fit(x, y, with({ epochs = 3, callbacks = list }, options))
    end
    problem_of(run, {}, { callbacks.EarlyStopping { monitor = "loss", patience = 5 }, killer("on_epoch_begin", 2) })
    model, x, y = start()
    local changed = change(model, x, y)
    model, x, y = changed.model or model, changed.x or x, changed.y or y
    local history
    local text = warned(function()
      history = run(changed.options or {},
        changed.list or { callbacks.EarlyStopping { monitor = "loss", patience = 5 } })
    end)
    return text, history, model
  end

  it("says what differs, and goes on", function()
    local text, history = go_on(function(_, x) return { x = x * 2 } end)
    assert.matches("goes on, but not everything is as it was", text, 1, true)
    assert.matches("\n  the data: others", text, 1, true)
    assert.same({ 1, 2, 3 }, history.epoch)
    text = go_on(function() return { options = { batch_size = 16, shuffle = false, steps_per_epoch = 2 } } end)
    assert.matches("\n  batch_size: was 32, is 16\n  shuffle: was \"rows\", is \"none\"\n"
      .. "  steps_per_epoch: was nil, is 2", text, 1, true)
    text = go_on(function() return { list = { callbacks.ReduceLROnPlateau { monitor = "loss" } } } end)
    assert.matches("callback 'ReduceLROnPlateau_1': is new\n  callback 'EarlyStopping_1': is missing", text, 1, true)
    text = go_on(function()
      cdl.random.seed(8)
      return {}
    end)
    assert.matches("the seed: was 7, is 8; the run keeps the old one", text, 1, true)
    assert.equal("", (go_on(function() return {} end)))
  end)

  it("lets an optimizer begin anew that is another one", function()
    local text, history = go_on(function(model)
      model:compile { optimizer = "sgd", loss = "sparse_categorical_crossentropy", metrics = { "acc" } }
      return {}
    end)
    assert.matches("the optimizer 'optimizer': it was Adam and is SGD", text, 1, true)
    assert.same({ 1, 2, 3 }, history.epoch)
  end)

  it("refuses another model, and leaves it as it is", function()
    local other = cdl.Sequential { layers.Dense { 3, input_shape = { 4 } }, layers.Dense { 2, activation = "softmax" } }
    other:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy" }
    local before = other:get_weights()[1]:totable()
    local problem = problem_of(go_on, function() return { model = other } end)
    assert.matches("is of another model than '" .. other.name .. "': of the weights, number 1 is '", problem, 1, true)
    assert.matches("float32 {4, 8}, there and", problem, 1, true)
    assert.same(before, other:get_weights()[1]:totable())
  end)
end)

describe("the folder of a run", function()
  local function fit(options, ...)
    local model, x, y = start()
    return model:fit(x, y, with({ epochs = 2, callbacks = { ... } }, options or {}))
  end

  it("goes when the run has ended, but not what others have put there", function()
    fit({}, callbacks.BackupAndRestore(folder "a/b"))
    assert.equal("folder", core.path_kind(folder "a"))
    assert.is_nil(core.path_kind(folder "a/b"))
    os.execute("mkdir " .. folder "mine")
    folder:write("mine/notes", "x")
    fit({}, callbacks.BackupAndRestore(folder "mine", { double_checkpoint = true }))
    assert.same({ "notes" }, core.list_folder(folder "mine"))
  end)

  it("is freed of what a killed process left there", function()
    os.execute("mkdir " .. folder "run")
    folder:write("run/.cdl-999999999-1.tmp", "half")
    folder:write("run/.cdl-1-1.tmp", "of a process that lives")
    fit({}, callbacks.BackupAndRestore(folder "run"))
    assert.same({ ".cdl-1-1.tmp" }, core.list_folder(folder "run"))
  end)

  it("must be one, and one alone", function()
    folder:write("file", "x")
    assert.matches("file", problem_of(fit, {}, callbacks.BackupAndRestore(folder "file")), 1, true)
    assert.matches("two callbacks keep the run", problem_of(fit, {}, callbacks.BackupAndRestore(folder "a"),
      callbacks.BackupAndRestore(folder "b")), 1, true)
    assert.matches("resume names the folder", problem_of(fit, { resume = folder "a" },
      callbacks.BackupAndRestore(folder "b")), 1, true)
    assert.matches("resume must be the name of a folder", problem_of(fit, { resume = "" }), 1, true)
    assert.matches("resume must be a string, got true", problem_of(fit, { resume = true }), 1, true)
  end)

  it("may hold a damaged snapshot, which is named and changes nothing", function()
    local model, x, y = start()
    local function refused(pattern)
      local before = model:get_weights()[1]:totable()
      local problem = problem_of(model.fit, model, x, y, with { callbacks = callbacks.BackupAndRestore(folder "run") })
      assert.matches("cannot go on with the run in", problem, 1, true)
      assert.matches("remove the folder to begin anew", problem, 1, true)
      assert.matches(pattern, problem, 1, true)
      assert.same(before, model:get_weights()[1]:totable())
    end
    os.execute("mkdir " .. folder "run")
    folder:write("run/latest.safetensors", "PK nothing")
    refused "latest.safetensors"
    local function write(text, more)
      local arrays = more or {}
      arrays.snapshot = core.bytes_tensor(text)
      cdl.io.save_safetensors(folder "run/latest.safetensors", arrays)
      return arrays
    end
    cdl.io.save_safetensors(folder "run/latest.safetensors", { x = cdl.ones { 2 } })
    refused "it holds no snapshot"
    write "{\"version\"=1"
    refused "a comma or } is wanted at byte 13"
    write "{\"version\"=99}"
    refused "it is of version 99; this program reads version 2"
    write "{\"version\"=2}"
    refused "its part 'model' is missing"
    write "{\"version\"=2,\"model\"={\"weights\"=@\"model/weights/1\"}}"
    refused "the value named \"model/weights/1\", which is missing"
    write "os.exit(1)"
    refused "a value is wanted at byte 1"
  end)

  it("must be writable when the run begins", function()
    local model, x, y = start()
    local backup = callbacks.BackupAndRestore(folder "run")
    os.execute("mkdir " .. folder "run" .. "; chmod a-w " .. folder "run")
    finally(function() os.execute("chmod u+w " .. folder "run") end)
    if os.execute("touch " .. folder "run" .. "/probe 2> /dev/null") then
      return pending "needs a user who may not write everywhere"
    end
    assert.matches("BackupAndRestore: cannot write", problem_of(model.fit, model, x, y, with { callbacks = backup }), 1,
      true)
  end)

  it("may become one that cannot be written: training goes on, and the snapshot before stays", function()
    local seen
    local breaker = { name = "breaker", on_epoch_end = function(_, epoch)
      if epoch == 2 then
        seen = folder:read "run/latest.safetensors"
        os.execute("mv " .. folder "run" .. " " .. folder "moved")
      end
    end }
    local history
    local text = warned(function()
      capture.with_core("safetensors_save_aside", function() end, function() -- at once, not aside
        history = fit({ epochs = 4 }, breaker, callbacks.BackupAndRestore(folder "run", { delete_checkpoint = false }))
      end)
    end)
    assert.same({ 1, 2, 3, 4 }, history.epoch)
    assert.matches("there is no folder '[^']*'; training goes on, and the state that was saved before stays", text)
    assert.matches("the last state of the run is not saved: cannot write", text, 1, true)
    assert.equal(2, select(2, text:gsub("there is no folder", "")))
    assert.equal(seen, folder:read "moved/latest.safetensors")
    assert.same({ "latest.safetensors" }, core.list_folder(folder "moved"))
  end)
end)

describe("CSVLogger in a run that goes on", function()
  local function run(append, ...)
    local model, x, y = start()
    return model:fit(x, y, with { epochs = 4, callbacks = { callbacks.CSVLogger { folder "log.csv", append = append },
      callbacks.BackupAndRestore(folder "run"), ... } })
  end

  for _, append in ipairs { true, false } do
    it(("has each row once, append = %s"):format(append), function()
      local before = append and "an older line\r\n" or ""
      if append then folder:write("log.csv", before) end
      run(append)
      local whole = folder:read "log.csv"
      folder:write("log.csv", before)
      -- Row 3 is written; the snapshot of epoch 3 is not.
      problem_of(run, append, killer("on_epoch_end", 3))
      assert.matches("\n3,", folder:read "log.csv")
      run(append, { name = "killer" })
      assert.equal(whole, folder:read "log.csv")
    end)
  end

  it("says when rows have been lost", function()
    problem_of(run, true, killer("on_epoch_end", 3))
    folder:write("log.csv", "")
    local text = warned(function() run(true, { name = "killer" }) end)
    assert.matches("has 0 bytes; it had", text, 1, true)
    assert.matches("so rows are missing", text, 1, true)
    assert.matches("^epoch,acc,loss.*\r\n3,.*\r\n4,", folder:read "log.csv")
  end)
end)
