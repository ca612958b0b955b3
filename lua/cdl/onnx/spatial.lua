--- Convolution, pooling and resizing as ONNX's operators. These want channels behind the batch: what they
-- make is kept in that form too, so that one after the other needs no change of axes in between.
local core = require "cdl.core"
local ops = require "cdl.ops"

local resample = core.row "resize"

-- The name of x with its channels behind the batch.
local function channels_first(b, x)
  if not x.first then
    local perm = { 0, #x.shape - 1 }
    for k = 1, #x.shape - 2 do perm[k + 2] = k end
    x.first = b:node("Transpose", { x.name }, { perm = perm })
  end
  return x.first
end

-- The other way round; the second result is the name of y as it is.
local function channels_last(b, y, ndim)
  local perm = { 0 }
  for k = 2, ndim - 1 do perm[k] = k end
  perm[ndim] = 1
  return b:node("Transpose", { y }, { perm = perm }), y
end

-- The kernel {sizes, channels / groups, filters} as {filters, channels / groups, sizes}.
local function kernel(b, w)
  local n, perm = #w.shape, {}
  perm[1], perm[2] = n, n - 1
  for k = 1, n - 2 do perm[k + 2] = k end
  if w.value then
    w.turned = w.turned or b:constant(ops.permute(w.value, perm):contiguous(), w.name .. "/turned")
    return w.turned
  end
  for k = 1, n do perm[k] = perm[k] - 1 end
  return b:node("Transpose", { w.name }, { perm = perm })
end

-- Strides and paddings, which convolution and pooling have at the same places.
local function window(axes, int)
  local strides, pads = {}, {}
  for k = 1, axes do
    strides[k], pads[k], pads[axes + k] = int(k - 1), int(1 + 2 * k), int(2 + 2 * k)
  end
  return strides, pads
end

local function dilations_of(axes, int)
  local dilations = {}
  for k = 1, axes do dilations[k] = int(8 + k) end
  return dilations
end

return function(M)
  --- Rows whose second result is the name of the value with its channels behind the batch.
  M.spatial = { conv = true, conv_bias = true, conv_grad_input = true, max_pool = true, average_pool = true }

  local function convolve(b, node, inputs, int, bias)
    local axes = #node.shape - 2
    local strides, pads = window(axes, int)
    local names = { channels_first(b, inputs[1]), kernel(b, inputs[2]), bias }
    local dilations = dilations_of(axes, int)
    return b:node("Conv", names, { strides = strides, pads = pads, dilations = dilations, group = int(12) })
  end

  function M.conv(b, node, inputs, int)
    return channels_last(b, convolve(b, node, inputs, int), #node.shape)
  end

  function M.conv_bias(b, node, inputs, int)
    local y = convolve(b, node, inputs, int, inputs[3].name)
    if int(13) == 1 then y = b:node("Relu", { y }) end
    return channels_last(b, y, #node.shape)
  end

  -- A transposed convolution. What the sizes do not tell is padding behind the output.
  function M.conv_grad_input(b, node, inputs, int)
    local axes, x, w = #node.shape - 2, inputs[1], inputs[2]
    local strides, pads = window(axes, int)
    local dilations, more = dilations_of(axes, int), {}
    for k = 1, axes do
      local covered = strides[k] * (x.shape[k + 1] - 1) + dilations[k] * (w.shape[k] - 1) + 1 - pads[k] - pads[axes + k]
      more[k] = node.shape[k + 1] - covered
    end
    local y = b:node("ConvTranspose", { channels_first(b, x), kernel(b, w) },
      { strides = strides, pads = pads, dilations = dilations, group = int(12), output_padding = more })
    return channels_last(b, y, #node.shape)
  end

  local function pool(op, attributes)
    return function(b, node, inputs, int)
      local axes = #node.shape - 2
      local strides, pads = window(axes, int)
      local all = { strides = strides, pads = pads, kernel_shape = dilations_of(axes, int) }
      for key, value in pairs(attributes) do all[key] = value end
      return channels_last(b, b:node(op, { channels_first(b, inputs[1]) }, all), #node.shape)
    end
  end
  M.max_pool = pool("MaxPool", {})
  M.average_pool = pool("AveragePool", { count_include_pad = 0 })

  -- Resampling an axis is a product with the weights, which an identity matrix shows.
  function M.resize(b, node, inputs, int)
    local axis, x = int(0), inputs[1]
    local from, to = x.shape[axis + 1], node.shape[axis + 1]
    local weights = b:constant(resample({ 1, to, int(2), int(3) }, nil, ops.eye { from, dtype = node.dtype }))
    local n, perm, back = #x.shape, {}, {}
    for k = 1, n do perm[k], back[k] = k - 1, k - 1 end
    perm[axis + 1], perm[n] = n - 1, axis
    back[axis + 1], back[n] = n - 1, axis
    if axis == n - 1 then return b:node("MatMul", { x.name, weights }) end
    local y = b:node("MatMul", { b:node("Transpose", { x.name }, { perm = perm }), weights })
    return b:node("Transpose", { y }, { perm = back })
  end
end
