package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 10000-16-16-1 on multi-hot rows, RMSprop, batches of 512, 40 steps an epoch. Reading the rows, in the
-- forward pass and for the gradient of the first kernel, is most of the work.
local cdl = require "cdl"
local bench = require "common"

local layers, batch = cdl.layers, 512
local model = cdl.Sequential {
  layers.Input { 10000 }, layers.Dense { 16, activation = "relu" },
  layers.Dense { 16, activation = "relu" }, layers.Dense { 1, activation = "sigmoid" },
}
model:compile { optimizer = "rmsprop", loss = "binary_crossentropy", metrics = { "accuracy" } }
bench.train({ workload = "mlp_small_step", batch = batch, blocks = 6, first = 10000 * 16,
  rest = 16 * 16 + 16, megabytes = 2 * batch * 10000 * 4 / 1e6 }, model, bench.multi_hot(batch * 40, 10000))
