package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 5.1: a small convolutional network on MNIST.
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local x_train, y_train, x_test, y_test = book.digits()

local model = cdl.Sequential {
  layers.Conv2D { 32, { 3, 3 }, activation = "relu", input_shape = { 28, 28, 1 } },
  layers.MaxPooling2D { 2, 2 },
  layers.Conv2D { 64, { 3, 3 }, activation = "relu" },
  layers.MaxPooling2D { 2, 2 },
  layers.Conv2D { 64, { 3, 3 }, activation = "relu" },
  layers.Flatten(),
  layers.Dense { 64, activation = "relu" },
  layers.Dense { 10, activation = "softmax" },
}
model:summary()
model:compile { optimizer = "rmsprop", loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }
model:fit(x_train, y_train, { epochs = book.size(5, 1), batch_size = 64 })

local _, accuracy = model:evaluate(x_test, y_test)
book.report("test accuracy", accuracy, "the book: 0.991")
