package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- Three convolutions and two dense layers on 28x28, RMSprop, batches of 64, 80 steps an epoch.
local bench = require "common"

bench.train({ workload = "cnn_step", batch = 64, blocks = 4, first = 26 * 26 * 9 * 32,
  rest = 11 * 11 * 288 * 64 + 3 * 3 * 576 * 64 + 576 * 64 + 640 }, bench.cnn(), bench.images(64 * 80, 28, 1))
