package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 6.2: film reviews word by word: an LSTM.
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local words, length = book.size(10000, 50), book.size(500, 20)
local train, y = book.data(
  function() return cdl.datasets.imdb.load_data { num_words = words } end,
  function() return book.texts(64, words, 2) end)
local x = cdl.utils.pad_sequences(train, { maxlen = length })

local model = cdl.Sequential {
  layers.Embedding(words, 32, { input_shape = { length } }),
  layers.LSTM(32),
  layers.Dense { 1, activation = "sigmoid" },
}
model:compile { optimizer = "rmsprop", loss = "binary_crossentropy", metrics = { "acc" } }
local history = model:fit(x, y, { epochs = book.size(10, 1), batch_size = 128, validation_split = 0.2 })
book.report("best validation accuracy", history:best "val_acc", "the book: 0.89")
