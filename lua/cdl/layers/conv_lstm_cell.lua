--- The cells of ConvLSTM layers: an LSTM whose products are convolutions.
local activations = require "cdl.activations"
local core = require "cdl.core"
local Cell = require "cdl.layers.recurrent_cell"
local LSTMCell = require "cdl.layers.lstm_cell"
local ops = require "cdl.ops"
local recurrence = require "cdl.recurrence"
local spatial = require "cdl.spatial"

local ConvLSTMCell = Cell:extend "ConvLSTMCell"
ConvLSTMCell.doc = "One step of an LSTM whose products are convolutions (Shi et al. 2015)."
ConvLSTMCell.gates, ConvLSTMCell.cell_name = 4, "conv_lstm_cell"
ConvLSTMCell.output_is_state = true
ConvLSTMCell.sequence = false -- step by step

function ConvLSTMCell:init(args)
  self.filters = args.filters
  self.dropout, self.recurrent_dropout, self.seed = args.dropout, args.recurrent_dropout, args.seed
  self.activation = activations.get(args.activation)
  self.recurrent_activation = activations.get(args.recurrent_activation)
  self.state_size = { args.filters, args.filters }
  spatial.check_rates(("layer '%s'"):format(self.name), args.strides, args.dilation_rate)
end

-- The sizes of a state: those of the convolved inputs, which must be known.
local function sizes_of(self, input_shape)
  local args, sizes = self.args, {}
  for k, width in ipairs(args.kernel_size) do
    local n, wide = input_shape[k + 1], args.dilation_rate[k] * (width - 1) + 1
    if n < 1 then
      core.raise(("layer '%s' wants inputs with known sizes, got {%s}"):format(recurrence.place(self),
        table.concat(input_shape, ", ")))
    end
    sizes[k] = args.padding == "same" and (n + args.strides[k] - 1) // args.strides[k]
      or (n - wide) // args.strides[k] + 1
  end
  sizes[#sizes + 1] = self.filters
  return sizes
end

function ConvLSTMCell:build(input_shape)
  local args, axes = self.args, #self.args.kernel_size
  local channels = spatial.channels({ name = recurrence.place(self) }, input_shape, axes)
  self.state_sizes = sizes_of(self, input_shape)
  local function shape(from)
    return table.move({ from, 4 * self.filters }, 1, 2, axes + 1, table.move(args.kernel_size, 1, axes, 1, {}))
  end
  self.kernel = self:add_argument_weight("kernel", shape(channels))
  self.recurrent_kernel = self:add_argument_weight("recurrent_kernel", shape(self.filters), "recurrent")
  if args.use_bias then self.bias = LSTMCell.build_forget_bias(self, self.filters) end
end

-- Each gate drops on its own, whatever the rates.
function ConvLSTMCell:mask_count() return 4 end

-- x convolved with the columns of a kernel that belong to the gates, four results.
local function convolve(self, x, kind, kernel, bias, options)
  local who, own = ("layer '%s'"):format(recurrence.place(self)), self:drops(kind)
  if not own then
    return ops.split(spatial.conv(who, x, kernel, bias, "linear", options), 4, -1)
  end
  local kernels, biases, list = ops.split(kernel, 4, -1), bias and ops.split(bias, 4, 1), {}
  for k = 1, 4 do
    list[k] = spatial.conv(who, self:dropped(x, kind, k), kernels[k], biases and biases[k], "linear", options)
  end
  return list
end

-- The recurrent convolution keeps the sizes of the state.
local function recurrent_options(axes)
  local ones = {}
  for k = 1, axes do ones[k] = 1 end
  return { strides = ones, padding = "same", dilation_rate = ones, groups = 1 }
end

local function input_options(args)
  return { strides = args.strides, padding = args.padding, dilation_rate = args.dilation_rate, groups = 1 }
end

function ConvLSTMCell:get_initial_state(batch)
  local shape = table.move(self.state_sizes, 1, #self.state_sizes, 2, { batch })
  local zeros = recurrence.filled(shape, 0, self.dtype)
  return { zeros, zeros }
end

function ConvLSTMCell:call(x, states)
  local bias = self.bias and core.read(self.bias)
  local from_x = convolve(self, x, "inputs", core.read(self.kernel), bias, input_options(self.args))
  local from_h = convolve(self, states[1], "states", core.read(self.recurrent_kernel), nil,
    recurrent_options(#self.args.kernel_size))
  local wide = {}
  for k = 1, 4 do wide[k] = from_x[k] + from_h[k] end
  local h, c = LSTMCell.advance(self, wide, states[2])
  return h, { h, c }
end

return ConvLSTMCell
