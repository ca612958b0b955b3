package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- One batch of 784-512-10 through `fit`. Whoever started the program takes the time until the
-- line arrives.
local bench = require "common"

local x, y = bench.images(128, 28, 1)
bench.mlp():fit(x:reshape { -1, 784 }, y, { batch_size = 128, verbose = 0 })
bench.emit("startup")
