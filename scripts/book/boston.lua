package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 3.7: the prices of houses in Boston; so few districts that four folds take turns at validation.
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local x, y, x_test, y_test = book.data(cdl.datasets.boston_housing.load_data, function()
  local x = cdl.random.normal { shape = { 40, 13 } }
  return x, x:sum(2), x, x:sum(2)
end)
local mean, deviation = x:mean(1), x:std(1)
x, x_test = (x - mean) / deviation, (x_test - mean) / deviation

local function build()
  local model = cdl.Sequential {
    layers.Dense { 64, activation = "relu", input_shape = { 13 } },
    layers.Dense { 64, activation = "relu" },
    layers.Dense(1),
  }
  model:compile { optimizer = "rmsprop", loss = "mse", metrics = { "mae" } }
  return model
end

local folds, sum = 4, 0
local size = #x // folds
for fold = 1, folds do
  local first, last, places = (fold - 1) * size + 1, fold * size, {}
  for row = 1, #x do
    if row < first or row > last then places[#places + 1] = row - 1 end
  end
  local function others(t) return t:gather(cdl.tensor(places, "int64"), 1) end
  local model = build()
  model:fit(others(x), others(y), { epochs = book.size(100, 2), batch_size = 1, verbose = 0 })
  local _, error_here = model:evaluate(x[{ { first, last } }], y[{ { first, last } }], { verbose = 0 })
  print(("fold %d: mean absolute error %.3f"):format(fold, error_here))
  sum = sum + error_here
end
book.report("mean of the folds' errors", sum / folds, "the book: 3.0")

local model = build()
model:fit(x, y, { epochs = book.size(80, 2), batch_size = 16, verbose = 0 })
local _, test_error = model:evaluate(x_test, y_test, { verbose = 0 })
book.report("test error", test_error, "the book: 2.55")
