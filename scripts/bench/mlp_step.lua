package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 784-512-10, Adam, batches of 128, 400 steps an epoch.
local bench = require "common"

local x, y = bench.images(128 * 400, 28, 1)
bench.train({ workload = "mlp_step", batch = 128, blocks = 5, first = 784 * 512, rest = 512 * 10 },
  bench.mlp(), x:reshape { -1, 784 }, y)
