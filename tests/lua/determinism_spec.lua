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

-- Convolutions, pooling, an embedding, and the optimizers' rows that train them.
local function train_convolutions(threads)
  core.threads(threads)
  cdl.random.seed(12)
  local words = cdl.random.randint { shape = { 60, 40 }, low = 0, high = 50 }
  local y = words:lt(20):astype("float32"):mean(2, true)
  local model = cdl.Sequential {
    layers.Input { 40, dtype = "int32" }, layers.Embedding(50, 20),
    layers.Conv1D(24, 5, { activation = "relu" }), layers.MaxPooling1D(3),
    layers.Reshape { 3, 4, 24 }, layers.Conv2D(20, 2, { activation = "relu", padding = "same" }),
    layers.MaxPooling2D(2), layers.LayerNormalization(), layers.Flatten(), layers.Dense(1),
  }
  model:compile { optimizer = "rmsprop", loss = "mse" }
  local history = model:fit(words:astype "int32", y, { epochs = 3, batch_size = 25, verbose = 0 })
  return model:get_weights(), history.history
end

-- Recurrence in both directions, with dropped inputs and states and a mask.
local function train_recurrence(threads)
  core.threads(threads)
  cdl.random.seed(13)
  local words = cdl.random.randint({ shape = { 60, 9 }, low = 0, high = 20 }):astype "int32"
  local y = words:lt(8):astype("float32"):mean(2, true)
  local model = cdl.Sequential {
    layers.Input { 9, dtype = "int32" }, layers.Embedding { 20, 6, mask_zero = true },
    layers.Bidirectional { layers.LSTM { 7, dropout = 0.2, recurrent_dropout = 0.3, return_sequences = true } },
    layers.GRU { 9, dropout = 0.1 }, layers.Dense(1),
  }
  model:compile { optimizer = "rmsprop", loss = "mse" }
  local history = model:fit(words, y, { epochs = 2, batch_size = 25, verbose = 0 })
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
    for _, run in ipairs { train, train_convolutions, train_recurrence } do
      local weights, history = run(1)
      for _, n in ipairs { 1, 2, 5 } do
        local again, other = run(n)
        assert.is_true(same(weights, again), n .. " threads")
        assert.are.same(history, other)
      end
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
    for _, run in ipairs { train, train_convolutions, train_recurrence } do
      local weights = run(2)
      core.plan_debug(true, true)
      local poisoned = run(2)
      core.plan_debug(true, false)
      local plain = run(2)
      core.plan_debug(false, true)
      assert.is_true(same(weights, poisoned))
      assert.is_true(same(weights, plain))
    end
  end)

  it("instruction sets agree within float32's tolerance", function()
    local script = [[
      local cdl = require "cdl"
      cdl.random.seed(3)
      local x = cdl.random.normal { shape = { 200, 40 } }
      local y = x:mean(2):tanh()
      local layers = cdl.layers
      local model = cdl.Sequential { layers.Dense { 50, activation = "tanh", input_shape = { 40 } },
        layers.Reshape { 5, 10 }, layers.Conv1D(7, 2, { activation = "relu" }), layers.MaxPooling1D(2),
        layers.Flatten(), layers.Dense(1) }
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
