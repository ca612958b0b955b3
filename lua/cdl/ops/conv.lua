--- Convolutions and pooling on tensors {batch, sizes ..., channels} with one to three sizes.
local core = require "cdl.core"
local spatial = require "cdl.spatial"

return function(kit)
  local define, value_of = kit.define, kit.value_of

  local inputs_row = { "inputs", "operand", required = true, doc = "{batch, sizes ..., channels}, one to three sizes" }
  local strides_row = { "strides", "size", 1, doc = "places from one window to the next" }
  local padding_row = { "padding", { "valid", "same" }, "valid",
    doc = "valid: windows lie inside; same: ceil(size / stride) of them, with zeros around the inputs" }
  local format_row = { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" }
  local dilation_row = { "dilation_rate", "size", 1, doc = "places from one element of the kernel to the next" }

  -- One number for each axis; a single one counts for all.
  local function each(value, axes, who, name)
    if type(value) == "number" then value = { value } end
    if #value == 1 then
      local list = {}
      for k = 1, axes do list[k] = value[1] end
      return list
    elseif #value ~= axes then
      core.raise(("%s: %s must be an integer or a list of %d integers, got {%s}"):format(who, name, axes,
        table.concat(value, ", ")))
    end
    return value
  end

  -- The number of sizes of the inputs.
  local function axes_of(x, who)
    if x.ndim < 3 or x.ndim > 5 then
      core.raise(("%s wants inputs of shape {batch, sizes ..., channels} with one to three sizes, got {%s}"):format(
        who, table.concat(x.shape, ", ")))
    end
    return x.ndim - 2
  end

  local function check_kernel(who, x, kernel)
    if kernel.ndim ~= x.ndim then
      core.raise(("%s: inputs of shape {%s} want a kernel with %d axes, got {%s}"):format(who,
        table.concat(x.shape, ", "), x.ndim, table.concat(kernel.shape, ", ")))
    end
  end

  local function options_of(who, axes, strides, padding, dilation)
    return { strides = each(strides, axes, who, "strides"), padding = padding,
      dilation_rate = each(dilation, axes, who, "dilation_rate") }
  end

  define("conv", { inputs_row,
    { "kernel", "operand", required = true, doc = "{sizes ..., channels / groups, filters}" },
    strides_row,
    { "padding", { "valid", "same", "causal" }, "valid",
      doc = "valid, same, or causal (one size): an output sees nothing behind its own place" },
    format_row, dilation_row,
    { "bias", "operand", doc = "{filters}, added in the same pass" },
    { "activation", { "linear", "relu" }, "linear", doc = "applied in the same pass" },
  }, "Convolution (the kernel is not flipped). The number of groups is the inputs' channels divided by the kernel's.",
    function(inputs, kernel, strides, padding, _, dilation_rate, bias, activation)
      local x, w = value_of(inputs), value_of(kernel)
      local axes = axes_of(x, "conv")
      check_kernel("conv", x, w)
      if padding == "causal" and axes > 1 then
        core.raise(("conv: causal padding wants inputs of shape %s, got {%s}"):format(spatial.wanted(1),
          table.concat(x.shape, ", ")))
      end
      local options = options_of("conv", axes, strides, padding, dilation_rate)
      options.groups = math.max(x.shape[x.ndim] // math.max(w.shape[w.ndim - 1], 1), 1)
      return spatial.conv("conv", x, w, bias and value_of(bias), activation, options)
    end)

  local depthwise_row = { "kernel", "operand", required = true, doc = "{sizes ..., channels, multiplier}" }
  local function depthwise_conv(who, x, w, strides, padding, dilation_rate)
    local axes = axes_of(x, who)
    check_kernel(who, x, w)
    return spatial.depthwise_conv(who, x, w, nil, "linear", options_of(who, axes, strides, padding, dilation_rate))
  end
  define("depthwise_conv", { inputs_row, depthwise_row, strides_row, padding_row, format_row, dilation_row },
    "Convolution of each channel on its own; output channel c * multiplier + m (from 0) is channel c with kernel m.",
    function(inputs, kernel, strides, padding, _, dilation_rate)
      return depthwise_conv("depthwise_conv", value_of(inputs), value_of(kernel), strides, padding, dilation_rate)
    end)

  define("separable_conv", { inputs_row,
    { "depthwise_kernel", "operand", required = true, doc = "{sizes ..., channels, multiplier}" },
    { "pointwise_kernel", "operand", required = true, doc = "{1 ..., channels * multiplier, filters}" },
    strides_row, padding_row, format_row, dilation_row,
  }, "A depthwise convolution, then one of windows of 1.",
    function(inputs, depthwise, pointwise, strides, padding, _, dilation_rate)
      local who, w = "separable_conv", value_of(pointwise)
      local x = depthwise_conv(who, value_of(inputs), value_of(depthwise), strides, padding, dilation_rate)
      check_kernel(who, x, w)
      local options = options_of(who, x.ndim - 2, 1, "valid", 1)
      options.groups = 1
      return spatial.conv(who, x, w, nil, "linear", options)
    end)

  define("conv_transpose", { inputs_row,
    { "kernel", "operand", required = true, doc = "{sizes ..., filters, channels}" },
    strides_row, padding_row,
    { "output_padding", "size", min = 0, doc = "places added at the end; less than the strides" },
    format_row, dilation_row,
  }, "Transposed convolution: the gradient of a convolution with respect to its inputs.",
    function(inputs, kernel, strides, padding, output_padding, _, dilation_rate)
      local who, x, w = "conv_transpose", value_of(inputs), value_of(kernel)
      local axes = axes_of(x, who)
      check_kernel(who, x, w)
      local options = options_of(who, axes, strides, padding, dilation_rate)
      options.output_padding = output_padding and each(output_padding, axes, who, "output_padding")
      return spatial.conv_transpose(who, x, w, options)
    end)

  local function pool(name, doc)
    define(name, { inputs_row,
      { "pool_size", "size", required = true, doc = "sizes of the windows" },
      { "strides", "size", doc = "places from one window to the next; the windows' sizes if left out" },
      { "padding", { "valid", "same" }, "valid", doc = "same: windows may reach over the border" },
      format_row,
    }, doc, function(inputs, pool_size, strides, padding)
      local x = value_of(inputs)
      local axes = axes_of(x, name)
      local sizes = each(pool_size, axes, name, "pool_size")
      return spatial.pool(name, name, x, sizes, strides and each(strides, axes, name, "strides") or sizes, padding)
    end)
  end
  pool("max_pool", "The largest of each window; what lies outside the inputs is not there.")
  pool("average_pool", "The mean of each window, of the places that lie inside the inputs.")
end
