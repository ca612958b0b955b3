--- Xception: separable convolutions with shortcuts (Chollet, "Xception: Deep Learning with Depthwise
-- Separable Convolutions", 2016).
local layers = require "cdl.layers"
local network = require "cdl.applications.network"

local function relu(x, name) return layers.Activation { "relu", name = name }(x) end

local function convolve(x, filters, strides, name)
  x = layers.Conv2D { filters, { 3, 3 }, strides = strides, use_bias = false, name = name }(x)
  return relu(layers.BatchNormalization { name = name .. "_bn" }(x), name .. "_act")
end

local function separable(x, filters, name)
  x = layers.SeparableConv2D { filters, { 3, 3 }, padding = "same", use_bias = false, name = name }(x)
  return layers.BatchNormalization { name = name .. "_bn" }(x)
end

-- Two separable convolutions and a pooling, beside a strided convolution; the first of the network
-- has no relu in front.
local function halving(x, number, first, second)
  local prefix = ("block%d_"):format(number)
  local shortcut = layers.Conv2D { second, { 1, 1 }, strides = 2, padding = "same", use_bias = false }(x)
  shortcut = layers.BatchNormalization()(shortcut)
  if number > 2 then x = relu(x, prefix .. "sepconv1_act") end
  x = separable(x, first, prefix .. "sepconv1")
  x = separable(relu(x, prefix .. "sepconv2_act"), second, prefix .. "sepconv2")
  x = layers.MaxPooling2D { { 3, 3 }, strides = 2, padding = "same", name = prefix .. "pool" }(x)
  return layers.Add() { x, shortcut }
end

local function body(x)
  x = convolve(x, 32, 2, "block1_conv1")
  x = convolve(x, 64, 1, "block1_conv2")
  for i, filters in ipairs { 128, 256, 728 } do x = halving(x, i + 1, filters, filters) end
  for block = 5, 12 do
    local shortcut = x
    for i = 1, 3 do
      local name = ("block%d_sepconv%d"):format(block, i)
      x = separable(relu(x, name .. "_act"), 728, name)
    end
    x = layers.Add() { x, shortcut }
  end
  x = halving(x, 13, 728, 1024)
  for i, filters in ipairs { 1536, 2048 } do
    local name = ("block14_sepconv%d"):format(i)
    x = relu(separable(x, filters, name), name .. "_act")
  end
  return x
end

return network.module("xception", {
  name = "Xception", size = 299, min_size = 71, mode = "tf", body = body, head_pool = "avg_pool",
  doc = "Xception (Chollet 2016) for images of 299 x 299.",
  weights = function(args)
    local file = ("xception_weights_tf_dim_ordering_tf_kernels%s.h5"):format(args.include_top and "" or "_notop")
    return { file = file, url = "https://storage.googleapis.com/tensorflow/keras-applications/xception/" .. file }
  end,
})
