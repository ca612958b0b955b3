-- cdl.data.Dataset: pipelines of elements, and as data for fit, evaluate and predict.
local cdl = require "cdl"
local core = require "cdl.core"
local layers, optimizers = cdl.layers, cdl.optimizers
local Dataset = cdl.data.Dataset

-- Elements x = 1 .. n, y = 10 x.
local function numbers(n)
  local x = cdl.arange(1, n)
  return Dataset.from_tensors(x, x * 10)
end

-- What x the elements of a pass are: numbers, or lists of them for batches.
local function values(dataset)
  local list = {}
  for x in dataset:iterate() do list[#list + 1] = x.ndim == 0 and math.tointeger(x:item()) or x:totable() end
  return list
end

local function count_up(first, last)
  local list = {}
  for i = first, last do list[#list + 1] = i end
  return list
end

local function sorted(list)
  table.sort(list)
  return list
end

local function problem_of(f, ...)
  local ok, problem = pcall(f, ...)
  assert.is_false(ok, "no error was raised")
  assert.is_string(problem)
  return problem
end

-- A dataset whose elements are made by Lua, so that nothing knows its rows: 1 .. n.
local function generated(n, refill)
  local made = { count = 0 }
  return cdl.data.from_generator(function()
    made.count = made.count + 1
    local i, own = 0, cdl.zeros {}
    return function()
      i = i + 1
      if i > n then return nil end
      if not refill then return i end
      own:fill(i)
      return own
    end
  end), made
end

local function new_model(rate)
  local model = cdl.Sequential { layers.Dense { 1, use_bias = false, kernel_initializer = "zeros", input_shape = {1} } }
  model:compile { optimizer = optimizers.SGD { learning_rate = rate or 0.1 }, loss = "mse" }
  return model
end

local function line_data(n)
  local x = cdl.arange(1, n):reshape { n, 1 } / n
  return x, 2 * x + 1
end

local function quiet(options)
  options.verbose = 0
  return options
end

describe("Dataset.from_tensors", function()
  it("has the samples as elements, views of the tensors", function()
    local x, y = cdl.tensor { { 1, 2 }, { 3, 4 }, { 5, 6 } }, cdl.tensor({ 7, 8, 9 }, "int64")
    local dataset, seen = Dataset.from_tensors(x, y), 0
    for a, b, w in dataset:iterate() do
      seen = seen + 1
      assert.same(x[seen]:totable(), a:totable())
      assert.same({}, b.shape)
      assert.equal("int64", b.dtype)
      assert.equal(6 + seen, b:item())
      assert.is_nil(w)
      a[1] = -1
    end
    assert.equal(3, seen)
    assert.same({ { -1, 2 }, { -1, 4 }, { -1, 6 } }, x:totable())
    assert.equal(3, #dataset)
    assert.equal("<Dataset of 3 elements>", tostring(dataset))
    assert.same({ 1, 2 }, values(Dataset(cdl.tensor { 1, 2 })))
  end)

  it("keeps structures and sample weights", function()
    local x = { a = cdl.tensor { 1, 2 }, b = cdl.tensor { 3, 4 } }
    local dataset = Dataset.from_tensors(x, { x.a * 2, x.b * 2 }, cdl.tensor { 0.5, 1 })
    local rows = {}
    for a, b, w in dataset:iterate() do
      rows[#rows + 1] = { a.a:item(), a.b:item(), b[1]:item(), b[2]:item(), w:item() }
    end
    assert.same({ { 1, 3, 2, 6, 0.5 }, { 2, 4, 4, 8, 1 } }, rows)
    for a, b, w in dataset:batch(2):iterate() do
      assert.same({ 1, 2 }, a.a:totable())
      assert.same({ 6, 8 }, b[2]:totable())
      assert.same({ 0.5, 1 }, w:totable())
    end
  end)

  it("refuses what are no samples of one number", function()
    local x = cdl.ones { 3, 2 }
    assert.matches("^tests/lua/dataset_spec.lua:%d+: Dataset.from_tensors: x has 3 samples .* and y has 2",
      problem_of(function() Dataset.from_tensors(x, cdl.ones { 2 }) end))
    assert.matches("a scalar has no samples", problem_of(Dataset.from_tensors, cdl.tensor(3)), 1, true)
    assert.matches("wanted a tensor", problem_of(Dataset.from_tensors, "abc"), 1, true)
    assert.matches("argument 'x' is missing", problem_of(Dataset.from_tensors), 1, true)
  end)
end)

describe("map and filter", function()
  it("run a function over elements, or over batches", function()
    assert.same({ 2, 4, 6 }, values(numbers(3):map(function(x) return x * 2 end)))
    local sums = {}
    for x, y in numbers(4):batch(2):map(function(x, y) return x:sum(), y:sum() end):iterate() do
      sums[#sums + 1] = { x:item(), y:item() }
    end
    assert.same({ { 3, 30 }, { 7, 70 } }, sums)
    assert.same({ 2, 4 }, values(numbers(5):filter(function(x) return x:item() % 2 == 0 end)))
    assert.same({ 4, 5 }, values(numbers(5):filter(function(_, y) return y:gt(35) end)))
  end)

  it("make tensors of numbers and tables", function()
    for x, y in numbers(1):map(function() return 5, { true, false } end):iterate() do
      assert.equal(5, x:item())
      assert.equal("bool", y.dtype)
      assert.same({ true, false }, y:totable())
    end
  end)

  it("say what they cannot take", function()
    local function refused(pattern, dataset)
      assert.matches(pattern, problem_of(values, dataset), 1, true)
    end
    refused("map: the function returned nil", numbers(1):map(function() end))
    refused("map: x: wanted a tensor, a number, or a list or dict of tensors, got \"abc\"",
      numbers(1):map(function() return "abc" end))
    refused("map: an element is x, y and sample weights at most", numbers(1):map(function() return 1, 2, 3, 4 end))
    refused("map: there are sample weights, but y is nil", numbers(1):map(function() return 1, nil, 3 end))
    refused("filter: the function must return true or false, got nil", numbers(1):filter(function() end))
    refused("broken", numbers(1):map(function() error "broken" end))
    assert.matches("f must be a function, got 3", problem_of(function() numbers(1):map(3) end), 1, true)
  end)
end)

describe("batch and unbatch", function()
  it("stack elements; the last batch may be smaller", function()
    assert.same({ { 1, 2 }, { 3, 4 }, { 5 } }, values(numbers(5):batch(2)))
    assert.same({ { 1, 2 }, { 3, 4 } }, values(numbers(5):batch(2, { drop_remainder = true })))
    assert.same({ { 1, 2 }, { 3, 4 }, { 5 } }, values((generated(5):batch(2))))
    assert.same({ { 1, 2 }, { 3, 4 } }, values((generated(5):batch(2, true))))
    assert.equal(3, #numbers(5):batch(2))
    assert.equal(2, #numbers(5):batch { 2, drop_remainder = true })
    assert.same({ { { 1, 2 }, { 3, 4 } } }, values(numbers(4):batch(2):batch(2)))
    assert.same({ { 2, 4 }, { 6 } }, values(numbers(3):map(function(x) return x * 2 end):batch(2)))
  end)

  it("are each other's undoing", function()
    assert.same(count_up(1, 5), values(numbers(5):batch(2):unbatch()))
    assert.same(count_up(1, 4), values(numbers(5):batch(2, true):unbatch()))
    assert.same(count_up(1, 5), values((generated(5)):batch(3):unbatch()))
    assert.matches("unbatch: x is a scalar", problem_of(values, (generated(2)):unbatch()), 1, true)
  end)

  it("want elements that are alike", function()
    local ragged = numbers(3):map(function(x) return cdl.ones { math.tointeger(x:item()) } end):batch(3)
    assert.matches("batch: elements must be alike: x is float32 {2} in element 2 of a batch and float32 {1} in "
      .. "element 1", problem_of(values, ragged), 1, true)
    local changing = numbers(2):map(function(x) return x, x:item() == 1 and x or { x, x } end):batch(2)
    assert.matches("batch: in element 2 of a batch y is a list of 2, in element 1 it is one tensor",
      problem_of(values, changing), 1, true)
    assert.matches("size must be at least 1, got 0", problem_of(function() numbers(3):batch(0) end), 1, true)
  end)
end)

describe("shuffle", function()
  before_each(function() cdl.random.seed(5) end)

  it("gives every element once, in an order of the seed", function()
    for _, dataset in ipairs { numbers(50):shuffle(), numbers(50):shuffle(7), (generated(50)):shuffle(7),
      (generated(50)):shuffle(100) } do
      local first, second = values(dataset), values(dataset)
      assert.is_not.same(count_up(1, 50), first)
      assert.is_not.same(first, second)
      assert.same(count_up(1, 50), sorted(first))
      assert.same(count_up(1, 50), sorted(second))
    end
  end)

  it("repeats with the seed, its own or that of cdl.random", function()
    local function order(seed, own)
      cdl.random.seed(seed)
      return values(numbers(30):shuffle(10, { seed = own }))
    end
    local first = order(1)
    assert.same(first, order(1))
    assert.is_not.same(first, order(2))
    first = order(1, 3)
    assert.same(first, order(2, 3))
    assert.is_not.same(first, order(2, 4))
  end)

  it("does not depend on whether rows or elements are moved", function()
    for _, size in ipairs { 20, 40 } do
      local moved = values(numbers(20):map(function(x) return x end):shuffle(size))
      cdl.random.seed(5)
      assert.same(moved, values(numbers(20):take(20):shuffle(size)))
    end
  end)

  it("may keep its order, and moves elements no further than the buffer lets it", function()
    local dataset = numbers(30):shuffle(5, { reshuffle_each_iteration = false })
    local first = values(dataset)
    assert.same(first, values(dataset))
    for place, value in ipairs(first) do assert.is_true(value - place < 5) end
    assert.same(count_up(1, 30), values(numbers(30):shuffle(1)))
  end)

  it("keeps x and y together", function()
    for x, y in numbers(40):shuffle():batch(8):iterate() do assert.same((x * 10):totable(), y:totable()) end
  end)

  it("wants a buffer size where the length is unknown", function()
    assert.matches("shuffle: buffer_size is needed, as the dataset does not know its length",
      problem_of(function() (generated(3)):shuffle() end), 1, true)
    assert.matches("has no end", problem_of(function() numbers(3):repeat_():shuffle() end), 1, true)
  end)
end)

describe("take, skip, repeat_ and zip", function()
  it("choose and chain elements", function()
    for _, dataset in ipairs { numbers(6), (generated(6)) } do
      assert.same({ 1, 2 }, values(dataset:take(2)))
      assert.same({}, values(dataset:take(0)))
      assert.same(count_up(1, 6), values(dataset:take(100)))
      assert.same({ 5, 6 }, values(dataset:skip(4)))
      assert.same({}, values(dataset:skip(6)))
      assert.same({ 3, 4 }, values(dataset:skip(2):take(2)))
      assert.same({ 1, 2, 1, 2, 1, 2 }, values(dataset:take(2):repeat_(3)))
      assert.same({ 1, 2, 1, 2, 1 }, values(dataset:take(2):repeat_():take(5)))
      assert.same({}, values(dataset:repeat_(0)))
      assert.same({ { 1, 2 }, { 3, 1 }, { 2, 3 } }, values(dataset:take(3):repeat_(2):batch(2)))
      assert.same({ { 1, 2 }, { 3 }, { 1, 2 } }, values(dataset:take(3):batch(2):repeat_():take(3)))
    end
    assert.same({}, values(numbers(3):skip(3):repeat_()))
  end)

  it("draw no more than they give", function()
    local drawn = 0
    values(numbers(9):map(function(x)
      drawn = drawn + 1
      return x
    end):take(4))
    assert.equal(4, drawn)
  end)

  it("shuffle each repetition anew", function()
    cdl.random.seed(3)
    local twice = values(numbers(20):shuffle():repeat_(2))
    local first, second = table.move(twice, 1, 20, 1, {}), table.move(twice, 21, 40, 1, {})
    assert.is_not.same(first, second)
    assert.same(count_up(1, 20), sorted(first))
    assert.same(count_up(1, 20), sorted(second))
  end)

  it("chain many repetitions", function()
    local list = values(numbers(2):repeat_(100))
    assert.equal(200, #list)
    assert.same({ 1, 2, 1 }, { list[1], list[100], list[199] })
  end)

  it("put datasets side by side", function()
    local pairs_of, x = {}, cdl.arange(1, 3)
    for a, b in Dataset.from_tensors(x):zip(Dataset.from_tensors(x * 2):repeat_()):iterate() do
      pairs_of[#pairs_of + 1] = { a:item(), b:item() }
    end
    assert.same({ { 1, 2 }, { 2, 4 }, { 3, 6 } }, pairs_of)
    assert.equal(3, #Dataset.zip(numbers(5), Dataset.from_tensors(x)))
    assert.matches("zip: argument 2 must be a Dataset, got 5", problem_of(function() numbers(3):zip(5) end), 1, true)
    assert.matches("four values or more", problem_of(values, numbers(3):zip(numbers(3))), 1, true)
  end)
end)

describe("cardinality", function()
  it("is a number, math.huge, or nil when it is unknown", function()
    local unknown = generated(4)
    local even = numbers(4):filter(function(x) return x:item() % 2 == 0 end)
    for _, case in ipairs {
      { numbers(4), 4 }, { numbers(4):map(print), 4 }, { numbers(4):repeat_(3), 12 },
      { numbers(4):repeat_(), math.huge },
      { numbers(4):repeat_():take(9), 9 }, { numbers(4):skip(3), 1 }, { numbers(4):skip(9), 0 },
      { numbers(4):shuffle(2):batch(3), 2 }, { numbers(4):batch(3):repeat_(2), 4 }, { unknown, nil }, { even, nil },
      { unknown:take(0), 0 }, { numbers(4):prefetch(2), 4 }, { numbers(4):batch(2):unbatch(), 4 },
      { numbers(4):repeat_():batch(2), math.huge } } do
      assert.equal(case[2], case[1]:cardinality())
    end
    assert.matches("the length of this dataset is not known", problem_of(function() return #unknown end), 1, true)
    assert.matches("has no end", problem_of(function() return #numbers(4):repeat_() end), 1, true)
    local cached = unknown:cache()
    values(cached)
    assert.equal(4, #cached)
  end)
end)

describe("from_generator", function()
  it("begins anew in each pass and copies what may be refilled", function()
    local dataset, made = generated(4, true)
    assert.same({ { 1, 2, 3 }, { 4 } }, values(dataset:batch(3)))
    assert.same({ 1, 2, 3, 4 }, values(dataset))
    assert.same(count_up(1, 4), sorted(values(dataset:shuffle(10))))
    assert.equal(3, made.count)
  end)
end)

describe("from_files", function()
  it("reads each file when its turn comes", function()
    local base = os.tmpname()
    local paths = { base .. "a.npy", base .. "b.npy", base .. "c.npz", base .. "d.xyz" }
    cdl.io.save(paths[1], cdl.tensor { 1, 2 })
    cdl.io.save(paths[2], cdl.tensor { 3 })
    cdl.io.savez(paths[3], { x = cdl.tensor { 4 }, y = cdl.tensor { 5 } })
    local files = Dataset.from_files { paths[1], paths[2] }
    assert.equal(2, #files)
    assert.same({ 1, 2, 3 }, values(files:unbatch()))
    for x in Dataset.from_files(paths[3]):iterate() do assert.equal(5, x.y[1]) end
    local read = {}
    local own = Dataset.from_files({ "one", "two" }, function(path)
      read[#read + 1] = path
      return #path
    end)
    assert.same({}, read)
    assert.same({ 3, 3 }, values(own))
    assert.same({ "one", "two" }, read)
    assert.matches("there is no reader for '" .. paths[4], problem_of(values, Dataset.from_files(paths[4])), 1, true)
    for i = 1, 3 do os.remove(paths[i]) end
    assert.matches(paths[1], problem_of(values, files), 1, true)
    assert.matches("the list of files is empty", problem_of(Dataset.from_files, {}), 1, true)
    os.remove(base)
  end)
end)

describe("cache and prefetch", function()
  it("keep the first whole pass", function()
    local calls = 0
    local dataset = numbers(4):map(function(x)
      calls = calls + 1
      return x
    end):cache()
    values(dataset:take(2)) -- not a whole one
    assert.equal(2, calls)
    for _ = 1, 3 do assert.same({ 1, 2, 3, 4 }, values(dataset)) end
    assert.equal(6, calls)
    assert.same({ 1, 2, 3, 4 }, sorted(values(dataset:shuffle())))
    assert.equal(6, calls)
  end)

  it("freeze an order that comes before", function()
    local dataset = numbers(30):shuffle():cache()
    assert.same(values(dataset), values(dataset))
    assert.same({ { 1, 2 }, { 3 } }, values(numbers(3):batch(2):cache()))
  end)

  it("draw ahead, and raise an error when it is due", function()
    local drawn = 0
    local dataset = numbers(6):map(function(x)
      drawn = drawn + 1
      if drawn == 5 then error "broken" end
      return x
    end):prefetch(3)
    local seen, ahead = {}, {}
    local problem = problem_of(function()
      for x in dataset:iterate() do
        seen[#seen + 1] = x:item()
        ahead[#ahead + 1] = drawn
      end
    end)
    assert.matches("broken", problem, 1, true)
    assert.same({ 1, 2, 3, 4 }, seen)
    assert.same({ 3, 4, 5, 5 }, ahead)
    drawn = 10
    assert.same(count_up(1, 6), values(dataset))
    assert.same({ { 1, 2 }, { 3 } }, values(numbers(3):batch(2):prefetch(2)))
  end)
end)

describe("fit with a dataset", function()
  local x, y = line_data(10)

  it("does what it does with the tensors", function()
    local want = new_model():fit(x, y, quiet { epochs = 2, batch_size = 4, shuffle = false })
    local steps
    local watch = { on_train_begin = function(self) steps = self.params.steps end }
    for _, dataset in ipairs { Dataset(x, y):batch(4), Dataset(x, y):batch(4):prefetch(2),
      Dataset(x, y):batch(4):cache(), Dataset(x, y):map(function(a, b) return a, b end):batch(4) } do
      local history = new_model():fit(dataset, quiet { epochs = 2, callbacks = watch })
      assert.same(want.history.loss, history.history.loss)
      assert.equal(3, steps)
    end
  end)

  it("reads rows in place", function()
    local alive, copies
    local big = cdl.ones { 1000, 1 }
    new_model(0):fit(Dataset(big, big):shuffle():batch(100, true), quiet { callbacks = { {
      on_train_batch_begin = function(_, batch)
        if batch == 1 then collectgarbage() end
        alive = alive or core.tensors_alive()
        if batch == 10 then copies = core.tensors_alive() - alive end
      end } } })
    assert.equal(0, copies)
  end)

  it("shuffles in a way that is the same for rows and elements, and repeats with the seed", function()
    local function losses(dataset, seed)
      cdl.random.seed(seed)
      return new_model():fit(dataset, quiet { epochs = 3 }).history.loss
    end
    local in_place = losses(Dataset(x, y):shuffle():batch(3), 4)
    assert.same(in_place, losses(Dataset(x, y):shuffle():batch(3), 4))
    assert.is_not.same(in_place, losses(Dataset(x, y):shuffle():batch(3), 5))
    assert.same(in_place, losses(Dataset(x, y):shuffle():batch(3):map(function(a, b) return a, b end), 4))
    local fixed = new_model(0)
    local seen = {}
    fixed:fit(Dataset(x, y):shuffle():batch(3), quiet { epochs = 2, callbacks = { {
      on_train_batch_end = function(_, batch, logs) if batch == 1 then seen[#seen + 1] = logs.loss end end } } })
    assert.is_true(seen[1] ~= seen[2])
  end)

  it("takes repetitions, parts and dropped remainders in place", function()
    local function batches(dataset, options)
      local sizes = {}
      options = quiet(options or {})
      options.callbacks = { { on_train_batch_end = function(_, batch) sizes[#sizes + 1] = batch end } }
      new_model(0):fit(dataset, options)
      return #sizes
    end
    assert.equal(7, batches(Dataset(x, y):shuffle():repeat_(2):batch(3)))
    assert.equal(6, batches(Dataset(x, y):shuffle():repeat_(2):batch(3, true)))
    assert.equal(2, batches(Dataset(x, y):shuffle():take(5):batch(3)))
    assert.equal(1, batches(Dataset(x, y):skip(8):batch(3)))
    assert.equal(5, batches(Dataset(x, y):batch(4):repeat_(), { steps_per_epoch = 5 }))
    local model = new_model(0)
    local want = model:evaluate(x[{ { 9, 10 } }], y[{ { 9, 10 } }], { verbose = 0 })
    assert.near(want, model:evaluate(Dataset(x, y):skip(8):batch(3), { verbose = 0 }), 1e-6)
  end)

  it("goes on with steps_per_epoch, and begins anew at the end", function()
    for _, dataset in ipairs { Dataset(x, y):batch(2), Dataset(x, y):batch(2):map(function(a, b) return a, b end) } do
      local losses = new_model(0):fit(dataset, quiet { epochs = 4, steps_per_epoch = 5 }).history.loss
      for epoch = 2, 4 do assert.near(losses[1], losses[epoch], 1e-5) end
      losses = new_model(0):fit(dataset:take(4), quiet { epochs = 4, steps_per_epoch = 2 }).history.loss
      assert.near(losses[1], losses[3], 1e-5)
      assert.near(losses[2], losses[4], 1e-5)
      assert.is_true(math.abs(losses[1] - losses[2]) > 0.1)
    end
  end)

  it("validates on one, from its first element each time", function()
    local model = new_model(0)
    local want = model:evaluate(x[{ { 1, 4 } }], y[{ { 1, 4 } }], { verbose = 0 })
    for _, dataset in ipairs { Dataset(x, y):batch(2), Dataset(x, y):batch(2):map(function(a, b) return a, b end),
      Dataset(x, y):batch(2):repeat_() } do
      local history = model:fit(x, y, quiet { epochs = 2, validation_data = dataset, validation_steps = 2 })
      for epoch = 1, 2 do assert.near(want, history.history.val_loss[epoch], 1e-5) end
    end
  end)

  it("weighs classes and samples", function()
    local classes = cdl.tensor { { 0 }, { 1 }, { 1 }, { 0 } }
    local inputs = cdl.tensor { { 1 }, { 2 }, { 3 }, { 4 } }
    local weights = cdl.tensor { 0.5, 3, 3, 0.5 }
    local want = new_model(0.01)
    want:fit(inputs, classes, quiet { sample_weight = weights, batch_size = 2, shuffle = false })
    for _, dataset in ipairs { Dataset(inputs, classes):batch(2),
      Dataset(inputs, classes):batch(2):map(function(a, b) return a, b end) } do
      local model = new_model(0.01)
      model:fit(dataset, quiet { class_weight = { [0] = 0.5, [1] = 3 } })
      assert.equal(want:get_weights()[1]:item(), model:get_weights()[1]:item())
    end
    local model = new_model(0.01)
    model:fit(Dataset(inputs, classes, weights):batch(2), quiet {})
    assert.equal(want:get_weights()[1]:item(), model:get_weights()[1]:item())
    assert.matches("cannot be given together", problem_of(model.fit, model, Dataset(inputs, classes, weights):batch(2),
      quiet { class_weight = { [0] = 1 } }), 1, true)
  end)

  it("says what it cannot be fitted with", function()
    local function refused(pattern, dataset, options)
      local problem = problem_of(function() new_model():fit(dataset, quiet(options or {})) end)
      assert.matches("^tests/lua/dataset_spec.lua:%d+: ", problem)
      assert.matches(pattern, problem, 1, true)
    end
    refused("fit: the dataset has no elements", Dataset(x, y):take(0))
    refused("fit: the dataset has no elements", Dataset(x, y):batch(20, true))
    refused("fit: the dataset has no batch", Dataset(x, y):batch(2):filter(function() return false end))
    refused("a scalar has no samples", numbers(4))
    refused(":batch(n)", numbers(4))
    refused("fit: validation_split takes the last samples of tensors", Dataset(x, y):batch(2),
      { validation_split = 0.5 })
    refused("fit: sample_weight is given beside a dataset", Dataset(x, y):batch(2), { sample_weight = x })
    refused("wanted 1", Dataset({ x, x }, y):batch(2))
  end)
end)

describe("evaluate and predict with a dataset", function()
  it("give what they give for the tensors", function()
    local x, y = line_data(10)
    local model = new_model()
    model:fit(x, y, quiet {})
    local want, predicted = model:evaluate(x, y, { verbose = 0 }), model:predict(x, { verbose = 0 }):totable()
    for _, dataset in ipairs { Dataset(x, y):batch(4), Dataset(x, y):map(function(a, b) return a, b end):batch(4) } do
      assert.near(want, model:evaluate(dataset, { verbose = 0 }), 1e-6)
      assert.same(predicted, model:predict(dataset, { verbose = 0 }):totable())
    end
    assert.same({ 6, 1 }, model:predict(Dataset(x):batch(3):repeat_(), { steps = 2, verbose = 0 }).shape)
  end)
end)
