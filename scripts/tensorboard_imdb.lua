-- Film reviews in TensorBoard: a 1D convnet on IMDB, with the distributions of its weights and activations and with
-- its word vectors, which the projector labels with the words (Chollet, "Deep Learning with Python", 7.2.3).
-- Where IMDB's files are absent, made-up reviews of the same shape take their place.
--
--     cdl scripts/tensorboard_imdb.lua [epochs [folder [reviews]]]
--     cdl board folder
local cdl = require "cdl"
local layers = cdl.layers

local epochs, folder = tonumber(arg[1] or 20), arg[2] or "logs/imdb"
local reviews = tonumber(arg[3] or 25000)
local max_features, max_len = 2000, 500

-- Row i of the embedding (from 0) is the word of rank i - 3, as the data set numbers words.
local function labels_of(word_index)
  local labels = { "<padding>", "<start>", "<unknown>", "<unused>" }
  for word, rank in pairs(word_index) do
    if rank + 4 <= max_features then labels[rank + 4] = word end
  end
  return labels
end

-- Noise with a few words in it that tell: "good" ones in positive reviews, "bad" ones in the others.
local function made_up(n)
  local y = cdl.random.randint { shape = { n }, low = 0, high = 2 }
  local noise = cdl.random.randint { shape = { n, max_len }, low = 204, high = max_features }
  local telling = cdl.random.randint { shape = { n, max_len }, low = 4, high = 104 }
    + y:reshape { n, 1 } * 100
  local word_index = {}
  for rank = 1, max_features - 4 do
    word_index[(rank <= 100 and "bad" or rank <= 200 and "good" or "word") .. " " .. rank] = rank
  end
  local tells = cdl.random.bernoulli { shape = { n, max_len }, p = 0.02 }
  return cdl.where(tells, telling, noise):astype "int32", y, word_index
end

local function load()
  local found, x, y = pcall(cdl.datasets.imdb.load_data, { num_words = max_features })
  if not found then return made_up(reviews) end
  x = cdl.utils.pad_sequences(x, { maxlen = max_len })
  local rows = math.min(reviews, #x)
  return x[{ { 1, rows } }], y[{ { 1, rows } }], cdl.datasets.imdb.get_word_index()
end

cdl.random.seed(1)
local x, y, word_index = load()
local model = cdl.Sequential {
  layers.Input { max_len, dtype = "int32" },
  layers.Embedding { max_features, 128, name = "embed" },
  layers.Conv1D { 32, 7, activation = "relu" },
  layers.MaxPooling1D(5),
  layers.Conv1D { 32, 7, activation = "relu" },
  layers.GlobalMaxPooling1D(),
  layers.Dense { 1, activation = "sigmoid" },
}
model:summary()
model:compile { optimizer = "rmsprop", loss = "binary_crossentropy", metrics = { "acc" } }
local history = model:fit(x, y:reshape { y.size, 1 }, { epochs = epochs, batch_size = 128, validation_split = 0.2,
  callbacks = cdl.callbacks.TensorBoard { folder, histogram_freq = 1, activation_freq = 1, embeddings_freq = 1,
    embeddings_metadata = { embed = labels_of(word_index) } } })
print(("validation accuracy %.4f; look at it with: cdl board %s"):format(history:best "val_acc", folder))
