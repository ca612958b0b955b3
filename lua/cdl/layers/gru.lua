--- GRU: gated recurrent unit over sequences.
local GRU = require "cdl.layers.base_recurrent" ("GRU", require "cdl.layers.gru_cell")
GRU.doc = "Gated recurrent unit (Cho et al. 2014) over {batch, steps, features}. Weights of its cell: kernel "
  .. "{features, 3 units}, recurrent_kernel {units, 3 units}, bias {2, 3 units} ({3 units} without reset_after); gates "
  .. "z r h. Called as gru(x), gru(x, h), gru{x, h} or gru(x, {initial_state = h})."
return GRU
