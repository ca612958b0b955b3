--- Data sets in the four idx files of the MNIST family: images uint8 {n, 28, 28}, labels uint8
-- {n}, for training and for testing.
local core = require "cdl.core"
local find = require "cdl.datasets.find"
local signature = require "cdl.signature"

local M = {}

M.files = {
  "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
  "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
}

local function read(set, path, shape)
  local x, message = core.idx_load(path)
  if not x then return core.raise(("%s: %s"):format(set.name, message)) end
  local fits = x.dtype == "uint8" and x.ndim == #shape + 1
  for i, size in ipairs(shape) do fits = fits and x.shape[i + 1] == size end
  if not fits then
    core.raise(("%s: %s: wanted uint8 {n%s}, got %s {%s}"):format(set.name, path,
      #shape > 0 and ", " .. table.concat(shape, ", ") or "", x.dtype, table.concat(x.shape, ", ")))
  end
  return x
end

local function read_pair(set, images_path, labels_path)
  local images, labels = read(set, images_path, { 28, 28 }), read(set, labels_path, {})
  if #images ~= #labels then
    core.raise(("%s: %s has %d images, but %s has %d labels"):format(set.name, images_path, #images,
      labels_path, #labels))
  end
  return images, labels
end

-- The arrays of Keras's mnist.npz.
local function read_npz(set, path)
  local arrays, message = core.npz_load(path)
  if not arrays then return core.raise(("%s: %s"):format(set.name, message)) end
  local x, y, x_test, y_test = arrays.x_train, arrays.y_train, arrays.x_test, arrays.y_test
  if not (x and y and x_test and y_test) or x.ndim ~= 3 or #x ~= #y or #x_test ~= #y_test then
    core.raise(("%s: %s: wanted x_train {n, 28, 28}, y_train {n}, x_test and y_test"):format(set.name, path))
  end
  return x, y, x_test, y_test
end

--- The function `load_data` of a set (see find.lua for its fields).
function M.loader(set, doc)
  return signature.fn("load_data", {}, doc .. " Returns x_train, y_train, x_test, y_test: "
    .. "images uint8 {n, 28, 28}, labels uint8 {n}.", function()
    local paths, form = find.paths(set)
    if form.npz then return read_npz(set, paths[1]) end
    local x_train, y_train = read_pair(set, paths[1], paths[2])
    local x_test, y_test = read_pair(set, paths[3], paths[4])
    return x_train, y_train, x_test, y_test
  end)
end

return M
