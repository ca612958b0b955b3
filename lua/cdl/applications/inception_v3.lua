--- InceptionV3: branches of factored convolutions side by side (Szegedy, Vanhoucke, Ioffe, Shlens and
-- Wojna, "Rethinking the Inception Architecture for Computer Vision", 2015).
local layers = require "cdl.layers"
local network = require "cdl.applications.network"

-- Convolution, normalization, relu.
local function convolve(x, filters, rows, columns, padding, strides)
  x = layers.Conv2D { filters, { rows, columns }, strides = strides or 1, padding = padding or "same",
    use_bias = false }(x)
  x = layers.BatchNormalization { scale = false }(x)
  return layers.Activation "relu"(x)
end

-- Several of them one after the other: {filters, rows, columns [, padding, strides]} each.
local function chain(x, ...)
  for _, step in ipairs { ... } do x = convolve(x, table.unpack(step)) end
  return x
end

local function average(x, filters)
  x = layers.AveragePooling2D { { 3, 3 }, strides = 1, padding = "same" }(x)
  return convolve(x, filters, 1, 1)
end

local function join(list, name) return layers.Concatenate { name = name }(list) end
local function halve(x) return layers.MaxPooling2D { { 3, 3 }, strides = 2 }(x) end

local function mixed_35(x, filters, name)
  local a = convolve(x, 64, 1, 1)
  local b = chain(x, { 48, 1, 1 }, { 64, 5, 5 })
  local c = chain(x, { 64, 1, 1 }, { 96, 3, 3 }, { 96, 3, 3 })
  return join({ a, b, c, average(x, filters) }, name)
end

local function mixed_17(x, n, name)
  local a = convolve(x, 192, 1, 1)
  local b = chain(x, { n, 1, 1 }, { n, 1, 7 }, { 192, 7, 1 })
  local c = chain(x, { n, 1, 1 }, { n, 7, 1 }, { n, 1, 7 }, { n, 7, 1 }, { 192, 1, 7 })
  return join({ a, b, c, average(x, 192) }, name)
end

local function fan(x)
  local wide = convolve(x, 384, 1, 3)
  return { wide, convolve(x, 384, 3, 1) }
end

local function mixed_8(x, i)
  local a = convolve(x, 320, 1, 1)
  local b = convolve(x, 384, 1, 1)
  b = join(fan(b), ("mixed9_%d"):format(i))
  local c = chain(x, { 448, 1, 1 }, { 384, 3, 3 })
  c = join(fan(c))
  return join({ a, b, c, average(x, 192) }, ("mixed%d"):format(9 + i))
end

local function body(x)
  x = chain(x, { 32, 3, 3, "valid", 2 }, { 32, 3, 3, "valid" }, { 64, 3, 3 })
  x = chain(halve(x), { 80, 1, 1, "valid" }, { 192, 3, 3, "valid" })
  x = halve(x)
  for i, filters in ipairs { 32, 64, 64 } do x = mixed_35(x, filters, ("mixed%d"):format(i - 1)) end
  local a = convolve(x, 384, 3, 3, "valid", 2)
  local b = chain(x, { 64, 1, 1 }, { 96, 3, 3 }, { 96, 3, 3, "valid", 2 })
  x = join({ a, b, halve(x) }, "mixed3")
  for i, n in ipairs { 128, 160, 160, 192 } do x = mixed_17(x, n, ("mixed%d"):format(3 + i)) end
  a = chain(x, { 192, 1, 1 }, { 320, 3, 3, "valid", 2 })
  b = chain(x, { 192, 1, 1 }, { 192, 1, 7 }, { 192, 7, 1 }, { 192, 3, 3, "valid", 2 })
  x = join({ a, b, halve(x) }, "mixed8")
  for i = 0, 1 do x = mixed_8(x, i) end
  return x
end

return network.module("inception_v3", {
  name = "InceptionV3", size = 299, min_size = 75, mode = "tf", body = body, head_pool = "avg_pool",
  doc = "InceptionV3 (Szegedy and others 2015) for images of 299 x 299.",
  weights = function(args)
    local file = ("inception_v3_weights_tf_dim_ordering_tf_kernels%s.h5"):format(args.include_top and "" or "_notop")
    return { file = file, url = "https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/" .. file }
  end,
})
