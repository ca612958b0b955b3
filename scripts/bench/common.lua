--- What the benchmarks share: data that can be learnt, the clock, one JSON line.
local cdl = require "cdl"
local core = require "cdl.core"

local M = {}

--- Noise plus a faint 4x4 pattern that tells the class; one label in ten is random.
-- @return x float32 {rows, 784}, y int64 {rows}
function M.images(rows)
  local y = cdl.random.randint { shape = { rows }, low = 0, high = 10 }
  local patterns = cdl.random.normal { shape = { 10, 4, 1, 4, 1 } }
    * cdl.ones { 1, 1, 7, 1, 7 }
  local x = cdl.random.normal { shape = { rows, 784 } }
    + 0.25 * patterns:reshape { 10, 784 }:gather(y, 1)
  local wrong = cdl.random.uniform { shape = { rows } }:lt(0.1)
  return x, cdl.where(wrong, cdl.random.randint { shape = { rows }, low = 0, high = 10 }, y)
end

--- The network of mlp_step and startup: 784-512-10 with Adam, compiled.
function M.mlp()
  local model = cdl.Sequential {
    cdl.layers.Input { 784 },
    cdl.layers.Dense { 512, activation = "relu" },
    cdl.layers.Dense { 10, activation = "softmax" },
  }
  model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy",
    metrics = { "accuracy" } }
  return model
end

--- A callback that keeps the seconds of each epoch and the allocations of the engine in it.
function M.epoch_clock()
  local clock = { seconds = {}, allocations = {} }
  function clock:on_epoch_begin()
    self.allocated = select(3, core.memory())
    self.started = core.clock()
  end
  function clock:on_epoch_end(epoch)
    self.seconds[epoch] = core.clock() - self.started
    self.allocations[epoch] = select(3, core.memory()) - self.allocated
  end
  return clock
end

--- The middle and the smallest of numbers, from the first-th on.
function M.middle(numbers, first)
  local sorted = table.move(numbers, first or 1, #numbers, 1, {})
  table.sort(sorted)
  local half = #sorted // 2
  local median = #sorted % 2 == 1 and sorted[half + 1] or (sorted[half] + sorted[half + 1]) / 2
  return median, sorted[1]
end

--- Prints a record as one JSON line: name and value in turn; numbers, strings or lists.
function M.emit(workload, ...)
  local fields = { ('"workload": "%s", "peer": "cdl"'):format(workload) }
  for i = 1, select("#", ...), 2 do
    local name, value = select(i, ...)
    local text
    if type(value) == "table" then text = "[" .. table.concat(value, ", ") .. "]"
    elseif type(value) == "string" then text = ("%q"):format(value)
    else text = ("%.6g"):format(value) end
    fields[#fields + 1] = ('"%s": %s'):format(name, text)
  end
  print("{" .. table.concat(fields, ", ") .. "}")
  io.stdout:flush()
end

return M
