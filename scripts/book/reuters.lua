package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 3.6: newswires of 46 topics.
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local words = book.size(10000, 50)
local train, y_train, test, y_test = book.data(
  function() return cdl.datasets.reuters.load_data { num_words = words } end,
  function() return book.texts(64, words, 46) end)
local x_train, x_test = book.multi_hot(train, words), book.multi_hot(test, words)
local held = book.size(1000, 16) -- rows for validation, the first ones

local model = cdl.Sequential {
  layers.Dense { 64, activation = "relu", input_shape = { words } },
  layers.Dense { 64, activation = "relu" },
  layers.Dense { 46, activation = "softmax" },
}
model:compile { optimizer = "rmsprop", loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }
model:fit(x_train[{ { held + 1, -1 } }], y_train[{ { held + 1, -1 } }], { epochs = book.size(9, 1), batch_size = 512,
  validation_data = { x_train[{ { 1, held } }], y_train[{ { 1, held } }] } })

local _, accuracy = model:evaluate(x_test, y_test)
book.report("test accuracy", accuracy, "the book: 0.79")
