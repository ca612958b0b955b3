-- Memory: loops do not grow the process, what is dropped is collected, and an allocation that
-- fails is an error like any other.
local cdl = require "cdl"
local core = require "cdl.core"
local layers = cdl.layers
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
end)
