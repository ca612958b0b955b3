-- Memory: loops do not grow the process, what is dropped is collected, and an allocation that
-- fails is an error like any other.
local cdl = require "cdl"
local core = require "cdl.core"
local layers = cdl.layers
local folder = require "folder"
local program = require "program"

local function collect()
  for _ = 1, 3 do collectgarbage() end
end

-- How many kilobytes a process of its own grows by while it runs `work`, a function loop(count). A
-- sanitizer, if there is one, is told not to hold back what is freed.
local function growth(work, count)
  local script = ([[
    local cdl = require "cdl"
    local x = cdl.ones { 20, 4 }
    %s
    local function resident()
      for _ = 1, 3 do collectgarbage() end
      for line in io.lines "/proc/self/status" do
        local kilobytes = line:match "^VmRSS:%%s+(%%d+)"
        if kilobytes then return tonumber(kilobytes) end
      end
    end
    loop(%d)
    local before = resident()
    loop(%d)
    print(resident() - before)]]):format(work, count // 2, count)
  local status, out, err = program.shell((
    "ASAN_OPTIONS=quarantine_size_mb=0:thread_local_quarantine_size_kb=0 %s -e %s")
    :format(program.quote(program.path), program.quote(script)))
  assert.are.equal(0, status, err)
  return tonumber(out)
end

local x, y = cdl.ones { 20, 4 }, cdl.ones { 20, 1 }

-- Layers of several kinds, training with validation and metrics, prediction.
local function train()
  local model = cdl.Sequential { layers.Dense { 6, activation = "relu" }, layers.Dropout(0.1),
    layers.BatchNormalization(), layers.Dense(1) }
  model:compile { loss = "mse", optimizer = "adam", metrics = { "mae" } }
  model:fit(x, y, { verbose = 0, epochs = 2, batch_size = 6, validation_split = 0.2 })
  return model:predict(x, { verbose = 0 })
end

describe("memory", function()
  it("does not grow over a loop of 100000 eager tensors", function()
    local kilobytes = growth([[
      local function loop(count)
        for _ = 1, count do
          local a = cdl.ones { 10, 10 }
          local _ = (a * 2 + 1):sum()
        end
      end]], 100000)
    assert.is_true(kilobytes < 3000, kilobytes)
  end)

  it("does not grow over views, errors and failed traces", function()
    local kilobytes = growth([[
      local big = cdl.ones { 100, 10 }
      local fails = cdl.jit(function(a)
        local b = a + a
        return b:reshape { 3 }
      end)
      local function loop(count)
        for _ = 1, count do
          local _ = big[{ { 1, 50 } }]
          pcall(function() return big + cdl.ones { 3 } end)
          pcall(fails, x)
        end
      end]], 4000)
    assert.is_true(kilobytes < 3000, kilobytes)
  end)

  it("of models is freed when they are dropped", function()
    train()
    collect()
    local alive, bytes = core.tensors_alive(), (core.memory())
    for _ = 1, 20 do train() end
    collect()
    assert.are.equal(alive, core.tensors_alive())
    assert.is_true((core.memory()) - bytes < 256 * 1024)
  end)

  -- A training whose callbacks write files, saving and loading.
  local function train_with_files()
    local files = folder.new()
    local words = cdl.random.randint { shape = { 24, 12 }, low = 0, high = 30 }:astype "int32"
    local ok, result = pcall(function()
      local model = cdl.Sequential { layers.Input { 12, dtype = "int32" }, layers.Embedding(30, 8),
        layers.Conv1D(8, 3, { activation = "relu" }), layers.MaxPooling1D(2),
        layers.Bidirectional { layers.LSTM(6) }, layers.Dense(1) }
      model:compile { loss = "mse", optimizer = cdl.optimizers.Adam { clipnorm = 1, use_ema = true } }
      model:fit(words, words[{ {}, { 1, 1 } }]:astype "float32", { verbose = 0, batch_size = 10, callbacks = {
        cdl.callbacks.TensorBoard { log_dir = files "board", histogram_freq = 1 },
        cdl.callbacks.ModelCheckpoint { files "model.keras" },
        cdl.callbacks.BackupAndRestore { files "backup" }, cdl.callbacks.CSVLogger { files "log.csv" } } })
      model:save_weights(files "last.weights.h5")
      return cdl.models.load_model(files "model.keras"):predict(words, { verbose = 0 })
    end)
    files:remove()
    if not ok then error(result, 0) end
    return result
  end

  -- Every tenth or so allocation of this one fails in turn; warnings tell of files that are left out.
  it("that runs out while files are written is an error, too", function()
    train_with_files()
    local n, failures = 1, 0
    local warn = core.warn
    core.warn = function() end
    while true do
      local before = select(3, core.memory())
      core.fail_allocation(n)
      local ok, err = pcall(train_with_files)
      core.fail_allocation(0)
      if not ok then
        failures = failures + 1
        assert.matches("memory_spec.lua:%d+: .*memory", err)
      end
      if select(3, core.memory()) - before < n - 1 then break end
      n = n + 19
    end
    core.warn = warn
    assert.is_true(failures > 15)
    assert.are.same({ 24, 1 }, train_with_files().shape)
  end)

  -- The n-th allocation fails, for every n until none is left to fail.
  it("that runs out at any place is an error, and nothing is lost", function()
    train()
    local model = cdl.Sequential { layers.Dense { 1, input_shape = { 4 } } }
    local weights = model.weights[1]:value():totable()
    local n, failures, step = 1, 0, 1
    while true do
      local before = select(3, core.memory())
      core.fail_allocation(n)
      local ok, err = pcall(train)
      core.fail_allocation(0)
      if not ok then
        failures = failures + 1
        assert.are.equal("string", type(err))
        assert.matches("memory_spec.lua:%d+: .*out of memory", err)
      end
      if select(3, core.memory()) - before < n - 1 then break end
      -- Every place among the first, then a sample: the later ones are of the loop over batches.
      if n > 600 then step = 7 end
      n = n + step
    end
    assert.is_true(failures > 50)
    assert.are.same(weights, model.weights[1]:value():totable())
    assert.are.same({ 20, 1 }, train().shape)
  end)

  -- A process of its own with so many megabytes: it works, or ends with an error that says why. A step
  -- that fails changes no weight, and the model goes on with smaller batches. It needs some 110.
  local BOUNDED = [[
    local cdl = require "cdl"
    local layers = cdl.layers
    local folder = arg[1]
    local x = cdl.random.randint { shape = { 800, 40 }, low = 0, high = 500 }:astype "int32"
    local y = x:lt(100):astype("float32"):mean(2, true)
    local model = cdl.Sequential { layers.Input { 40, dtype = "int32" }, layers.Embedding(500, 32),
      layers.Conv1D(32, 3, { activation = "relu" }), layers.MaxPooling1D(2), layers.LSTM(32), layers.Dense(1) }
    model:compile { optimizer = "adam", loss = "mse" }
    local before = model:get_weights()
    local function fit(size, callbacks)
      model:fit(x, y, { batch_size = size, verbose = 0, callbacks = callbacks })
    end
    local ok, message = pcall(fit, 800)
    if not ok then
      assert(message:find "bounded.lua:%d+: .*memory", message)
      for k, weight in ipairs(model:get_weights()) do assert(weight:eq(before[k]):all():item(), "changed") end
    end
    fit(8, { cdl.callbacks.TensorBoard { log_dir = folder .. "/board" },
      cdl.callbacks.BackupAndRestore { folder .. "/backup", delete_checkpoint = false } })
    model:save(folder .. "/model.keras")
    local again = cdl.models.load_model(folder .. "/model.keras")
    local rows = x[{ { 1, 8 } }]
    assert(again:predict(rows, { verbose = 0 }):eq(model:predict(rows, { verbose = 0 })):all():item(), "differs")
    assert(cdl.isfinite(model:predict(x, { verbose = 0, batch_size = 800 })):all():item(), "not finite")
    print(ok and "whole" or "smaller batches")]]

  it("that is bounded ends in an error or in a right result", function()
    local files = folder.new()
    local function run(megabytes)
      return program.shell(("ulimit -v %d; %s %s %s"):format(megabytes * 1024,
        program.quote(program.path), files "bounded.lua", files "out"))
    end
    cdl.io.write_text(files "bounded.lua", BOUNDED)
    local results = {}
    if run(400) == 0 then -- sanitizers take all the addresses that there are
      for megabytes = 16, 130, 8 do
        local status, out, err = run(megabytes)
        assert.is_true(status < 126, ("%d MB: status %d, %s"):format(megabytes, status, err))
        if status == 0 then
          results[#results + 1] = out
        else
          assert.matches("memory", err:gsub("cannot be loaded", "memory"))
        end
      end
      assert.are.equal("whole\n", results[#results])
      -- Lua's own values, too; its error tells no line by itself.
      local _, _, err = program.shell(("ulimit -v 100000; %s -e %s"):format(program.quote(program.path),
        program.quote "local t = {}\nfor i = 1, 1e9 do t[i] = { i } end"))
      assert.matches("^cdl: %(command line%):2: not enough memory", err)
      assert.is_true(#results > 2)
    end
    files:remove()
  end)
end)
