--- Images in and names of classes out, for the networks of cdl.applications.
local core = require "cdl.core"
local find = require "cdl.datasets.find"
local ops = require "cdl.ops"
local signature = require "cdl.signature"

local M = {}

M.images_row = { "x", "operand", required = true,
  doc = "images with values from 0 to 255: {height, width, 3} or {batch, height, width, 3}" }

local MODES = {
  caffe = "RGB becomes BGR, and the mean colour of ImageNet is taken off; no scaling.",
  tf = "Values are scaled to -1 .. 1.",
  torch = "Values are scaled to 0 .. 1, then each channel is normalised by ImageNet's mean and deviation.",
}
local KEPT = "The images as they are: the network has its own rescaling."

--- What a mode does to images, in words.
function M.mode_doc(mode) return MODES[mode] or KEPT end

--- Images as a network of this mode was trained on; without a mode as they are.
function M.convert(x, mode)
  if not mode then return x end
  if type(x) == "number" or type(x) == "boolean" then x = core.tensor(x) end
  if x.dtype ~= "float32" and x.dtype ~= "float64" then x = ops.astype(x, "float32") end
  if mode == "tf" then return x / 127.5 - 1 end
  if x.shape[#x.shape] ~= 3 then
    core.raise(("preprocess_input: the last axis must hold the 3 colours, got shape {%s}"):format(
      table.concat(x.shape, ", ")))
  end
  if mode == "caffe" then
    return ops.flip(x, -1) - core.tensor { 103.939, 116.779, 123.68 }
  end
  return (x / 255 - core.tensor { 0.485, 0.456, 0.406 }) / core.tensor { 0.229, 0.224, 0.225 }
end

M.preprocess_input = signature.fn("preprocess_input", { M.images_row,
  { "mode", { "caffe", "tf", "torch" }, "caffe", doc = "what the network was trained with" },
}, "Images as networks are trained on. caffe: " .. MODES.caffe .. " tf: " .. MODES.tf .. " torch: " .. MODES.torch,
  M.convert)

-- Keras keeps what it has fetched in its own folder; these files are looked for there, too.
local function keras_folder()
  local own, home = os.getenv "KERAS_HOME", os.getenv "HOME"
  if own and own ~= "" then return own .. "/models" end
  return home and home ~= "" and home .. "/.keras/models" or nil
end

local function find_file(name, what, file, get)
  return find.paths({ name = name, what = what, forms = { { files = { file } } }, folders = { "imagenet", "models" },
    elsewhere = { keras_folder() }, flat = function() return true end, get = get })[1]
end

--- The path of Keras's file of weights trained on ImageNet; raises when it is not on this machine.
function M.find_weights(what, weights)
  return find_file(what, "the weights are", weights.file, weights.url)
end

local CLASSES = "https://storage.googleapis.com/download.tensorflow.org/data/imagenet_class_index.json"

local classes = {} -- by path: {id, name} by number from 0

local function read_classes(path)
  if classes[path] then return classes[path] end
  local file <close>, message = io.open(path, "rb")
  if not file then core.raise("decode_predictions: " .. message) end
  local rows
  rows, message = core.json_decode(file:read "a")
  if type(rows) ~= "table" then
    core.raise(("decode_predictions: %s: %s"):format(path, message or "is no JSON object"))
  end
  local list = {}
  for k = 0, 999 do
    local entry = rows[tostring(k)]
    if type(entry) ~= "table" or type(entry[1]) ~= "string" or type(entry[2]) ~= "string" then
      core.raise(("decode_predictions: %s: class \"%d\" is not a list of id and name"):format(path, k))
    end
    list[k] = entry
  end
  classes[path] = list
  return list
end

M.decode_predictions = signature.fn("decode_predictions", {
  { "preds", "tensor", required = true, doc = "what a network with 1000 classes gives: {batch, 1000}" },
  { "top", "integer", 5, min = 1, max = 1000, doc = "how many classes of each image" },
  { "class_index", "string", doc = "the file imagenet_class_index.json; looked for like a data set if left out" },
}, "The likeliest classes of each image: a list per image of {id, name, score}, the best first.",
  function(preds, top, class_index)
    if #preds.shape ~= 2 or preds.shape[2] ~= 1000 then
      core.raise(("decode_predictions: wanted predictions {batch, 1000}, got shape {%s}"):format(
        table.concat(preds.shape, ", ")))
    end
    local names = read_classes(class_index or find_file("decode_predictions", "the names of the classes are",
      "imagenet_class_index.json", CLASSES))
    local scores, places = ops.topk(preds, top)
    scores, places = scores:totable(), places:totable()
    local results = {}
    for i, row in ipairs(places) do
      results[i] = {}
      for k, class in ipairs(row) do results[i][k] = { names[class][1], names[class][2], scores[i][k] } end
    end
    return results
  end)

return M
