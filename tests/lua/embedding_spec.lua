-- Tables of which a batch uses some rows: the optimizer's pass that takes the rows of the gradient
-- gives the bits of the one that reads a gradient as large as the table.
local cdl = require "cdl"
local core = require "cdl.core"
local folder = require "folder"
local layers, optimizers = cdl.layers, cdl.optimizers

local TOKENS, LENGTH = 60, 7
local words = cdl.random.randint { shape = { 90, LENGTH }, low = 0, high = TOKENS - 20 }:astype "int32"
local labels = words:lt(20):astype("float32"):mean(2, true)

local function sequential(embedding)
  return cdl.Sequential { layers.Input { LENGTH, dtype = "int32" }, embedding, layers.GlobalAveragePooling1D(),
    layers.Dense(1) }
end

local function plain() return sequential(layers.Embedding(TOKENS, 12)) end

-- What a training is made of: the optimizer's class and arguments, the model. rows: whether its plan
-- is to have the optimizer's row for tables.
local function case(class, arguments, make, rows)
  return { class = class, arguments = arguments or {}, make = make or plain, rows = rows }
end

local function two_tables()
  local ids = cdl.Input { LENGTH, dtype = "int32" }
  local a, b = layers.Embedding(TOKENS, 5)(ids), layers.Embedding(TOKENS, 3)(ids)
  local all = layers.Concatenate()({ a, b })
  return cdl.Model { inputs = ids, outputs = layers.Dense(1)(layers.Flatten()(all)) }
end

local function shared_table()
  local ids = cdl.Input { LENGTH, dtype = "int32" }
  local table_of_both = layers.Embedding(TOKENS, 5)
  local a = table_of_both(ids)
  local b = table_of_both(layers.Lambda(function(x) return (x + 1) % TOKENS end)(ids))
  return cdl.Model { inputs = ids, outputs = layers.Dense(1)(layers.Flatten()(layers.Add()({ a, b }))) }
end

-- The table is multiplied by, too, as where words are predicted from their own vectors.
local Tied = cdl.Layer:extend "Tied"
function Tied:build() self.rows = self:add_weight { name = "rows", shape = { TOKENS, 4 } } end
function Tied:call(ids)
  local mean = cdl.mean(self.rows:value():gather(ids, 1), 2)
  return cdl.sum(cdl.matmul(mean, self.rows:value():transpose()), 2, true)
end

local CASES = {
  ["SGD"] = case("SGD", {}, plain, "sgd_rows"),
  ["SGD with momentum"] = case("SGD", { momentum = 0.9 }, plain, "momentum_rows"),
  ["SGD with Nesterov's momentum"] = case("SGD", { momentum = 0.9, nesterov = true }, plain, "momentum_rows"),
  ["Adagrad"] = case("Adagrad", {}, plain, "adagrad_rows"),
  ["RMSprop"] = case("RMSprop", {}, plain, "rmsprop_rows"),
  ["RMSprop, centered, with momentum"] =
    case("RMSprop", { momentum = 0.9, centered = true }, plain, "rmsprop_rows"),
  ["Adam"] = case("Adam", {}, plain, "adam_rows"),
  ["AdamW"] = case("AdamW", { weight_decay = 0.1 }, plain, "adam_rows"),
  ["SGD with weight decay"] = case("SGD", { weight_decay = 0.1 }, plain, "sgd_rows"),
  ["averages of the weights"] = case("SGD", { use_ema = true }, plain, "sgd_rows"),
  ["a schedule"] = case("Adam", { learning_rate = cdl.schedules.ExponentialDecay(0.1, 3, 0.5) }, plain, "adam_rows"),
  ["a constraint"] = case("SGD", { 0.5 }, function()
    return sequential(layers.Embedding { TOKENS, 12, embeddings_constraint = "unit_norm" })
  end, "sgd_rows"),
  ["a mask"] = case("RMSprop", {}, function()
    return cdl.Sequential { layers.Input { LENGTH, dtype = "int32" },
      layers.Embedding { TOKENS, 12, mask_zero = true }, layers.LSTM(5), layers.Dense(1) }
  end, "rmsprop_rows"),
  ["two tables"] = case("Adam", {}, two_tables, "adam_rows"),
  ["one row, and rows of one number"] = case("Adagrad", {}, function()
    local ids = cdl.Input { LENGTH, dtype = "int32" }
    local one = layers.Embedding(1, 6)(layers.Lambda(function(x) return x * 0 end)(ids))
    local all = layers.Concatenate()({ one, layers.Embedding(TOKENS, 1)(ids) })
    return cdl.Model { inputs = ids, outputs = layers.Dense(1)(layers.Flatten()(all)) }
  end, "adagrad_rows"),
  ["rows of several blocks"] = case("Adam", {}, function()
    return sequential(layers.Embedding(TOKENS, 3000))
  end, "adam_rows"),
  -- The gradient has other readers, or is no scatter.
  ["the largest norm of a gradient"] = case("SGD", { clipnorm = 0.01 }),
  ["the largest norm of all gradients"] = case("Adam", { global_clipnorm = 0.01 }),
  ["the largest value"] = case("RMSprop", { clipvalue = 0.001 }),
  ["accumulation"] = case("SGD", { gradient_accumulation_steps = 2 }),
  ["a penalty"] = case("SGD", {}, function()
    return sequential(layers.Embedding { TOKENS, 12, embeddings_regularizer = "l2" })
  end),
  ["a table used twice"] = case("Adam", {}, shared_table),
  ["a table that is multiplied by"] = case("Adam", {}, function()
    return cdl.Sequential { layers.Input { LENGTH, dtype = "int32" }, Tied(), layers.Dense(1) }
  end),
  ["a scaled loss"] = case("SGD", { loss_scale_factor = 8 }),
  ["LossScaleOptimizer"] = { make = plain, optimizer = function()
    return optimizers.LossScaleOptimizer(optimizers.Adam())
  end },
  ["an optimizer without such a row"] = case("Nadam"),
}

