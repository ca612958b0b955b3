package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- Two convolutions over 500 embedded words, RMSprop, batches of 128, 10 steps an epoch.
local cdl = require "cdl"
local bench = require "common"

local layers = cdl.layers
local model = cdl.Sequential {
  layers.Input { 500, dtype = "int32" }, layers.Embedding(2000, 128),
  layers.Conv1D(32, 7, { activation = "relu" }), layers.MaxPooling1D(5),
  layers.Conv1D(32, 7, { activation = "relu" }), layers.GlobalMaxPooling1D(),
  layers.Dense { 1, activation = "sigmoid" },
}
model:compile { optimizer = "rmsprop", loss = "binary_crossentropy", metrics = { "accuracy" } }
bench.train({ workload = "conv1d_step", batch = 128, blocks = 4, first = 0,
  rest = 494 * 896 * 32 + 92 * 224 * 32 + 32 }, model, bench.words(128 * 10, 500, 2000))
