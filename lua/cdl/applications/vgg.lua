--- VGG networks: blocks of 3x3 convolutions, each ended by a pooling (Simonyan and Zisserman, "Very Deep
-- Convolutional Networks for Large-Scale Image Recognition", 2014).
local layers = require "cdl.layers"
local network = require "cdl.applications.network"

local FILTERS = { 64, 128, 256, 512, 512 }

local function head(x, classify)
  x = layers.Flatten { name = "flatten" }(x)
  for i = 1, 2 do x = layers.Dense { 4096, activation = "relu", name = "fc" .. i }(x) end
  return classify(x)
end

--- The module of a network with so many convolutions in its five blocks.
return function(name, model_name, convolutions)
  local function body(x)
    for block, count in ipairs(convolutions) do
      for i = 1, count do
        x = layers.Conv2D { FILTERS[block], { 3, 3 }, activation = "relu", padding = "same",
          name = ("block%d_conv%d"):format(block, i) }(x)
      end
      x = layers.MaxPooling2D { { 2, 2 }, strides = { 2, 2 }, name = ("block%d_pool"):format(block) }(x)
    end
    return x
  end
  local function weights(args)
    local file = ("%s_weights_tf_dim_ordering_tf_kernels%s.h5"):format(model_name, args.include_top and "" or "_notop")
    return { file = file,
      url = ("https://storage.googleapis.com/tensorflow/keras-applications/%s/%s"):format(model_name, file) }
  end
  return network.module(model_name, { name = name, size = 224, min_size = 32, mode = "caffe", body = body, head = head,
    weights = weights, doc = ("%s (Simonyan and Zisserman 2014) for images of 224 x 224."):format(name) })
end
