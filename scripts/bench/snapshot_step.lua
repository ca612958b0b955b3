package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- What a snapshot of the run every 100 batches adds to a step of mlp_step: epochs with and without in
-- turn, a fit each, of which the second epoch counts.
local cdl = require "cdl"
local bench = require "common"

local batch, batches, rounds, every = 128, 400, 9, 100
local x, y = bench.images(batch * batches, 28, 1)
x = x:reshape { -1, 784 }
local model = bench.mlp()
local folder = os.tmpname()
os.remove(folder)

local function milliseconds(keeper)
  local clock = bench.epoch_clock()
  model:fit(x, y, { batch_size = batch, epochs = 2, verbose = 0, callbacks = { clock, keeper } })
  return 1000 * clock.seconds[2] / batches
end

milliseconds(false)
local without, with = {}, {}
for round = 1, rounds do
  without[round] = milliseconds(false)
  with[round] = milliseconds(cdl.callbacks.BackupAndRestore(folder, { save_freq = every }))
end
local median, least = bench.middle(without)
local median_with, least_with = bench.middle(with)
bench.emit("snapshot_step", "ms_median", median, "ms_min", least, "with_ms_median", median_with,
  "with_ms_min", least_with, "added_percent", 100 * (median_with / median - 1), "every", every)
