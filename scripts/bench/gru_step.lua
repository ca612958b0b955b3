package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- A GRU over 240 steps of 14 measurements, mean absolute error, RMSprop, batches of 128, 20 steps an
-- epoch.
local cdl = require "cdl"
local bench = require "common"

local layers = cdl.layers
local model = cdl.Sequential { layers.Input { 240, 14 }, layers.GRU(32), layers.Dense(1) }
model:compile { optimizer = "rmsprop", loss = "mae" }
bench.train({ workload = "gru_step", batch = 128, blocks = 4, first = 240 * 14 * 96, rest = 240 * 32 * 96 + 32 },
  model, bench.series(128 * 20, 240, 14))
