package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 6.4: film reviews once more, as sequences: a one-dimensional convolutional network.
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local words, length = book.size(10000, 50), book.size(500, 60)
local train, y = book.data(
  function() return cdl.datasets.imdb.load_data { num_words = words } end,
  function() return book.texts(64, words, 2) end)
local x = cdl.utils.pad_sequences(train, { maxlen = length })

local model = cdl.Sequential {
  layers.Embedding(words, 128, { input_shape = { length } }),
  layers.Conv1D { 32, 7, activation = "relu" },
  layers.MaxPooling1D(5),
  layers.Conv1D { 32, 5, activation = "relu" },
  layers.GlobalMaxPooling1D(),
  layers.Dense(1),
}
model:compile { optimizer = cdl.optimizers.RMSprop { learning_rate = 1e-4 },
  loss = cdl.losses.BinaryCrossentropy { from_logits = true },
  metrics = { cdl.metrics.BinaryAccuracy { name = "acc", threshold = 0 } } }
local history = model:fit(x, y, { epochs = book.size(10, 1), batch_size = 128, validation_split = 0.2 })
book.report("best validation accuracy", history:best "val_acc", "the book: 0.85")
