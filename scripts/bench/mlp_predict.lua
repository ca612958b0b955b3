package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 784-512-10 on 10,000 samples in batches of 256, and on one sample.
local bench = require "common"

local x = bench.images(10000, 28, 1)
bench.predict("mlp_predict", bench.mlp(), x:reshape { -1, 784 }, 784 * 512 + 512 * 10)
