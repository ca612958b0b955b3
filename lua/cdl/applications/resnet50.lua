--- ResNet50: bottleneck blocks with shortcuts (He, Zhang, Ren and Sun, "Deep Residual Learning for Image
-- Recognition", 2015).
local layers = require "cdl.layers"
local network = require "cdl.applications.network"

local function normalize(x, name) return layers.BatchNormalization { epsilon = 1.001e-5, name = name }(x) end
local function relu(x, name) return layers.Activation { "relu", name = name }(x) end

-- A 1x1, a 3x3 and a 1x1 convolution beside a shortcut, which the first block of a stack has a
-- convolution in.
local function block(x, filters, stride, convolve, name)
  local shortcut = x
  if convolve then
    shortcut = layers.Conv2D { 4 * filters, 1, strides = stride, name = name .. "_0_conv" }(x)
    shortcut = normalize(shortcut, name .. "_0_bn")
  end
  x = layers.Conv2D { filters, 1, strides = stride, name = name .. "_1_conv" }(x)
  x = relu(normalize(x, name .. "_1_bn"), name .. "_1_relu")
  x = layers.Conv2D { filters, 3, padding = "same", name = name .. "_2_conv" }(x)
  x = relu(normalize(x, name .. "_2_bn"), name .. "_2_relu")
  x = normalize(layers.Conv2D { 4 * filters, 1, name = name .. "_3_conv" }(x), name .. "_3_bn")
  x = layers.Add { name = name .. "_add" } { shortcut, x }
  return relu(x, name .. "_out")
end

local STACKS = { { 64, 3, 1 }, { 128, 4, 2 }, { 256, 6, 2 }, { 512, 3, 2 } } -- filters, blocks, stride

local function body(x)
  x = layers.ZeroPadding2D { 3, name = "conv1_pad" }(x)
  x = layers.Conv2D { 64, 7, strides = 2, name = "conv1_conv" }(x)
  x = relu(normalize(x, "conv1_bn"), "conv1_relu")
  x = layers.ZeroPadding2D { 1, name = "pool1_pad" }(x)
  x = layers.MaxPooling2D { 3, strides = 2, name = "pool1_pool" }(x)
  for i, stack in ipairs(STACKS) do
    local filters, blocks, stride = table.unpack(stack)
    for b = 1, blocks do
      x = block(x, filters, b == 1 and stride or 1, b == 1, ("conv%d_block%d"):format(i + 1, b))
    end
  end
  return x
end

return network.module("resnet50", {
  name = "ResNet50", size = 224, min_size = 32, mode = "caffe", body = body,
  head_pool = "avg_pool", pools = { avg = "avg_pool", max = "max_pool" },
  doc = "ResNet50 (He, Zhang, Ren and Sun 2015) for images of 224 x 224.",
  weights = function(args)
    local file = ("resnet50_weights_tf_dim_ordering_tf_kernels%s.h5"):format(args.include_top and "" or "_notop")
    return { file = file, url = "https://storage.googleapis.com/tensorflow/keras-applications/resnet/" .. file }
  end,
})
