--- Boston housing: 506 districts of the 1970s, 13 numbers about each, and the median price of a
-- house in 1000 dollars (Harrison and Rubinfeld, 1978), as Keras hands them out.
local core = require "cdl.core"
local find = require "cdl.datasets.find"
local ops = require "cdl.ops"
local order = require "cdl.datasets.order"
local signature = require "cdl.signature"

local M = {}

local function check(path, value, message)
  if value == nil then return core.raise("boston_housing: " .. message) end
  return value
end

local function check_shapes(path, x, y)
  if not (x and y) or x.ndim ~= 2 or x.shape[2] ~= 13 or #y ~= #x or y.size ~= #x then
    core.raise(("boston_housing: %s: wanted x {n, 13} and y {n}"):format(path))
  end
  return ops.astype(x, "float32"), ops.astype(ops.reshape(y, { #x }), "float32")
end

-- Each form gives x and y in the order of the original table.
local readers = {}

function readers.keras(path)
  local arrays = check(path, core.npz_load(path))
  return check_shapes(path, arrays.x, arrays.y)
end

-- What Keras gives for its default arguments, both parts one after the other.
function readers.split(path)
  local arrays = check(path, core.npz_load(path))
  if not (arrays.x_train and arrays.x_test and arrays.y_train and arrays.y_test) then
    core.raise(("boston_housing: %s: wanted x_train, y_train, x_test and y_test"):format(path))
  end
  local x, y = check_shapes(path, ops.concat({ arrays.x_train, arrays.x_test }, 1),
    ops.concat({ arrays.y_train, arrays.y_test }, 1))
  local places = core.tensor(order.inverse(order.shuffled(order.generator(113), #x)), "int64")
  return ops.gather(x, places), ops.gather(y, places)
end

function readers.table(path)
  local all = check(path, core.csv_load(path, " ", false, 0, true, nil, "float32"))
  return check_shapes(path, all[{ {}, { 1, 13 } }], all[{ {}, { 14, 14 } }])
end

M.load_data = signature.fn("load_data", {
  { "path", "string", "boston_housing.npz", doc = "name of the file" },
  { "test_split", "number", 0.2, min = 0, below = 1, doc = "the part of the districts that is for testing" },
  { "seed", "integer", 113, min = 0, max = 0xffffffff, doc = "decides the order, which is that of Keras" },
}, "404 + 102 districts and the prices there: x_train, y_train, x_test, y_test; x float32 {n, 13}, y float32 {n}.",
  function(path, test_split, seed)
    local paths, form = find.paths { name = "boston_housing", folders = { "boston_housing" },
      flat = function() return true end,
      get = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/ has boston_housing.npz",
      forms = { { files = { path }, read = readers.keras },
        { files = { "boston_housing_split.npz" }, read = readers.split },
        { files = { "housing.data" }, read = readers.table } } }
    local x, y = form.read(paths[1])
    local places = core.tensor(order.shuffled(order.generator(seed), #x), "int64")
    x, y = ops.gather(x, places), ops.gather(y, places)
    local count = math.floor(#x * (1 - test_split))
    local x_train, x_test = order.divide(x, count)
    local y_train, y_test = order.divide(y, count)
    return x_train, y_train, x_test, y_test
  end)

return M
