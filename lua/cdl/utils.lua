--- Small helpers around training data (`cdl.utils`).
local core = require "cdl.core"
local ops = require "cdl.ops"
local random = require "cdl.random"
local signature = require "cdl.signature"
local tree = require "cdl.tree"
local words = require "cdl.words"

local M = {}

local function as_tensor(x)
  if type(x) == "number" or type(x) == "boolean" then return core.tensor(x) end
  return x
end

M.to_categorical = signature.fn("to_categorical", {
  { "x", "operand", required = true, doc = "classes from 0: integers, or integral floats; any shape" },
  { "num_classes", "integer", min = 1, doc = "size of the new axis; left out: the largest class + 1" },
}, "One-hot rows, float32: 1 at the class, 0 elsewhere. An axis of size 1 at the end of x is dropped first.",
  function(x, num_classes)
    x = as_tensor(x)
    local shape = x.shape
    if #shape > 1 and shape[#shape] == 1 then x = ops.squeeze(x, -1) end
    if not num_classes then
      if x.size == 0 then core.raise "to_categorical: x is empty; give num_classes" end
      num_classes = math.tointeger(ops.max(x):item())
      if not num_classes or num_classes < 0 then
        core.raise(("to_categorical: the largest class is %s; classes are integers from 0"):format(
          words.literal(ops.max(x):item())))
      end
      num_classes = num_classes + 1
    end
    return ops.one_hot(x, num_classes)
  end)

M.normalize = signature.fn("normalize", {
  { "x", "operand", required = true, doc = "any shape" },
  { "axis", "axis", -1, doc = "the axis along which the norm is 1 afterwards" },
  { "order", "number", 2, above = 0, doc = "order of the norm; math.huge is the largest absolute value" },
}, "x divided by its norm along an axis; where the norm is 0 it stays 0.", function(x, axis, order)
  local norm
  x = as_tensor(x)
  if order == math.huge then
    norm = ops.max(ops.abs(x), axis, true)
  elseif order == 2 then
    norm = ops.sqrt(ops.sum(ops.square(ops.astype(x, x.dtype == "float64" and "float64" or "float32")), axis, true))
  else
    norm = ops.sum(ops.abs(x) ^ order, axis, true) ^ (1 / order)
  end
  return x / ops.where(ops.eq(norm, 0), 1, norm)
end)

-- How many rows a share of n is: a whole number counts rows, a fraction is rounded by `round`.
local function share_of(n, share, round, what)
  local rows = math.type(share) == "integer" and share or round(n * share)
  if rows < 1 or rows >= n or (math.type(share) == "float" and share >= 1) then
    core.raise(("train_test_split: %s = %s of %d rows leaves one part empty"):format(what,
      words.literal(share), n))
  end
  return rows
end

