package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- Microseconds per batch of the smallest model (Dense 4 -> 1, batches of 8, SGD), and what
-- callbacks add whose on_train_batch_begin and on_train_batch_end are empty.
local cdl = require "cdl"
local bench = require "common"

local batches, rounds = 20000, 7
local model = cdl.Sequential { cdl.layers.Input { 4 }, cdl.layers.Dense(1) }
model:compile { optimizer = "sgd", loss = "mse", metrics = { "mae" } }
local x = cdl.random.normal { shape = { batches * 8, 4 } }
local y = x:sum { axis = 2, keepdims = true }

local function microseconds(hooks, count)
  local clock = bench.epoch_clock()
  local callbacks = { clock }
  for _ = 1, count do
    local callback = {}
    for _, name in ipairs(hooks) do callback[name] = function() end end
    callbacks[#callbacks + 1] = callback
  end
  model:fit(x, y, { batch_size = 8, verbose = 0, callbacks = callbacks })
  return 1e6 * clock.seconds[1] / batches
end

local both = { "on_train_batch_begin", "on_train_batch_end" }
local cases = {
  none = function() return microseconds({}, 0) end,
  ends = function() return microseconds({ "on_train_batch_end" }, 1) end,
  one = function() return microseconds(both, 1) end,
  ten = function() return microseconds(both, 10) end,
}
local times = {}
for round = 0, rounds do -- the first one warms up
  for name, run in pairs(cases) do
    times[name] = times[name] or {}
    times[name][round] = run()
  end
end
local none, least = bench.middle(times.none)
local ends, one = bench.middle(times.ends), bench.middle(times.one)
local ten = bench.middle(times.ten)
bench.emit("callbacks",
  "batch_us", none, "batch_us_min", least, "empty_batch_end_us", ends - none,
  "first_callback_us", one - none, "each_further_us", (ten - one) / 9)
