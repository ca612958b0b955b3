--- Reuters: 11,228 newswires of 1987 about 46 topics (Lewis, "Reuters-21578"), as Keras hands them
-- out.
local find = require "cdl.datasets.find"
local order = require "cdl.datasets.order"
local sequences = require "cdl.datasets.sequences"
local signature = require "cdl.signature"
local words_file = require "cdl.datasets.words_file"

local M = {}

local get = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/ has reuters.npz and "
  .. "reuters_word_index.json"

local function set_of(path)
  return { name = "reuters", folders = { "reuters" }, flat = function() return true end, get = get,
    forms = { { keras = true, files = { path } }, { files = { "reuters_flat.npz" } } } }
end

local function read(path)
  local paths, form = find.paths(set_of(path))
  if form.keras then return sequences.read_keras("reuters", paths[1], "x", "y") end
  local part, rest = sequences.read_flat("reuters", paths[1], "train"), sequences.read_flat("reuters", paths[1], "test")
  table.move(rest.rows, 1, #rest.rows, #part.rows + 1, part.rows)
  table.move(rest.labels, 1, #rest.labels, #part.labels + 1, part.labels)
  sequences.shuffle(part, order.generator(113), true)
  return part
end

M.load_data = signature.fn("load_data", {
  { "path", "string", "reuters.npz", doc = "name of the file" },
  sequences.rows[1], sequences.rows[2], sequences.rows[3],
  { "test_split", "number", 0.2, min = 0, below = 1, doc = "the part of the newswires that is for testing" },
  sequences.mark_rows[1], sequences.mark_rows[2], sequences.mark_rows[3], sequences.mark_rows[4],
}, "11,228 newswires as lists of word numbers: x_train, y_train, x_test, y_test. Labels int64: the topic, "
  .. "0 to 45.",
  function(path, num_words, skip_top, maxlen, test_split, seed, start_char, oov_char, index_from)
    local part = read(path)
    sequences.shuffle(part, order.generator(seed))
    sequences.prepare("reuters", { part }, { num_words = num_words, skip_top = skip_top, maxlen = maxlen,
      start_char = start_char, oov_char = oov_char, index_from = index_from })
    local rows, y = part.rows, part.labels
    local count = math.floor(#rows * (1 - test_split))
    local x_train, x_test = table.move(rows, 1, count, 1, {}), table.move(rows, count + 1, #rows, 1, {})
    local y_train, y_test = order.divide(y, count)
    return x_train, y_train, x_test, y_test
  end)

M.get_word_index = words_file.loader("reuters", "reuters_word_index.json", get)

local topics = { "cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing", "money-supply", "coffee",
  "sugar", "trade", "reserves", "ship", "cotton", "carcass", "crude", "nat-gas", "cpi", "money-fx", "interest", "gnp",
  "meal-feed", "alum", "oilseed", "gold", "tin", "strategic-metal", "livestock", "retail", "ipi", "iron-steel",
  "rubber", "heat", "jobs", "lei", "bop", "zinc", "orange", "pet-chem", "dlr", "gas", "silver", "wpi", "hog", "lead" }

M.get_label_names = signature.fn("get_label_names", {}, "The names of the topics: label 0 is the first one.",
  function() return table.move(topics, 1, #topics, 1, {}) end)

return M
