--- IMDB: 50,000 film reviews, half of them for training, half of them positive (Maas et al.,
-- "Learning word vectors for sentiment analysis", ACL 2011), as Keras hands them out.
local find = require "cdl.datasets.find"
local order = require "cdl.datasets.order"
local sequences = require "cdl.datasets.sequences"
local signature = require "cdl.signature"
local words_file = require "cdl.datasets.words_file"

local M = {}

local get = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/ has imdb.npz and imdb_word_index.json"

local function set_of(path)
  return { name = "imdb", folders = { "imdb" }, flat = function() return true end, get = get,
    forms = { { keras = true, files = { path } }, { files = { "imdb_flat.npz" } } } }
end

-- The reviews in the order of the shuffle with this seed: that of the training half, then, with the
-- same stream of random numbers, that of the other half.
local function shuffle(parts, seed, undo)
  local draw = order.generator(seed)
  for _, part in ipairs(parts) do sequences.shuffle(part, draw, undo) end
end

local function read(path)
  local paths, form = find.paths(set_of(path))
  if form.keras then
    return { sequences.read_keras("imdb", paths[1], "x_train", "y_train"),
      sequences.read_keras("imdb", paths[1], "x_test", "y_test") }
  end
  local parts = { sequences.read_flat("imdb", paths[1], "train"), sequences.read_flat("imdb", paths[1], "test") }
  shuffle(parts, 113, true)
  return parts
end

M.load_data = signature.fn("load_data", {
  { "path", "string", "imdb.npz", doc = "name of the file" },
  sequences.rows[1], sequences.rows[2], sequences.rows[3],
  sequences.mark_rows[1], sequences.mark_rows[2], sequences.mark_rows[3], sequences.mark_rows[4],
}, "25,000 + 25,000 film reviews as lists of word numbers: x_train, y_train, x_test, y_test. Labels int64: "
  .. "1 is a positive review.",
  function(path, num_words, skip_top, maxlen, seed, start_char, oov_char, index_from)
    local parts = read(path)
    shuffle(parts, seed)
    sequences.prepare("imdb", parts, { num_words = num_words, skip_top = skip_top, maxlen = maxlen,
      start_char = start_char, oov_char = oov_char, index_from = index_from })
    return parts[1].rows, parts[1].labels, parts[2].rows, parts[2].labels
  end)

M.get_word_index = words_file.loader("imdb", "imdb_word_index.json", get)

return M
