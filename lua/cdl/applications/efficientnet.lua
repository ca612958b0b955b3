--- EfficientNetB0: inverted residual blocks with squeeze and excitation (Tan and Le, "EfficientNet:
-- Rethinking Model Scaling for Convolutional Neural Networks", 2019). The network rescales its images
-- itself: it takes values from 0 to 255.
local initializers = require "cdl.initializers"
local layers = require "cdl.layers"
local network = require "cdl.applications.network"

local function kernel_initializer()
  return initializers.VarianceScaling { scale = 2, mode = "fan_out", distribution = "truncated_normal" }
end

local function normalize(x, name) return layers.BatchNormalization { name = name }(x) end
local function swish(x, name) return layers.Activation { "swish", name = name }(x) end

local function convolve_1x1(x, filters, name, activation)
  return layers.Conv2D { filters, 1, padding = "same", use_bias = activation ~= nil, activation = activation,
    kernel_initializer = kernel_initializer(), name = name }(x)
end

local function block(x, row, first, rate, name)
  local kernel, out, expand = row.kernel, row.filters, row.expand
  local stride, before, channels = first and row.stride or 1, x, x.shape[4]
  if expand ~= 1 then
    x = convolve_1x1(x, channels * expand, name .. "expand_conv")
    x = swish(normalize(x, name .. "expand_bn"), name .. "expand_activation")
  end
  if stride == 2 then x = layers.ZeroPadding2D { network.correct_pad(x, kernel), name = name .. "dwconv_pad" }(x) end
  x = layers.DepthwiseConv2D { kernel, strides = stride, padding = stride == 2 and "valid" or "same", use_bias = false,
    depthwise_initializer = kernel_initializer(), name = name .. "dwconv" }(x)
  x = swish(normalize(x, name .. "bn"), name .. "activation")
  -- How much each channel counts, from its mean over the places.
  local squeezed = layers.GlobalAveragePooling2D { name = name .. "se_squeeze" }(x)
  squeezed = layers.Reshape { { 1, 1, channels * expand }, name = name .. "se_reshape" }(squeezed)
  squeezed = convolve_1x1(squeezed, math.max(1, channels // 4), name .. "se_reduce", "swish")
  squeezed = convolve_1x1(squeezed, channels * expand, name .. "se_expand", "sigmoid")
  x = layers.Multiply { name = name .. "se_excite" } { x, squeezed }
  x = normalize(convolve_1x1(x, out, name .. "project_conv"), name .. "project_bn")
  if stride ~= 1 or channels ~= out then return x end
  if rate > 0 then x = layers.Dropout { rate, noise_shape = { -1, 1, 1, 1 }, name = name .. "drop" }(x) end
  return layers.Add { name = name .. "add" } { x, before }
end

local BLOCKS = {
  { kernel = 3, repeats = 1, filters = 16, expand = 1, stride = 1 },
  { kernel = 3, repeats = 2, filters = 24, expand = 6, stride = 2 },
  { kernel = 5, repeats = 2, filters = 40, expand = 6, stride = 2 },
  { kernel = 3, repeats = 3, filters = 80, expand = 6, stride = 2 },
  { kernel = 5, repeats = 3, filters = 112, expand = 6, stride = 1 },
  { kernel = 5, repeats = 4, filters = 192, expand = 6, stride = 2 },
  { kernel = 3, repeats = 1, filters = 320, expand = 6, stride = 1 },
}

local function body(x, args)
  local total, number = 0, 0
  for _, row in ipairs(BLOCKS) do total = total + row.repeats end
  x = layers.Normalization()(layers.Rescaling(1 / 255)(x))
  if args.weights == "imagenet" then
    -- The files' networks divide by the deviation once more than Normalization does.
    x = layers.Rescaling { { 1 / 0.229 ^ 0.5, 1 / 0.224 ^ 0.5, 1 / 0.225 ^ 0.5 } }(x)
  end
  x = layers.ZeroPadding2D { network.correct_pad(x, 3), name = "stem_conv_pad" }(x)
  x = layers.Conv2D { 32, 3, strides = 2, padding = "valid", use_bias = false,
    kernel_initializer = kernel_initializer(), name = "stem_conv" }(x)
  x = swish(normalize(x, "stem_bn"), "stem_activation")
  for i, row in ipairs(BLOCKS) do
    for k = 1, row.repeats do
      x = block(x, row, k == 1, 0.2 * number / total, ("block%d%s_"):format(i, ("abcd"):sub(k, k)))
      number = number + 1
    end
  end
  x = convolve_1x1(x, 1280, "top_conv")
  return swish(normalize(x, "top_bn"), "top_activation")
end

return network.module("efficientnetb0", {
  name = "EfficientNetB0", size = 224, min_size = 32, body = body, dropout = 0.2,
  head_pool = "avg_pool", pools = { avg = "avg_pool", max = "max_pool" },
  classifier_initializer = initializers.VarianceScaling { scale = 1 / 3, mode = "fan_out", distribution = "uniform" },
  doc = "EfficientNetB0 (Tan and Le 2019) for images of 224 x 224 with values from 0 to 255.",
  weights = function(args)
    local file = ("efficientnetb0%s.h5"):format(args.include_top and "" or "_notop")
    return { file = file, url = "https://storage.googleapis.com/keras-applications/" .. file }
  end,
})
