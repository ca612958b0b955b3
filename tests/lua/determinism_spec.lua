-- The same seed gives the same bits: in one process, on any number of threads; and close numbers on
-- every instruction set.
local cdl = require "cdl"
local core = require "cdl.core"
local layers = cdl.layers
local program = require "program"

local function train(threads)
  core.threads(threads)
  cdl.random.seed(11)
  local x = cdl.random.normal { shape = { 700, 96 } }
  local y = x:sum(2):gt(0):astype "int32" + x[{ {}, 1 }]:gt(1):astype "int32"
  local model = cdl.Sequential {
    layers.Dense { 200, activation = "relu", input_shape = { 96 } }, layers.BatchNormalization(),
    layers.Dropout(0.3), layers.Dense { 70, activation = "tanh" }, layers.Dense { 3, activation = "softmax" },
  }
  model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }
  local history = model:fit(x, y, { epochs = 2, batch_size = 128, verbose = 0, validation_split = 0.2 })
  return model:get_weights(), history.history
end

local function same(a, b)
  for k, w in ipairs(a) do
    if not w:eq(b[k]):all():item() then return false end
  end
  return #a == #b
end

describe("the same seed", function()
  local threads = core.threads()
  teardown(function() core.threads(threads) end)

  it("gives the same bits again, with 1, 2 and 5 threads", function()
    local weights, history = train(1)
    for _, n in ipairs { 1, 2, 5 } do
      local again, other = train(n)
      assert.is_true(same(weights, again), n .. " threads")
      assert.are.same(history, other)
    end
  end)

  it("another seed gives other numbers", function()
    cdl.random.seed(1)
    local a = cdl.random.normal { shape = { 8 } }:totable()
    cdl.random.seed(2)
    assert.are_not.same(a, cdl.random.normal { shape = { 8 } }:totable())
    cdl.random.seed(1)
    assert.are.same(a, cdl.random.normal { shape = { 8 } }:totable())
    assert.are.equal(1, cdl.random.get_seed())
  end)

  it("nothing changes when the planner neither aliases nor stores in place, nor with poisoned memory", function()
    local weights = train(2)
    core.plan_debug(true, true)
    local poisoned = train(2)
    core.plan_debug(true, false)
    local plain = train(2)
    core.plan_debug(false, true)
    assert.is_true(same(weights, poisoned))
    assert.is_true(same(weights, plain))
  end)

  it("instruction sets agree within float32's tolerance", function()
    local script = [[
      local cdl = require "cdl"
      cdl.random.seed(3)
      local x = cdl.random.normal { shape = { 200, 40 } }
      local y = x:mean(2):tanh()
      local layers = cdl.layers
      local model = cdl.Sequential { layers.Dense { 50, activation = "tanh", input_shape = { 40 } }, layers.Dense(1) }
      model:compile { optimizer = "sgd", loss = "mse" }
      local h = model:fit(x, y, { epochs = 3, verbose = 0 })
      io.write(("%.9g"):format(h.history.loss[3]))
    ]]
    local losses = {}
    for _, isa in ipairs { "base", "avx2", "avx512" } do
      local command = ("CDL_ISA=%s %s -e %s"):format(isa, program.quote(program.path), program.quote(script))
      local status, out, err = program.shell(command)
      assert.are.equal(0, status, err)
      losses[#losses + 1] = assert(tonumber(out), out)
    end
    for _, loss in ipairs(losses) do
      assert.is_true(math.abs(loss - losses[1]) <= 1e-5 * losses[1], table.concat(losses, " "))
    end
  end)
end)
