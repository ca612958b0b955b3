--- What all networks of cdl.applications share: their arguments, input, head and weights.
--
--     return network.module("vgg16", {
--       name = "VGG16", size = 224, min_size = 32, mode = "caffe", doc = ..., weights = function(args) ... end,
--       body = function(x, args) ... return x end,             -- all layers before the head
--     })
--
-- Besides: head(x, args, classify) for a head of its own; pools, the names of the pooling layers of a
-- headless network; dropout, a rate before the classifier; model_name(args); rows, the arguments in
-- another order.
local activations = require "cdl.activations"
local core = require "cdl.core"
local imagenet_utils = require "cdl.applications.imagenet_utils"
local input = require "cdl.input"
local layers = require "cdl.layers"
local models = require "cdl.models"
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"
local words = require "cdl.words"

local M = {}

M.rows = {
  include_top = { "include_top", "boolean", true, doc = "whether the classifier is at the end" },
  weights = { "weights", "string", doc = "a file of weights, or \"imagenet\": Keras's file, where it is on this "
    .. "machine; random ones if left out" },
  input_tensor = { "input_tensor", "tensor", doc = "a symbolic tensor of images, instead of an input" },
  input_shape = { "input_shape", "shape", doc = "sizes of an image {height, width, channels}" },
  pooling = { "pooling", { "avg", "max" }, doc = "of the places, without classifier; none if left out" },
  classes = { "classes", "integer", 1000, min = 1, doc = "of the classifier" },
  classifier_activation = { "classifier_activation", "any", "softmax", null = true,
    doc = "of the classifier; cdl.null: none" },
  name = { "name", "string", doc = "of the model" },
}

local ORDER = { "include_top", "weights", "input_tensor", "input_shape", "pooling", "classes",
  "classifier_activation", "name" }

local shape_text = words.braces

-- The shape of the input: what was given, when the network can take it; else its own.
local function input_shape(spec, args)
  local own = { spec.size, spec.size, 3 }
  local shape = args.input_shape
  if not shape then return args.include_top and own or { -1, -1, 3 } end
  if #shape ~= 3 then
    core.raise(("%s: input_shape must be {height, width, channels}, got %s"):format(spec.name, shape_text(shape)))
  end
  for k = 1, 2 do
    if shape[k] >= 0 and shape[k] < spec.min_size then
      core.raise(("%s: images must be at least %d x %d, got input_shape %s"):format(spec.name, spec.min_size,
        spec.min_size, shape_text(shape)))
    end
    if args.include_top and shape[k] < 0 then
      core.raise(("%s: with include_top the sizes of input_shape must be known, got %s"):format(spec.name,
        shape_text(shape)))
    end
  end
  if args.weights == "imagenet" and shape[3] ~= 3 then
    core.raise(("%s: the weights of imagenet are for 3 channels, got input_shape %s"):format(spec.name,
      shape_text(shape)))
  end
  if shape[3] ~= 1 and shape[3] ~= 3 then
    core.warn(("%s usually takes images of 1 or 3 channels, got input_shape %s"):format(spec.name, shape_text(shape)))
  end
  return shape
end

-- Finds the inputs from which a symbol is made.
local function sources(x, found, seen)
  if seen[x] then return end
  seen[x] = true
  local before = symbol.inputs_of(x)
  if #before == 0 then found[#found + 1] = x end
  for _, from in ipairs(before) do sources(from, found, seen) end
end

local function check_weights(spec, args)
  if not args.weights then return end
  local name = activations.name_of(activations.get(args.classifier_activation))
  if args.include_top and name ~= "softmax" and name ~= "linear" then
    core.raise(("%s: with given weights classifier_activation is \"softmax\" or cdl.null, got %s"):format(spec.name,
      words.describe(args.classifier_activation)))
  end
  if args.weights == "imagenet" and args.include_top and args.classes ~= 1000 then
    core.raise(("%s: the weights of imagenet are for 1000 classes, got classes = %d"):format(spec.name, args.classes))
  end
end

local function add_head(spec, args, x)
  local function classify(y)
    return layers.Dense { args.classes, activation = args.classifier_activation, name = "predictions",
      kernel_initializer = spec.classifier_initializer }(y)
  end
  local pools = spec.pools or {}
  if args.include_top then
    if spec.head then return spec.head(x, classify) end
    x = layers.GlobalAveragePooling2D { name = spec.head_pool }(x)
    if spec.dropout then x = layers.Dropout { spec.dropout, name = "top_dropout" }(x) end
    return classify(x)
  end
  if args.pooling == "avg" then return layers.GlobalAveragePooling2D { name = pools.avg }(x) end
  if args.pooling == "max" then return layers.GlobalMaxPooling2D { name = pools.max }(x) end
  return x
end

local function build(spec, args)
  check_weights(spec, args)
  local x, inputs = args.input_tensor, {}
  if x then
    if not symbol.is(x) or #x.shape ~= 4 then
      core.raise(("%s: input_tensor must be a symbolic tensor {batch, height, width, channels}, got %s"):format(
        spec.name, words.describe(x)))
    end
    sources(x, inputs, {})
  else
    x = input.Input { shape = input_shape(spec, args) }
    inputs[1] = x
  end
  local first = x
  local model = models.Model {
    inputs = #inputs == 1 and inputs[1] or inputs,
    outputs = add_head(spec, args, spec.body(x, args)),
    name = args.name or spec.model_name(args, first.shape),
  }
  if args.weights == "imagenet" then
    model:load_weights(imagenet_utils.find_weights(spec.name, spec.weights(args, first.shape)))
  elseif args.weights then
    model:load_weights(args.weights)
  end
  return model
end

--- Padding {before, after} of both axes, so that a strided convolution over what is padded gives what
-- TensorFlow's "same" does.
function M.correct_pad(x, kernel)
  local half, padding = kernel // 2, {}
  for k = 1, 2 do
    local size = x.shape[k + 1]
    local adjust = (size < 0 or size % 2 == 0) and 1 or 0
    padding[k] = { half - adjust, half }
  end
  return padding
end

--- A module with the network's constructor, and preprocess_input and decode_predictions for it.
function M.module(model_name, spec)
  spec.model_name = spec.model_name or function() return model_name end
  local rows, names = {}, spec.order or ORDER
  for i, name in ipairs(names) do rows[i] = spec.rows and spec.rows[name] or M.rows[name] end
  local construct = signature.fn(spec.name, rows, spec.doc, function(...)
    local args = {}
    for i, name in ipairs(names) do args[name] = (select(i, ...)) end
    return build(spec, args)
  end)
  local preprocess = signature.fn("preprocess_input", { imagenet_utils.images_row },
    imagenet_utils.mode_doc(spec.mode), function(x) return imagenet_utils.convert(x, spec.mode) end)
  return { [spec.name] = construct, preprocess_input = preprocess,
    decode_predictions = imagenet_utils.decode_predictions }
end

return M
