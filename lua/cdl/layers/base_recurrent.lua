--- SimpleRNN, GRU and LSTM: RNN with a cell of its own.
local RNN = require "cdl.layers.rnn"
local rows = require "cdl.layers.recurrent_rows"

return function(name, Cell)
  local Recurrent = RNN:extend(name)
  Recurrent.signature = rows.layers[name]

  function Recurrent:init(args)
    self.units = args.units
    self:set_cell(rows.make_cell(Cell, args), args)
  end

  return Recurrent
end
