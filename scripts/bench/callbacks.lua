package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- Microseconds per batch of the smallest model (Dense 4 -> 1, batches of 8, SGD), what callbacks in Lua
-- add to it, and what the same model costs with a layer and a loss written in Lua.
local cdl = require "cdl"
local bench = require "common"

local batches, rounds = 20000, 7
local x = cdl.random.normal { shape = { batches * 8, 4 } }
local y = x:sum { axis = 2, keepdims = true }

local function compiled(layer, loss)
  local model = cdl.Sequential { cdl.layers.Input { 4 }, layer }
  model:compile { optimizer = "sgd", loss = loss, metrics = { "mae" } }
  return model
end

local Linear = cdl.Layer:extend "Linear"
function Linear:build(input_shape)
  self.kernel = self:add_weight { name = "kernel", shape = { input_shape[2], 1 } }
  self.bias = self:add_weight { name = "bias", shape = { 1 }, initializer = "zeros" }
end
function Linear:call(inputs) return cdl.ops.dense(inputs, self.kernel, self.bias) end

local built_in = compiled(cdl.layers.Dense(1), "mse")
local in_lua = compiled(Linear(), function(y_true, y_pred) return (y_true - y_pred):square():mean(-1) end)

local function microseconds(model, callbacks, verbose)
  local clock = bench.epoch_clock()
  table.insert(callbacks, 1, clock)
  model:fit(x, y, { batch_size = 8, verbose = verbose or 0, callbacks = callbacks })
  return 1e6 * clock.seconds[1] / batches
end

local function empty(self, batch, logs) end

local function several(count, hooks)
  local list = {}
  for i = 1, count do
    list[i] = {}
    for _, name in ipairs(hooks) do list[i][name] = empty end
  end
  return list
end

local both = { "on_train_batch_begin", "on_train_batch_end" }
local cases = {
  none = function() return microseconds(built_in, {}) end,
  ends = function() return microseconds(built_in, several(1, { "on_train_batch_end" })) end,
  one = function() return microseconds(built_in, several(1, both)) end,
  ten = function() return microseconds(built_in, several(10, both)) end,
  reads = function()
    local sum = 0
    return microseconds(built_in, { { on_train_batch_end = function(_, _, logs) sum = sum + logs.loss end } })
  end,
  bar = function() return microseconds(built_in, {}, 1) end,
  lua = function() return microseconds(in_lua, {}) end,
}
local times = {}
for round = 0, rounds do -- the first one warms up
  for name, run in pairs(cases) do
    times[name] = times[name] or {}
    times[name][round] = run()
  end
end
local none, least = bench.middle(times.none)
local function added(name) return bench.middle(times[name]) - none end
bench.emit("callbacks",
  "batch_us", none, "batch_us_min", least, "empty_batch_end_us", added "ends", "first_callback_us", added "one",
  "ten_callbacks_us", added "ten", "each_further_us", (added "ten" - added "one") / 9, "reads_loss_us", added "reads",
  "progress_bar_us", added "bar", "layer_and_loss_in_lua_us", added "lua")
