--- LSTMCell: one step of a long short-term memory.
local activations = require "cdl.activations"
local Cell = require "cdl.layers.recurrent_cell"
local initializers = require "cdl.initializers"
local ops = require "cdl.ops"
local rows = require "cdl.layers.recurrent_rows"

local LSTMCell = Cell:extend "LSTMCell"
LSTMCell.doc = "One step of an LSTM (Hochreiter and Schmidhuber 1997): cell(x, {h, c}) gives h, {h, c}. i, f, o = "
  .. "recurrent_activation(x kernel + h recurrent_kernel + bias), g = activation(the same), c = f c + i g, "
  .. "h = o activation(c); gates in the order i f g o."
LSTMCell.signature = rows.cells.LSTM
LSTMCell.kind, LSTMCell.gates, LSTMCell.cell_name = "LSTM", 4, "lstm_cell"
LSTMCell.output_is_state = true

function LSTMCell:init(args)
  Cell.init(self, args)
  self.state_size = { args.units, args.units }
end

--- A bias whose second quarter is ones where unit_forget_bias says so.
function LSTMCell.build_forget_bias(cell, units)
  local args = cell.args
  local initializer = initializers.get(args.bias_initializer)
  local function with_ones(_, dtype)
    return ops.concat({ initializer({ units }, dtype), ops.ones({ units }, dtype),
      initializer({ 2 * units }, dtype) }, 1)
  end
  return cell:add_weight { name = "bias", shape = { 4 * units },
    initializer = args.unit_forget_bias and with_ones or initializer,
    regularizer = args.bias_regularizer, constraint = args.bias_constraint }
end

function LSTMCell:build_bias() self.bias = LSTMCell.build_forget_bias(self, self.units) end

--- The new h and c from what the gates receive.
function LSTMCell:advance(wide, c)
  local gate, act = self.recurrent_activation, self.activation
  c = gate(wide[2]) * c + gate(wide[1]) * act(wide[3])
  return gate(wide[4]) * act(c), c
end

function LSTMCell:call(x, states)
  local from_x = self:products(x, "inputs", self.kernel, self.bias, 4)
  local from_h = self:products(states[1], "states", self.recurrent_kernel, nil, 4)
  local wide = {}
  for k = 1, 4 do wide[k] = from_x[k] + from_h[k] end
  local h, c = self:advance(wide, states[2])
  return h, { h, c }
end

function LSTMCell:fits_row()
  return activations.name_of(self.activation) == "tanh"
    and activations.name_of(self.recurrent_activation) == "sigmoid"
end

return LSTMCell
