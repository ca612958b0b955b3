package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 6.3: the temperature a day ahead, from the weather of the last five days: a GRU against common sense,
-- which says that tomorrow at this time it will be as warm as now. Hourly weather of Beijing, 2010 to 2014
-- (the file beijing_pollution_hourly.csv in $CDL_DATA); the book has the weather of Jena.
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local lookback, delay = book.size(120, 12), 24

local function read_file()
  local path = (os.getenv "CDL_DATA" or ".") .. "/beijing_pollution_hourly.csv"
  local file = io.open(path)
  if not file then
    error("the weather is missing: put beijing_pollution_hourly.csv (https://archive.ics.uci.edu/dataset/381) into "
      .. "the folder that CDL_DATA names", 0)
  end
  file:close()
  return (cdl.io.read_csv(path, { columns = { "TEMP", "DEWP", "PRES", "Iws", "hour" } }))
end

-- Warm and cold days in waves.
local function make_up()
  local hour = cdl.arange(0, 599)
  local wave = (hour * (2 * math.pi / 24)):sin() + (hour / 40):sin()
  return cdl.stack({ wave * 5, wave, wave, wave, hour % 24 }, 2)
end
local weather = book.data(read_file, make_up)

-- The time of day as a place on a circle; everything scaled by what the training part is like.
local angle = weather[{ {}, { 5, 5 } }] * (2 * math.pi / 24)
local x = cdl.concat({ weather[{ {}, { 1, 4 } }], angle:sin(), angle:cos() }, 2)
local hours = #x
local train_end, validation_end = math.floor(hours * 0.6), math.floor(hours * 0.8)
local training = x[{ { 1, train_end } }]
local mean, deviation = training:mean(1), training:std(1)
x = (x - mean) / deviation

-- Windows that begin in rows first + 1 .. last, and the temperature `delay` hours after their end.
local function windows(first, last, shuffle)
  local part = x[{ { first + 1, last } }]
  local targets = part[{ { lookback + delay, -1 }, 1 }]
  return cdl.utils.timeseries_windows(part, targets, { sequence_length = lookback, batch_size = 128, shuffle = shuffle,
    sequence_stride = shuffle and book.size(3, 2) or 1 }), targets
end
local train = windows(0, train_end, true)
local validation = windows(train_end, validation_end)

-- The error of common sense over the same hours, in degrees.
local degrees = deviation[1]
local held = x[{ { train_end + 1, validation_end }, 1 }]
local naive = (held[{ { delay + lookback, -1 } }] - held[{ { lookback, #held - delay } }]):abs():mean():item() * degrees

local model = cdl.Sequential { layers.GRU(32, { input_shape = { lookback, 6 } }), layers.Dense(1) }
model:compile { optimizer = cdl.optimizers.RMSprop(), loss = "mae" }
local history = model:fit(train, { epochs = book.size(10, 1), validation_data = validation, verbose = 2 })
local best = history:best "val_loss" * degrees

book.report("error of common sense in degrees", naive, "the book: 2.57")
book.report("error of the network in degrees", best, "the book: 2.35")
