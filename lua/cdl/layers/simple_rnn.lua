--- SimpleRNN: a plain recurrent layer.
local SimpleRNN = require "cdl.layers.base_recurrent" ("SimpleRNN", require "cdl.layers.simple_rnn_cell")
SimpleRNN.doc = "A plain recurrent layer over {batch, steps, features}: h = activation(x kernel + h recurrent_kernel + "
  .. "bias). Weights of its cell: kernel {features, units}, recurrent_kernel {units, units}, bias {units}. "
  .. "Called as rnn(x), rnn(x, h), rnn{x, h} or rnn(x, {initial_state = h})."
return SimpleRNN
