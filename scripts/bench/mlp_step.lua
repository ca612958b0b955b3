package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- Milliseconds per step of `fit`: 784-512-10, Adam, batches of 128. An epoch is a block of 400
-- steps; the first one is not counted. Also: allocations of the engine per step.
local bench = require "common"

local steps, blocks = 400, 5
local x, y = bench.images(128 * steps)
local clock = bench.epoch_clock()
local history = bench.mlp():fit(x, y, {
  batch_size = 128, epochs = 1 + blocks, verbose = 0, callbacks = { clock },
})
local median, least = bench.middle(clock.seconds, 2)
local loss = history.history.loss
bench.emit("mlp_step",
  "ms_min", 1000 * least / steps, "ms_median", 1000 * median / steps, "steps", blocks * steps,
  "allocations_per_epoch", clock.allocations[#clock.allocations],
  "losses", { loss[1], loss[#loss] })