-- The number of rows that all leaves have.
local function common_rows(leaves, where)
  local rows
  for i, leaf in ipairs(leaves) do
    if not words.is_tensor(leaf) or leaf.ndim < 1 then
      core.raise(("train_test_split: %s must be tensors with rows, got %s"):format(where, words.describe(leaf)))
    end
    rows = rows or #leaf
    if #leaf ~= rows then
      core.raise(("train_test_split: %s: tensor %d has %d rows, the first one %d"):format(where, i, #leaf, rows))
    end
  end
  return rows
end

M.train_test_split = signature.fn("train_test_split", {
  { "x", "data", required = true, doc = "a tensor, or a list or dict of tensors, with rows" },
  { "y", "data", doc = "the same, with as many rows" },
  { "test_size", "number", 0.25, above = 0, doc = "a part below 1 (rounded up), or a whole number of rows" },
  { "train_size", "number", above = 0, doc = "the same; the rest if left out" },
  { "shuffle", "boolean", true, doc = "false: the first rows are for training, the last for testing" },
  { "seed", "integer", doc = "the same seed gives the same rows; left out: cdl.random's" },
}, "Two parts of the rows: x_train, x_test and, where y is given, y_train, y_test.",
  function(x, y, test_size, train_size, shuffle, seed)
    local x_leaves, x_spec = tree.flatten(x, nil, "train_test_split: x")
    local n = common_rows(x_leaves, "x")
    local y_leaves, y_spec
    if y ~= nil then
      y_leaves, y_spec = tree.flatten(y, nil, "train_test_split: y")
      if common_rows(y_leaves, "y") ~= n then
        core.raise(("train_test_split: x has %d rows, y has %d"):format(n, #y_leaves[1]))
      end
    end
    local tests = share_of(n, test_size, math.ceil, "test_size")
    local trains = train_size and share_of(n, train_size, math.floor, "train_size") or n - tests
    if trains + tests > n then
      core.raise(("train_test_split: train_size (%d rows) and test_size (%d) are more than the %d rows"):format(
        trains, tests, n))
    end
    local order
    if shuffle then
      order = seed and random.named("permutation", seed, "train_test_split", { n }, "int64")
        or random.permutation(n)
    end
    local function part(leaves, spec, first, last)
      local parts = {}
      for i, leaf in ipairs(leaves) do
        parts[i] = order and ops.gather(leaf, order[{ { first, last } }]) or leaf[{ { first, last } }]
      end
      return tree.pack(spec, parts)
    end
    -- Without shuffling the test rows follow those for training; with it any rows do.
    local x_train, x_test = part(x_leaves, x_spec, 1, trains), part(x_leaves, x_spec, trains + 1, trains + tests)
    if not y_leaves then return x_train, x_test end
    return x_train, x_test, part(y_leaves, y_spec, 1, trains), part(y_leaves, y_spec, trains + 1, trains + tests)
  end)

-- The length of a sequence; raises when it is none.
local function length_of(sequence, index)
  if words.is_plain(sequence) or (core.is_tensor(sequence) and sequence.ndim > 0) then return #sequence end
  return core.raise(("pad_sequences: sequence %d must be a list of numbers or a tensor, got %s"):format(index,
    words.describe(sequence)))
end

-- Steps first .. last of a sequence as a tensor.
local function cut(sequence, first, last, dtype)
  if words.is_plain(sequence) then
    return core.tensor(table.move(sequence, first, last, 1, {}), dtype)
  end
  return sequence[{ { first, last } }]
end

M.pad_sequences = signature.fn("pad_sequences", {
  { "sequences", "data", required = true, doc = "a list of lists of numbers, or of tensors" },
  { "maxlen", "integer", min = 1, doc = "length of every row; left out: that of the longest sequence" },
  { "dtype", "dtype", "int32", doc = "element type" },
  { "padding", { "pre", "post" }, "pre", doc = "where short sequences are filled" },
  { "truncating", { "pre", "post" }, "pre", doc = "where long ones are cut" },
  { "value", "number", 0, doc = "the filling" },
}, "Sequences of various lengths as one tensor {sequences, maxlen}. As in Keras, filling and cutting "
  .. "happen at the beginning unless said otherwise.",
  function(sequences, maxlen, dtype, padding, truncating, value)
    if not words.is_plain(sequences) then
      core.raise(("pad_sequences: sequences must be a list, got %s"):format(words.describe(sequences)))
    end
    local longest, inner, lengths = 0, {}, {}
    for i, sequence in ipairs(sequences) do
      lengths[i] = length_of(sequence, i)
      if lengths[i] > 0 and longest == 0 then
        inner = table.move(cut(sequence, 1, 1, dtype).shape, 2, 8, 1, {})
      end
      longest = math.max(longest, lengths[i])
    end
    maxlen = maxlen or longest
    local result = core.full({ #sequences, maxlen, table.unpack(inner) }, value, dtype)
    for i, sequence in ipairs(sequences) do
      local kept = math.min(lengths[i], maxlen)
      if kept > 0 then
        local from = truncating == "pre" and lengths[i] - kept + 1 or 1
        local to = padding == "pre" and maxlen - kept + 1 or 1
        result[{ i, { to, to + kept - 1 } }] = cut(sequence, from, from + kept - 1, dtype)
      end
    end
    return result
  end)

-- Numbers come before strings; other keys in the order of their text.
local function key_before(a, b)
  local kind_a, kind_b = type(a), type(b)
  if kind_a ~= kind_b then return kind_a < kind_b end
  if kind_a == "number" or kind_a == "string" then return a < b end
  return tostring(a) < tostring(b)
end

M.sorted_pairs = signature.fn("sorted_pairs", {
  { "table", "data", required = true, doc = "any table" },
}, "`pairs` in a fixed order: numbers first, then names in alphabetical order.", function(map)
  if type(map) ~= "table" then
    core.raise(("sorted_pairs: wanted a table, got %s"):format(words.describe(map)))
  end
  local keys, at = {}, 0
  for key in pairs(map) do keys[#keys + 1] = key end
  table.sort(keys, key_before)
  return function()
    at = at + 1
    local key = keys[at]
    if key ~= nil then return key, map[key] end
  end
end)

-- Larger helpers have files of their own.
local text = require "cdl.utils.text"
M.text_to_word_sequence = text.text_to_word_sequence
M.timeseries_windows = require("cdl.utils.timeseries").timeseries_windows
M.timeseries_dataset_from_array = M.timeseries_windows
M.Tokenizer = require "cdl.utils.tokenizer"
M.tokenizer_from_json = signature.fn("tokenizer_from_json", {
  { "json_string", "string", required = true, doc = "what a tokenizer's to_json gave, here or in Keras" },
}, "The tokenizer that a JSON text describes.", M.Tokenizer.from_json)
M.image_grid = require("cdl.images").image_grid

return M
