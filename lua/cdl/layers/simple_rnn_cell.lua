--- SimpleRNNCell: one step of a plain recurrent layer.
local activations = require "cdl.activations"
local Cell = require "cdl.layers.recurrent_cell"
local rows = require "cdl.layers.recurrent_rows"

local SimpleRNNCell = Cell:extend "SimpleRNNCell"
SimpleRNNCell.doc = "One step of a plain recurrent layer: cell(x, {h}) gives h, {h} with "
  .. "h = activation(x kernel + h recurrent_kernel + bias)."
SimpleRNNCell.signature = rows.cells.SimpleRNN
SimpleRNNCell.kind, SimpleRNNCell.gates, SimpleRNNCell.cell_name = "SimpleRNN", 1, "simple_rnn_cell"
SimpleRNNCell.output_is_state = true

function SimpleRNNCell:init(args)
  Cell.init(self, args)
  self.state_size = args.units
end

function SimpleRNNCell:call(x, states)
  local from_x = self:products(x, "inputs", self.kernel, self.bias, 1)
  local from_h = self:products(states[1], "states", self.recurrent_kernel, nil, 1)
  local h = self.activation(from_x[1] + from_h[1])
  return h, { h }
end

function SimpleRNNCell:fits_row()
  return self.row_activations[activations.name_of(self.activation)] ~= nil
end

return SimpleRNNCell
