--- What TensorBoard's files cost: two scalars each batch, the histogram of a million numbers, and a convnet on
-- sequences of IMDB's shape with histograms of all its weights each epoch.
local cdl = require "cdl"
local core = require "cdl.core"
local bench = dofile(arg[0]:gsub("[^/]*$", "") .. "common.lua")

local layers, folder = cdl.layers, arg[1] or os.tmpname() .. ".logs"
cdl.random.seed(1)

-- Microseconds a batch of a tiny model, with one metric beside its loss, in the quickest epoch.
local function batch_us(callbacks)
  local model = cdl.Sequential { layers.Input { 4 }, layers.Dense(1) }
  model:compile { optimizer = "sgd", loss = "mse", metrics = { "mae" } }
  local x, y = cdl.random.normal { 16000, 4 }, cdl.random.normal { 16000, 1 }
  local clock = bench.epoch_clock()
  table.insert(callbacks, 1, clock)
  model:fit(x, y, { batch_size = 8, epochs = 8, verbose = 0, callbacks = callbacks })
  return 1e6 * select(2, bench.middle(clock.seconds, 2)) / 2000
end

local function scalars_us()
  local without = batch_us {}
  return batch_us { cdl.callbacks.TensorBoard { folder .. "/scalars", update_freq = "batch" } } - without
end

local function histogram_ms()
  local writer <close> = cdl.summary.create_file_writer(folder .. "/histogram")
  local x, times = cdl.random.normal { 1000000 }, {}
  for i = 1, 20 do
    local start = core.clock()
    writer:histogram("x", x, i)
    times[i] = 1e3 * (core.clock() - start)
  end
  return bench.middle(times, 2)
end

-- Seconds of the quickest epoch of the network in scripts/tensorboard_imdb.lua.
local function imdb_s(callbacks)
  local model = cdl.Sequential {
    layers.Input { 500, dtype = "int32" }, layers.Embedding(2000, 128),
    layers.Conv1D { 32, 7, activation = "relu" }, layers.MaxPooling1D(5),
    layers.Conv1D { 32, 7, activation = "relu" }, layers.GlobalMaxPooling1D(),
    layers.Dense { 1, activation = "sigmoid" },
  }
  model:compile { optimizer = "rmsprop", loss = "binary_crossentropy", metrics = { "acc" } }
  local x = cdl.random.randint { shape = { 1024, 500 }, low = 0, high = 2000 }:astype "int32"
  local y = cdl.random.randint { shape = { 1024, 1 }, low = 0, high = 2 }
  local clock = bench.epoch_clock()
  callbacks[#callbacks + 1] = clock
  model:fit(x, y, { batch_size = 128, epochs = 5, verbose = 0, validation_split = 0.25, callbacks = callbacks })
  return select(2, bench.middle(clock.seconds, 2))
end

local plain = imdb_s {}
local watched = imdb_s { cdl.callbacks.TensorBoard { folder .. "/imdb", histogram_freq = 1 } }
bench.emit("tensorboard", "two_scalars_us", scalars_us(), "histogram_ms", histogram_ms(),
  "imdb_epoch_s", watched, "imdb_ratio", watched / plain)
