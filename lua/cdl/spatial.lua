--- What convolutions and pooling share: the arithmetic of padding, and the calls of their rows.
-- Inputs are {batch, sizes ..., channels} with one to three sizes. Options are lists, one number
-- for each of the sizes; `who` begins messages: "conv", or "layer 'conv2d'".
local core = require "cdl.core"
local words = require "cdl.words"

local M = {}

local SIZES = { "steps", "rows, columns", "planes, rows, columns" }

local braces = words.braces

--- "{batch, rows, columns, channels}" for two axes; `last` in place of channels.
function M.wanted(axes, last) return ("{batch, %s, %s}"):format(SIZES[axes], last or "channels") end

--- Raises when the shape is not that of a batch of things with so many axes.
function M.check_shape(who, shape, axes)
  if #shape ~= axes + 2 then
    core.raise(("%s wants inputs of shape %s, got %s"):format(who, M.wanted(axes), braces(shape)))
  end
end

--- The size of the last axis of a layer's inputs, which must be known.
function M.channels(layer, shape, axes)
  local who = ("layer '%s'"):format(layer.name)
  M.check_shape(who, shape, axes)
  local channels = shape[#shape]
  if channels < 1 then
    core.raise(("%s wants inputs of shape %s with a known number of channels, got %s"):format(who,
      M.wanted(axes), braces(shape)))
  end
  return channels
end

local LARGEST = 1 << 30 -- what the rows take

local function check_limits(who, window, strides, dilation)
  for k, width in ipairs(window) do
    local largest = math.max(width, strides[k], dilation[k])
    if largest > LARGEST then
      core.raise(("%s: windows, strides and dilation must be at most %d, got %d"):format(who, LARGEST, largest))
    end
  end
end

-- Padding before and after each axis, one list. padding: "valid", "same" (the outputs are
-- ceil(size / stride); an odd cell goes to the end) or "causal" (an output sees nothing behind its
-- own place).
local function pads_of(who, shape, window, strides, dilation, padding)
  check_limits(who, window, strides, dilation)
  local pads = {}
  for k, width in ipairs(window) do
    local n, stride = shape[k + 1], strides[k]
    local wide = dilation[k] * (width - 1) + 1
    local before, after = 0, 0
    if padding == "same" then
      local total = math.max((math.ceil(n / stride) - 1) * stride + wide - n, 0)
      before, after = total // 2, total - total // 2
    elseif padding == "causal" then
      before = wide - 1
    end
    if n + before + after < wide then
      core.raise(("%s: a window of %d does not fit into axis %d of inputs of shape %s"):format(who, wide,
        k + 1, braces(shape)))
    end
    pads[#pads + 1], pads[#pads + 2] = before, after
  end
  return pads
end

-- A row's integers, laid out as ops.def says.
local function attributes(strides, pads, more)
  local list = { 0, 0, 0, 0, 0, 0, 0, 0, 0 }
  for k, stride in ipairs(strides) do list[k] = stride end
  for k, pad in ipairs(pads) do list[3 + k] = pad end
  for place, values in pairs(more) do
    for k, value in ipairs(values) do list[place + k] = value end
  end
  for k = 10, 17 do list[k] = list[k] or 0 end
  return list
end

local function check_channels(who, x, kernel, groups)
  local channels, filters = x.shape[x.ndim], kernel.shape[kernel.ndim]
  local each = kernel.shape[kernel.ndim - 1]
  if groups < 1 or channels ~= each * groups or filters % groups ~= 0 then
    core.raise(("%s: inputs of shape %s do not fit a kernel of shape %s%s"):format(who, braces(x.shape),
      braces(kernel.shape), groups > 1 and (" in %d groups"):format(groups) or ""))
  end
end

--- Raises when both strides and dilation are used.
function M.check_rates(who, strides, dilation)
  local stride, rate = math.max(table.unpack(strides)), math.max(table.unpack(dilation))
  if stride > 1 and rate > 1 then
    core.raise(("%s: strides %s cannot be combined with dilation_rate %s; one of them must be 1"):format(who,
      braces(strides), braces(dilation)))
  end
end

local conv, conv_bias = core.row "conv", core.row "conv_bias"

--- x convolved with kernel {sizes ..., channels / groups, filters}; bias may be nil; activation is
-- "linear" or "relu". options: strides, padding, dilation_rate, groups.
function M.conv(who, x, kernel, bias, activation, options)
  local axes = #options.strides
  M.check_shape(who, x.shape, axes)
  check_channels(who, x, kernel, options.groups)
  M.check_rates(who, options.strides, options.dilation_rate)
  local window = { table.unpack(kernel.shape, 1, axes) }
  local pads = pads_of(who, x.shape, window, options.strides, options.dilation_rate, options.padding)
  local fused = bias and activation == "relu"
  local list = attributes(options.strides, pads, { [9] = options.dilation_rate, [12] = { options.groups },
    [13] = { fused and 1 or 0 } })
  local y = bias and conv_bias(list, nil, x, kernel, bias) or conv(list, nil, x, kernel)
  if activation == "relu" and not fused then return y:relu() end
  return y
end

--- x convolved channel by channel with kernel {sizes ..., channels, multiplier}: output channel
-- c * multiplier + m (from 0) is channel c with kernel m.
function M.depthwise_conv(who, x, kernel, bias, activation, options)
  M.check_shape(who, x.shape, #options.strides)
  local shape, channels = kernel.shape, x.shape[x.ndim]
  if #shape ~= x.ndim or shape[#shape - 1] ~= channels then
    core.raise(("%s: inputs of shape %s do not fit a depthwise kernel of shape %s"):format(who,
      braces(x.shape), braces(shape)))
  end
  local flat = table.move(shape, 1, #shape - 2, 1, {})
  flat[#shape - 1], flat[#shape] = 1, channels * shape[#shape]
  return M.conv(who, x, kernel:reshape(flat), bias, activation, { strides = options.strides,
    padding = options.padding, dilation_rate = options.dilation_rate, groups = channels })
end

local conv_transpose = core.row "conv_grad_input"

--- Raises unless output_padding (or nil) is less than the strides.
function M.check_output_padding(who, output_padding, strides)
  for k, extra in ipairs(output_padding or {}) do
    if extra >= strides[k] then
      core.raise(("%s: output_padding %s must be less than strides %s"):format(who, braces(output_padding),
        braces(strides)))
    end
  end
end

-- The size of a transposed convolution along an axis, and how many of the places that a window
-- over every input would reach are cut off before it (Keras's arithmetic).
local function transposed(n, width, stride, padding, extra)
  if padding == "valid" then return (n - 1) * stride + width + (extra or math.max(stride - width, 0)), 0 end
  local total = extra and width + width % 2 - 2 + extra or stride + width - 2
  local left = math.min(total // 2 + total % 2, width - 1)
  return extra and (n - 1) * stride + width % 2 + extra or n * stride, width - 1 - left
end

--- The transposed convolution: what the gradient of a convolution does to its input.
-- kernel {sizes ..., filters, channels}. options: strides, padding, output_padding (may be nil),
-- dilation_rate.
function M.conv_transpose(who, x, kernel, options)
  local strides, rates, axes = options.strides, options.dilation_rate, #options.strides
  M.check_shape(who, x.shape, axes)
  if kernel.ndim ~= x.ndim or kernel.shape[kernel.ndim] ~= x.shape[x.ndim] then
    core.raise(("%s: inputs of shape %s do not fit a kernel of shape %s; its last axis must be the inputs'"):format(
      who, braces(x.shape), braces(kernel.shape)))
  end
  M.check_rates(who, strides, rates)
  M.check_output_padding(who, options.output_padding, strides)
  check_limits(who, { table.unpack(kernel.shape, 1, axes) }, strides, rates)
  local pads, sizes = {}, {}
  for k = 1, axes do
    local n, stride = x.shape[k + 1], strides[k]
    local width = rates[k] * (kernel.shape[k] - 1) + 1
    local extra = options.output_padding and options.output_padding[k]
    local size, cut = transposed(n, width, stride, options.padding, extra)
    if size < 1 then
      core.raise(("%s: nothing is left of axis %d of inputs of shape %s"):format(who, k + 1, braces(x.shape)))
    end
    pads[#pads + 1], pads[#pads + 2] = cut, math.max((n - 1) * stride + width - size - cut, 0)
    sizes[k] = size
  end
  return conv_transpose(attributes(strides, pads, { [9] = rates, [12] = { 1 }, [14] = sizes }), nil, x, kernel)
end

--- "max_pool" or "average_pool" of windows of pool_size; padded places are not there.
function M.pool(who, name, x, pool_size, strides, padding)
  M.check_shape(who, x.shape, #pool_size)
  local ones = {}
  for k = 1, #pool_size do ones[k] = 1 end
  local pads = pads_of(who, x.shape, pool_size, strides, ones, padding)
  return core.row(name)(attributes(strides, pads, { [9] = pool_size }), nil, x)
end

return M
