--- MobileNetV2: inverted residual blocks (Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted
-- Residuals and Linear Bottlenecks", 2018).
local core = require "cdl.core"
local layers = require "cdl.layers"
local network = require "cdl.applications.network"

local function normalize(x, name)
  return layers.BatchNormalization { epsilon = 1e-3, momentum = 0.999, name = name }(x)
end

local function relu6(x, name) return layers.ReLU { 6, name = name }(x) end

-- The multiple of 8 nearest to a number of filters, not more than a tenth below it.
local function divisible(filters)
  local rounded = math.max(8, (filters + 4) // 8 * 8)
  if rounded < 0.9 * filters then rounded = rounded + 8 end
  return math.tointeger(rounded)
end

local function block(x, filters, stride, number)
  local before, channels = x, x.shape[4]
  local prefix = number == 0 and "expanded_conv_" or ("block_%d_"):format(number)
  if number > 0 then
    x = layers.Conv2D { 6 * channels, 1, padding = "same", use_bias = false, name = prefix .. "expand" }(x)
    x = relu6(normalize(x, prefix .. "expand_BN"), prefix .. "expand_relu")
  end
  if stride == 2 then
    x = layers.ZeroPadding2D { network.correct_pad(x, 3), name = prefix .. "pad" }(x)
  end
  x = layers.DepthwiseConv2D { 3, strides = stride, use_bias = false, padding = stride == 1 and "same" or "valid",
    name = prefix .. "depthwise" }(x)
  x = relu6(normalize(x, prefix .. "depthwise_BN"), prefix .. "depthwise_relu")
  x = layers.Conv2D { filters, 1, padding = "same", use_bias = false, name = prefix .. "project" }(x)
  x = normalize(x, prefix .. "project_BN")
  if channels == filters and stride == 1 then return layers.Add { name = prefix .. "add" } { before, x } end
  return x
end

-- Filters and stride of the blocks.
local BLOCKS = {
  { 16, 1 }, { 24, 2 }, { 24, 1 }, { 32, 2 }, { 32, 1 }, { 32, 1 }, { 64, 2 }, { 64, 1 }, { 64, 1 }, { 64, 1 },
  { 96, 1 }, { 96, 1 }, { 96, 1 }, { 160, 2 }, { 160, 1 }, { 160, 1 }, { 320, 1 },
}

local function body(x, args)
  local alpha = args.alpha
  x = layers.Conv2D { divisible(32 * alpha), 3, strides = 2, padding = "same", use_bias = false, name = "Conv1" }(x)
  x = relu6(normalize(x, "bn_Conv1"), "Conv1_relu")
  for i, row in ipairs(BLOCKS) do
    x = block(x, divisible(math.floor(row[1] * alpha)), row[2], i - 1)
  end
  x = layers.Conv2D { alpha > 1 and divisible(1280 * alpha) or 1280, 1, use_bias = false, name = "Conv_1" }(x)
  return relu6(normalize(x, "Conv_1_bn"), "out_relu")
end

-- There are weights for square images of these sizes, and these widths.
local SIZES = { [96] = true, [128] = true, [160] = true, [192] = true, [224] = true }
local WIDTHS = { [0.35] = true, [0.5] = true, [0.75] = true, [1.0] = true, [1.3] = true, [1.4] = true }

local function weights(args, shape)
  if not WIDTHS[args.alpha] then
    core.raise(("MobileNetV2: the weights of imagenet are for alpha 0.35, 0.5, 0.75, 1, 1.3 or 1.4, got %g"):format(
      args.alpha))
  end
  local size = shape[2] == shape[3] and SIZES[shape[2]] and shape[2] or 224
  local file = ("mobilenet_v2_weights_tf_dim_ordering_tf_kernels_%s_%d%s.h5"):format(args.alpha + 0.0, size,
    args.include_top and "" or "_no_top")
  return { file = file, url = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/" .. file }
end

return network.module("mobilenet_v2", {
  name = "MobileNetV2", size = 224, min_size = 32, mode = "tf", body = body, weights = weights,
  order = { "input_shape", "alpha", "include_top", "weights", "input_tensor", "pooling", "classes",
    "classifier_activation", "name" },
  rows = { alpha = { "alpha", "number", 1.0, above = 0, doc = "width: the factor of all numbers of filters" } },
  model_name = function(args, shape)
    return ("mobilenetv2_%.2f_%s"):format(args.alpha, shape[2] < 0 and "None" or shape[2])
  end,
  doc = "MobileNetV2 (Sandler and others 2018) for images of 224 x 224.",
})
