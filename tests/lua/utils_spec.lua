local cdl = require "cdl"

local utils = cdl.utils

-- The message of the error that f raises; it must begin with this file and a line.
local function message_of(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.matches("^[^\n]*utils_spec.lua:%d+: ", message)
  return message
end

describe("to_categorical", function()
  it("gives one-hot rows", function()
    local x = utils.to_categorical(cdl.tensor({ 0, 2, 1 }, "uint8"))
    assert.equal("float32", x.dtype)
    assert.same({ { 1, 0, 0 }, { 0, 0, 1 }, { 0, 1, 0 } }, x:totable())
    assert.same({ { 0, 1, 0, 0 } }, utils.to_categorical({ 1 }, 4):totable())
    assert.same({ { 0, 1 }, { 1, 0 } }, utils.to_categorical({ 1, 0 }):totable())
  end)

  it("drops a last axis of one and keeps the others", function()
    assert.same({ 2, 3 }, utils.to_categorical(cdl.tensor { { 0 }, { 2 } }).shape)
    assert.same({ 2, 2, 4 }, utils.to_categorical(cdl.tensor { { 0, 1 }, { 2, 3 } }).shape)
  end)

  it("refuses classes that are none", function()
    assert.matches("5", message_of(utils.to_categorical, { 1, 5 }, 3))
    assert.matches("%-1", message_of(utils.to_categorical, { 1, -1 }))
    assert.matches("1.5", message_of(utils.to_categorical, { 1.5, 1 }))
    assert.matches("the largest class is %-2; classes are integers from 0", message_of(utils.to_categorical, { -2 }))
    assert.matches("x is empty; give num_classes", message_of(utils.to_categorical, cdl.zeros { 0 }))
    assert.same({ 0, 3 }, utils.to_categorical(cdl.zeros { 0 }, 3).shape)
  end)
end)

describe("normalize", function()
  it("divides by the norm, and leaves zeros", function()
    local x = cdl.tensor { { 3, 4 }, { 0, 0 } }
    assert.same({ { 0, 0 } }, utils.normalize(x)[{ { 2, 2 } }]:totable())
    assert.near(0.6, utils.normalize(x)[{ 1, 1 }], 1e-6)
    assert.near(0.8, utils.normalize(x)[{ 1, 2 }], 1e-6)
    assert.near(3 / 7, utils.normalize(x, -1, 1)[{ 1, 1 }], 1e-6)
    assert.near(0.75, utils.normalize(x, { order = math.huge })[{ 1, 1 }], 1e-6)
    assert.near(3 / 91 ^ (1 / 3), utils.normalize(x, { order = 3 })[{ 1, 1 }], 1e-6)
    assert.same({ { 1, 1 }, { 0, 0 } }, utils.normalize(x, 1):totable())
  end)

  it("takes integers without overflow", function()
    local x = utils.normalize(cdl.tensor({ { 200, 150 } }, "uint8"))
    assert.equal("float32", x.dtype)
    assert.near(0.8, x[{ 1, 1 }], 1e-6)
    assert.near(0.6, x[{ 1, 2 }], 1e-6)
    assert.near(200 / 350, utils.normalize(cdl.tensor({ { 200, 150 } }, "uint8"), -1, 1)[{ 1, 1 }], 1e-6)
  end)
end)

describe("train_test_split", function()
  local x, y = cdl.arange(1, 10):reshape { 10, 1 }, cdl.arange(1, 10, 1, { dtype = "int64" })

  it("splits rows that belong together", function()
    local x_train, x_test, y_train, y_test = utils.train_test_split(x, y, { test_size = 0.25, seed = 3 })
    assert.same({ 7, 1 }, x_train.shape)
    assert.same({ 3, 1 }, x_test.shape)
    local seen = {}
    for _, pair in ipairs { { x_train, y_train }, { x_test, y_test } } do
      for i = 1, #pair[1] do
        assert.equal(pair[1][{ i, 1 }], pair[2][i])
        seen[pair[2][i]] = true
      end
    end
    assert.equal(10, #seen)
  end)

  it("repeats with a seed, and with cdl.random's", function()
    local first = utils.train_test_split(x, { seed = 1 })
    assert.same(first:totable(), utils.train_test_split(x, { seed = 1 }):totable())
    assert.not_same(first:totable(), utils.train_test_split(x, { seed = 2 }):totable())
    cdl.random.seed(5)
    first = utils.train_test_split(x)
    cdl.random.seed(5)
    assert.same(first:totable(), utils.train_test_split(x):totable())
  end)

  it("keeps the order without shuffling", function()
    local train, test = utils.train_test_split(y, { test_size = 2, train_size = 3, shuffle = false })
    assert.same({ 1, 2, 3 }, train:totable())
    assert.same({ 4, 5 }, test:totable())
  end)

  it("splits structures", function()
    local train, test = utils.train_test_split({ a = x, b = y }, { test_size = 1, shuffle = false })
    assert.same({ 9, 1 }, train.a.shape)
    assert.same({ 10 }, test.b:totable())
  end)

  it("refuses rows that do not fit and empty parts", function()
    assert.matches("x has 10 rows, y has 3", message_of(utils.train_test_split, x, cdl.zeros { 3 }))
    assert.matches("test_size = 10 of 10 rows leaves one part empty",
      message_of(utils.train_test_split, x, { test_size = 10 }))
    assert.matches("are more than the 10 rows",
      message_of(utils.train_test_split, x, { test_size = 5, train_size = 6 }))
  end)
end)

describe("pad_sequences", function()
  local sequences = { { 1, 2, 3 }, { 4 }, {} }

  it("fills and cuts at the beginning, as Keras does", function()
    local x = utils.pad_sequences(sequences)
    assert.equal("int32", x.dtype)
    assert.same({ { 1, 2, 3 }, { 0, 0, 4 }, { 0, 0, 0 } }, x:totable())
    assert.same({ { 2, 3 }, { 0, 4 }, { 0, 0 } }, utils.pad_sequences(sequences, 2):totable())
  end)

  it("does both at the end when told", function()
    local x = utils.pad_sequences(sequences, { maxlen = 2, padding = "post", truncating = "post", value = 9 })
    assert.same({ { 1, 2 }, { 4, 9 }, { 9, 9 } }, x:totable())
  end)

  it("takes tensors, vectors and dtypes", function()
    local x = utils.pad_sequences({ cdl.ones { 2, 3 }, cdl.ones { 1, 3 } }, { dtype = "float32", value = -1 })
    assert.same({ 2, 2, 3 }, x.shape)
    assert.same({ { -1, -1, -1 }, { 1, 1, 1 } }, x[2]:totable())
    assert.same({ { 0.5, 0 } }, utils.pad_sequences({ { 0.5 } }, { maxlen = 2, padding = "post",
      dtype = "float32" }):totable())
  end)

  it("refuses what is no sequence", function()
    assert.matches("sequence 2 must be a list of numbers or a tensor, got 3",
      message_of(utils.pad_sequences, { { 1 }, 3 }))
    assert.matches("sequences must be a list", message_of(utils.pad_sequences, 3))
  end)
end)

describe("sorted_pairs", function()
  it("walks in a fixed order", function()
    local keys, values = {}, {}
    for key, value in utils.sorted_pairs { val_loss = 1, loss = 2, accuracy = 3, [2] = 4, [10] = 5, [-1.5] = 6 } do
      keys[#keys + 1], values[#values + 1] = key, value
    end
    assert.same({ -1.5, 2, 10, "accuracy", "loss", "val_loss" }, keys)
    assert.same({ 6, 4, 5, 3, 2, 1 }, values)
    for _ in utils.sorted_pairs {} do error "an empty table has no pairs" end
    assert.matches("wanted a table, got 3", message_of(utils.sorted_pairs, 3))
  end)
end)
