--- GRUCell: one step of a gated recurrent unit.
local activations = require "cdl.activations"
local Cell = require "cdl.layers.recurrent_cell"
local ops = require "cdl.ops"
local rows = require "cdl.layers.recurrent_rows"

local GRUCell = Cell:extend "GRUCell"
GRUCell.doc = "One step of a gated recurrent unit (Cho et al. 2014): cell(x, {h}) gives h, {h}. z, r = "
  .. "recurrent_activation(x kernel + h recurrent_kernel + bias); the candidate is activation(x kernel + r (h "
  .. "recurrent_kernel)), or (r h) recurrent_kernel without reset_after; h = z h + (1 - z) candidate; gates in the "
  .. "order z r h."
GRUCell.signature = rows.cells.GRU
GRUCell.kind, GRUCell.gates, GRUCell.cell_name = "GRU", 3, "gru_cell"
GRUCell.output_is_state = true

function GRUCell:init(args)
  Cell.init(self, args)
  self.state_size, self.reset_after = args.units, args.reset_after
end

-- With reset_after the products of the inputs and of the state have a bias each.
function GRUCell:bias_shape()
  local width = 3 * self.units
  return self.reset_after and { 2, width } or { width }
end

function GRUCell:build_bias() self.bias = self:add_argument_weight("bias", self:bias_shape()) end

-- The part of the candidate that comes from the state, without reset_after.
local function reset_before(self, h, reset)
  local columns = { 2 * self.units + 1, 3 * self.units }
  return ops.matmul(reset * self:dropped(h, "states", 3), self.recurrent_kernel[{ {}, columns }])
end

function GRUCell:call(x, states)
  local h, after = states[1], self.reset_after
  local gate, input_bias, recurrent_bias = self.recurrent_activation, self.bias, nil
  if self.bias and after then input_bias, recurrent_bias = self.bias[1], self.bias[2] end
  local from_x = self:products(x, "inputs", self.kernel, input_bias, 3)
  local kernel = self.recurrent_kernel
  if not after then kernel = kernel[{ {}, { 1, 2 * self.units } }] end
  local from_h = self:products(h, "states", kernel, recurrent_bias, after and 3 or 2)
  local z, reset = gate(from_x[1] + from_h[1]), gate(from_x[2] + from_h[2])
  local part = after and reset * from_h[3] or reset_before(self, h, reset)
  local candidate = self.activation(from_x[3] + part)
  local new = candidate + z * (h - candidate)
  return new, { new }
end

function GRUCell:fits_row()
  return self.reset_after and activations.name_of(self.activation) == "tanh"
    and activations.name_of(self.recurrent_activation) == "sigmoid"
end

return GRUCell