local function train(run, threads)
  core.threads(threads or 2)
  cdl.random.seed(5)
  local model = run.make()
  local optimizer = run.optimizer and run.optimizer() or optimizers[run.class](run.arguments)
  model:compile { optimizer = optimizer, loss = "mse" }
  local history = model:fit(words, labels, { epochs = 2, batch_size = 40, verbose = 0 })
  local state = model:get_weights()
  for _, variable in ipairs(model.optimizer.variables) do state[#state + 1] = variable:value() end
  return { state = state, history = history.history, text = cdl.graph.dump(model) }
end

local function assert_same(a, b, what)
  assert.are.same(a.history, b.history)
  assert.are.equal(#a.state, #b.state)
  for k, value in ipairs(a.state) do
    assert.is_true(value:eq(b.state[k]):all():item(), ("%s, tensor %d"):format(what, k))
  end
end

describe("a table's update", function()
  local threads = core.threads()
  teardown(function()
    core.threads(threads)
    core.plan_debug(false, true)
  end)

  for name, run in pairs(CASES) do
    it("has the bits of the dense one: " .. name, function()
      local rows = train(run)
      assert.are.equal(run.rows, rows.text:match "= (%w+_rows)%(")
      assert.are.equal(not run.rows, rows.text:find("= scatter(", 1, true) ~= nil)
      core.plan_debug(false, false)
      local dense = train(run)
      core.plan_debug(false, true)
      assert.is_nil(dense.text:find("_rows(", 1, true))
      assert_same(rows, dense, "dense")
      core.plan_debug(true, true)
      local poisoned = train(run)
      core.plan_debug(false, true)
      assert_same(rows, poisoned, "poisoned memory")
      for _, n in ipairs { 1, 5 } do assert_same(rows, train(run, n), n .. " threads") end
    end)
  end

  it("goes on from a state in the middle as if nothing had happened", function()
    local function fit(model, epochs, first)
      model:fit(words, labels, { initial_epoch = first, epochs = epochs, batch_size = 40, verbose = 0,
        shuffle = false })
    end
    local function new()
      local model = plain()
      model:compile { optimizer = "adam", loss = "mse" }
      return model
    end
    local whole, first = new(), new()
    first:set_weights(whole:get_weights())
    fit(whole, 4)
    fit(first, 2)
    local files = folder.new()
    first:save(files "model.keras")
    local second = cdl.models.load_model(files "model.keras")
    files:remove()
    fit(second, 4, 3)
    for k, value in ipairs(whole:get_weights()) do
      assert.is_true(value:eq(second:get_weights()[k]):all():item())
    end
  end)

  it("gives the user's own step a gradient like any other", function()
    local seen
    local Own = cdl.Model:extend "Own"
    function Own:init() self.table = layers.Embedding(TOKENS, 4) end
    function Own:call(ids) return cdl.mean(self.table(ids), { 2, 3 }) end
    function Own:train_step(ids, y)
      local weight = self.table.embeddings
      local loss = cdl.mean(cdl.square(self(ids, true) - y:reshape { -1 }))
      local gradients = cdl.gradients(loss, { weight })
      seen = gradients[1].shape
      self.optimizer:apply(gradients, { weight })
      return { loss = loss, largest = cdl.max(cdl.abs(gradients[1])) }
    end
    local model = Own()
    model:compile { optimizer = "sgd", loss = "mse" }
    local history = model:fit(words, labels, { verbose = 0 }).history
    assert.are.same({ TOKENS, 4 }, seen)
    assert.is_true(history.largest[1] > 0)
  end)

  it("does not happen where an id is out of range", function()
    for _, optimizer in ipairs { "sgd", "adam" } do
      local model = plain()
      model:compile { optimizer = optimizer, loss = "mse" }
      model:fit(words, labels, { verbose = 0 })
      local before = model:get_weights()
      local wrong = words:copy()
      wrong[{ 3, 2 }] = TOKENS
      local ok, message = pcall(function() model:train_on_batch(wrong, labels) end)
      assert.is_false(ok)
      assert.matches("index 60 at position 16 is out of range for size 60", message)
      for k, value in ipairs(before) do assert.is_true(value:eq(model:get_weights()[k]):all():item()) end
      model:fit(words, labels, { verbose = 0 })
    end
  end)

  it("leaves a frozen table alone", function()
    local model = plain()
    model.layers[1].trainable = false
    model:compile { optimizer = "sgd", loss = "mse" }
    local before = model:get_weights()[1]
    model:fit(words, labels, { verbose = 0 })
    assert.is_true(before:eq(model:get_weights()[1]):all():item())
  end)

  it("touches no more memory than the rows have", function()
    local model = sequential(layers.Embedding { 100000, 64 })
    model:compile { optimizer = "adagrad", loss = "mse" }
    model:fit(words, labels, { verbose = 0 })
    local text = cdl.graph.dump(model)
    assert.is_true(tonumber(text:match "scratch (%d+) bytes") < 100000, text)
  end)
end)
