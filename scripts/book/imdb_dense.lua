package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 3.5: film reviews, good or bad? A dense network on which words occur.
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local words = book.size(10000, 50)
local train, y_train, test, y_test = book.data(
  function() return cdl.datasets.imdb.load_data { num_words = words } end,
  function() return book.texts(64, words, 2) end)
local x_train, x_test = book.multi_hot(train, words), book.multi_hot(test, words)

local model = cdl.Sequential {
  layers.Dense { 16, activation = "relu", input_shape = { words } },
  layers.Dense { 16, activation = "relu" },
  layers.Dense { 1, activation = "sigmoid" },
}
model:compile { optimizer = "rmsprop", loss = "binary_crossentropy", metrics = { "accuracy" } }

-- Four epochs, since in the book the validation loss is lowest there.
model:fit(x_train, y_train, { epochs = book.size(4, 1), batch_size = 512 })
local _, accuracy = model:evaluate(x_test, y_test, { batch_size = 512 })
book.report("test accuracy", accuracy, "the book: 0.88")
