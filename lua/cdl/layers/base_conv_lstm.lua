--- ConvLSTM1D, ConvLSTM2D and ConvLSTM3D: the class for a number of axes.
local Cell = require "cdl.layers.conv_lstm_cell"
local RNN = require "cdl.layers.rnn"
local rows = require "cdl.layers.recurrent_rows"

local SIZES = { "steps, size", "steps, rows, columns", "steps, planes, rows, columns" }

return function(name, axes)
  local shared = {
    { "filters", "integer", required = true, min = 1, doc = "channels of the output and of each state" },
    { "kernel_size", "size", required = true, axes = axes, doc = "sizes of the window" },
    { "strides", "size", 1, axes = axes, doc = "places from one window to the next; of the inputs' convolution" },
    { "padding", { "valid", "same" }, "valid", doc = "of the inputs' convolution; that of the state keeps its sizes" },
    { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
    { "dilation_rate", "size", 1, axes = axes, doc = "places from one element of the kernel to the next" },
  }
  local OwnCell = Cell:extend(("ConvLSTM%dDCell"):format(axes))
  OwnCell.signature = rows.join(shared, rows.conv_cell)

  local ConvLSTM = RNN:extend(name)
  ConvLSTM.doc = ("An LSTM over {batch, %s, channels} whose products are convolutions (Shi et al. 2015); states h and "
    .. "c. Weights of its cell: kernel {sizes, channels, 4 filters}, recurrent_kernel {sizes, filters, 4 filters}, "
    .. "bias {4 filters}; gates i f g o."):format(SIZES[axes])
  ConvLSTM.signature = rows.join(shared, rows.conv_layer)

  function ConvLSTM:init(args)
    self.filters = args.filters
    self:set_cell(rows.make_cell(OwnCell, args), args)
  end

  return ConvLSTM
end
