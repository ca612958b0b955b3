--- LSTM: long short-term memory over sequences.
local LSTM = require "cdl.layers.base_recurrent" ("LSTM", require "cdl.layers.lstm_cell")
LSTM.doc = "Long short-term memory (Hochreiter and Schmidhuber 1997) over {batch, steps, features}; states h and c. "
  .. "Weights of its cell: kernel {features, 4 units}, recurrent_kernel {units, 4 units}, bias {4 units}; gates i f g "
  .. "o. Called as lstm(x), lstm(x, h, c), lstm{x, h, c} or lstm(x, {initial_state = {h, c}})."
return LSTM
