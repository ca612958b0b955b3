package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- An LSTM over 500 embedded words, RMSprop, batches of 128, 8 steps an epoch.
local cdl = require "cdl"
local bench = require "common"

local layers = cdl.layers
local model = cdl.Sequential {
  layers.Input { 500, dtype = "int32" }, layers.Embedding(10000, 32), layers.LSTM(32),
  layers.Dense { 1, activation = "sigmoid" },
}
model:compile { optimizer = "rmsprop", loss = "binary_crossentropy", metrics = { "accuracy" } }
bench.train({ workload = "lstm_step", batch = 128, blocks = 4, first = 0, rest = 500 * 64 * 128 + 32 },
  model, bench.words(128 * 8, 500, 10000))
