--- What the benchmarks share: data that can be learnt, the clock, one JSON line.
local cdl = require "cdl"
local core = require "cdl.core"

local M = {}

-- Fills x in slices of rows, so that what is drawn on the way needs little memory beside it.
local SLICE = 256
local function fill(x, make)
  for first = 1, #x, SLICE do
    local last = math.min(first + SLICE - 1, #x)
    x[{ { first, last } }] = make(last - first + 1, first, last)
  end
  return x
end

-- One label in ten is random, so that no model gets all of them right.
local function mislead(y, classes)
  local wrong = cdl.random.uniform { shape = y.shape }:lt(0.1)
  return cdl.where(wrong, cdl.random.randint { shape = y.shape, low = 0, high = classes }, y)
end

--- Noise plus a faint 4x4 pattern that tells the class.
-- @return x float32 {rows, size, size, channels}, y int64 {rows}
function M.images(rows, size, channels)
  local y = cdl.random.randint { shape = { rows }, low = 0, high = 10 }
  local patterns = (cdl.random.normal { shape = { 10, 4, 1, 4, 1, channels } }
    * cdl.ones { 1, 1, size // 4, 1, size // 4, 1 }):reshape { 10, size, size, channels }
  local x = fill(cdl.zeros { rows, size, size, channels }, function(n, first, last)
    return cdl.random.normal { shape = { n, size, size, channels } }
      + 0.25 * patterns:gather(y[{ { first, last } }], 1)
  end)
  return x, mislead(y, 10)
end

--- Random words; the first twenty are more frequent in the positive class.
-- @return x int32 {rows, length}, y float32 {rows, 1}
function M.words(rows, length, vocabulary)
  local y = cdl.random.randint { shape = { rows, 1 }, low = 0, high = 2 }
  local x = fill(cdl.zeros({ rows, length }, "int32"), function(n, first, last)
    local marked = cdl.random.uniform { shape = { n, length } }:lt(0.2 * y[{ { first, last } }])
    return cdl.where(marked, cdl.random.randint { shape = { n, length }, low = 0, high = 20 },
      cdl.random.randint { shape = { n, length }, low = 20, high = vocabulary }):astype "int32"
  end)
  return x, mislead(y, 2):astype "float32"
end

--- Normal noise; the target is three times the mean of the second feature over the last eight steps.
-- @return x float32 {rows, steps, features}, y float32 {rows, 1}
function M.series(rows, steps, features)
  local x = cdl.random.normal { shape = { rows, steps, features } }
  return x, x[{ {}, { -8, -1 }, 2 }]:mean(2, true) * 3
end

--- Multi-hot rows with 1.5 % ones; in the positive class the first fifty are more frequent.
-- @return x float32 {rows, words}, y float32 {rows, 1}
function M.multi_hot(rows, words)
  local y = cdl.random.randint({ shape = { rows, 1 }, low = 0, high = 2 }):astype "float32"
  local frequent = cdl.concat({ cdl.ones { 1, 50 }, cdl.zeros { 1, words - 50 } }, 2)
  local x = fill(cdl.zeros { rows, words }, function(n, first, last)
    local share = 0.015 + 0.05 * y[{ { first, last } }] * frequent
    return cdl.random.uniform { shape = { n, words } }:lt(share):astype "float32"
  end)
  return x, y
end

--- The network of mlp_step, mlp_predict and startup: 784-512-10 with Adam, compiled.
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

--- The network of cnn_step and cnn_predict: three convolutions on 28x28, compiled.
function M.cnn()
  local layers = cdl.layers
  local model = cdl.Sequential {
    layers.Input { 28, 28, 1 },
    layers.Conv2D(32, 3, { activation = "relu" }), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, { activation = "relu" }), layers.MaxPooling2D(2),
    layers.Conv2D(64, 3, { activation = "relu" }), layers.Flatten(),
    layers.Dense { 64, activation = "relu" }, layers.Dense { 10, activation = "softmax" },
  }
  model:compile { optimizer = "rmsprop", loss = "sparse_categorical_crossentropy",
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

--- Milliseconds per step of `fit`. A block is an epoch; the first one is not counted. spec: workload,
-- batch, blocks; first and rest: multiply-adds of a sample's forward pass in the first layer with
-- weights, whose input has no gradient, and in the others; megabytes: what a step cannot help moving
-- through memory, where that and not the arithmetic is the limit.
function M.train(spec, model, x, y)
  local steps = #x // spec.batch
  local clock = M.epoch_clock()
  local history = model:fit(x, y, {
    batch_size = spec.batch, epochs = 1 + spec.blocks, verbose = 0, callbacks = { clock },
  })
  local median, least = M.middle(clock.seconds, 2)
  local loss = history.history.loss
  local gflop = 2e-9 * spec.batch
  M.emit(spec.workload,
    "ms_min", 1000 * least / steps, "ms_median", 1000 * median / steps, "steps", spec.blocks * steps,
    "gflops", 3 * (spec.first + spec.rest) * gflop * steps / least,
    "needed_gflop", (2 * spec.first + 3 * spec.rest) * gflop, "needed_mb", spec.megabytes or 0,
    "data_mb", (M.megabytes(x) + M.megabytes(y)),
    "allocations_per_epoch", clock.allocations[#clock.allocations], "losses", { loss[1], loss[#loss] })
end

function M.megabytes(x)
  local bytes = { float64 = 8, int64 = 8, uint8 = 1, bool = 1 }
  return x.size * (bytes[x.dtype] or 4) / 1e6
end

--- Samples per second of `predict` in batches of 256, and microseconds of `predict_on_batch` with one
-- sample. macs: multiply-adds of a sample.
function M.predict(workload, model, x, macs)
  local one, many, blocks, repeats = x[{ { 1, 1 } }], {}, 10, 200
  local ones = {}
  for block = 0, blocks do -- the first one warms up
    local start = core.clock()
    model:predict(x, { batch_size = 256, verbose = 0 })
    many[block] = (core.clock() - start) / #x
    start = core.clock()
    for _ = 1, repeats do model:predict_on_batch(one) end
    ones[block] = 1e6 * (core.clock() - start) / repeats
  end
  local median, least = M.middle(many)
  local one_median, one_least = M.middle(ones)
  M.emit(workload, "samples_per_s_best", 1 / least, "samples_per_s_median", 1 / median,
    "sample_us_min", 1e6 * least, "sample_us", 1e6 * median, "one_us_min", one_least,
    "one_us_median", one_median, "needed_gflop", 2e-9 * macs, "data_mb", M.megabytes(x))
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
