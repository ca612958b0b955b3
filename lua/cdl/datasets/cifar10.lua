--- CIFAR-10: 60,000 colour pictures of 32 x 32 pixels in ten classes (Krizhevsky, "Learning multiple
-- layers of features from tiny images", 2009).
local core = require "cdl.core"
local find = require "cdl.datasets.find"
local ops = require "cdl.ops"
local signature = require "cdl.signature"

local M = {}

local PIXELS = 3 * 32 * 32

local function fail(path, format, ...)
  return core.raise(("cifar10: %s: %s"):format(path, format:format(...)))
end

-- Planes of colours, as the files have them, to pixels {n, 32, 32, 3}.
local function to_pixels(planes)
  return ops.transpose(ops.reshape(planes, { -1, 3, 32, 32 }), { 1, 3, 4, 2 })
end

local function check_labels(path, labels, n)
  if #labels ~= n then fail(path, "%d pictures, but %d labels", n, #labels) end
  for i, label in ipairs(labels) do
    if math.type(label) ~= "integer" or label < 0 or label > 9 then
      fail(path, "label %d is %s; labels are 0 to 9", i, tostring(label))
    end
  end
  return ops.reshape(core.tensor(labels, "uint8"), { n, 1 })
end

-- A file of Python's: a dict with the pictures {n, 3072} and a list of labels.
local function read_python(path)
  local batch, message = core.pickle_load(path)
  if batch == nil then return core.raise("cifar10: " .. message) end
  local data = type(batch) == "table" and batch.data
  local labels = type(batch) == "table" and batch.labels
  if type(data) ~= "table" or type(data.data) ~= "string" or type(labels) ~= "table" then
    fail(path, "wanted a dict with the arrays 'data' and 'labels'")
  end
  if data.dtype ~= "u1" or data.fortran or #data.data % PIXELS ~= 0 or #data.data == 0 then
    fail(path, "'data' is not bytes {n, %d}", PIXELS)
  end
  local n = #data.data // PIXELS
  return to_pixels(core.bytes_tensor(data.data)), check_labels(path, labels, n)
end

-- The binary form: for each picture a byte with the label, then the planes.
local function read_binary(path)
  local file, message = io.open(path, "rb")
  if not file then return core.raise("cifar10: " .. message) end
  local bytes = file:read "a"
  file:close()
  if #bytes == 0 or #bytes % (PIXELS + 1) ~= 0 then
    fail(path, "%d bytes are no whole number of pictures of %d", #bytes, PIXELS + 1)
  end
  local rows = ops.reshape(core.bytes_tensor(bytes), { -1, PIXELS + 1 })
  local planes = ops.contiguous(rows[{ {}, { 2, PIXELS + 1 } }])
  return to_pixels(planes), check_labels(path, ops.contiguous(rows[{ {}, 1 }]):totable(), #rows)
end

local function files_of(suffix)
  local files = {}
  for i = 1, 5 do files[i] = ("data_batch_%d%s"):format(i, suffix) end
  files[6] = "test_batch" .. suffix
  return files
end

local set = {
  name = "cifar10",
  folders = { "cifar10", "cifar-10-batches-py", "cifar-10-batches-bin",
    "cifar-10-batches-py-target/cifar-10-batches-py" },
  flat = function() return true end,
  forms = { { files = files_of "", read = read_python }, { files = files_of ".bin", read = read_binary } },
  get = "https://www.cs.toronto.edu/~kriz/cifar.html has cifar-10-python.tar.gz and cifar-10-binary.tar.gz; unpack one",
}

M.class_names = { "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck" }

M.load_data = signature.fn("load_data", {},
  "50,000 + 10,000 small colour pictures: x_train, y_train, x_test, y_test; images uint8 {n, 32, 32, 3}, labels "
  .. "uint8 {n, 1}.", function()
    local paths, form = find.paths(set)
    local x, y = {}, {}
    for i, path in ipairs(paths) do x[i], y[i] = form.read(path) end
    return ops.concat({ table.unpack(x, 1, 5) }, 1), ops.concat({ table.unpack(y, 1, 5) }, 1),
      ops.contiguous(x[6]), y[6]
  end)

return M
