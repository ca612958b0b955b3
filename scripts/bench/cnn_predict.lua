package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- The convnet of cnn_step on 10,000 samples in batches of 256, and on one sample.
local bench = require "common"

bench.predict("cnn_predict", bench.cnn(), (bench.images(10000, 28, 1)),
  26 * 26 * 9 * 32 + 11 * 11 * 288 * 64 + 3 * 3 * 576 * 64 + 576 * 64 + 640)
