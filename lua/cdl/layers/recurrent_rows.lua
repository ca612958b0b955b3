--- The arguments of recurrent layers and of their cells, in Keras's order.
local M = {}

local signature = require "cdl.signature"

local units = { "units", "integer", required = true, min = 1, doc = "size of the output and of each state" }
local activation = { "activation", "any", "tanh", null = true, doc = "name or function: of the new values" }
local gates = { "recurrent_activation", "any", "sigmoid", null = true, doc = "name or function: of the gates" }
local use_bias = { "use_bias", "boolean", true, doc = "whether a bias is added" }
local initializers = {
  { "kernel_initializer", "any", "glorot_uniform", doc = "first values of the kernel, which the inputs meet" },
  { "recurrent_initializer", "any", "orthogonal", doc = "first values of the recurrent kernel, which the state meets" },
  { "bias_initializer", "any", "zeros", doc = "first values of the bias" },
}
local forget = { "unit_forget_bias", "boolean", true, doc = "the bias of the forget gate starts at 1" }
local regularizers = {
  { "kernel_regularizer", "any", doc = "penalty on the kernel" },
  { "recurrent_regularizer", "any", doc = "penalty on the recurrent kernel" },
  { "bias_regularizer", "any", doc = "penalty on the bias" },
}
local activity = { "activity_regularizer", "any", doc = "penalty on the output" }
local constraints = {
  { "kernel_constraint", "any", doc = "applied to the kernel after each update" },
  { "recurrent_constraint", "any", doc = "applied to the recurrent kernel after each update" },
  { "bias_constraint", "any", doc = "applied to the bias after each update" },
}
local dropout = {
  { "dropout", "number", 0, min = 0, max = 1, doc = "share of the inputs dropped while training" },
  { "recurrent_dropout", "number", 0, min = 0, max = 1,
    doc = "share of the state dropped on its way into the gates while training" },
}
local seed = { "seed", "integer", doc = "for dropout; drawn from cdl.random's seed if left out" }
local reset_after = { "reset_after", "boolean", true,
  doc = "the reset gate works on the state's product; false: on the state before it" }

--- What every layer over sequences takes behind its own arguments.
M.sequence = {
  { "return_sequences", "boolean", false, doc = "the outputs of all steps; else the last one" },
  { "return_state", "boolean", false, doc = "the last states as further outputs" },
  { "go_backwards", "boolean", false, doc = "the last step comes first; outputs in the order of processing" },
  { "stateful", "boolean", false, doc = "a batch starts with the states that the one before it ended with" },
  { "unroll", "boolean", false, doc = "as in Keras; the results are the same" },
}
M.zero_output = { "zero_output_for_mask", "boolean", false,
  doc = "masked steps give zeros; else they repeat the output before" }

--- A cell of the class Cell, named and of the dtype that a layer's arguments say, from those of the
-- layer's arguments that are the cell's, too.
function M.make_cell(Cell, args)
  local own = { name = Cell.cell_name, dtype = args.dtype }
  for _, row in ipairs(Cell.signature) do
    local name, value = row[1], args[row[1]]
    if value == nil and row.null then value = signature.null end
    own[name] = value
  end
  return Cell(own)
end

--- Rows, and lists of rows, as one list.
function M.join(...)
  local rows = {}
  for _, part in ipairs { ... } do
    if type(part[1]) == "string" then part = { part } end
    table.move(part, 1, #part, #rows + 1, rows)
  end
  return rows
end

--- The rows of a cell ("SimpleRNN", "GRU" or "LSTM").
M.cells = {
  SimpleRNN = M.join(units, activation, use_bias, initializers, regularizers, constraints, dropout, seed),
  GRU = M.join(units, activation, gates, use_bias, initializers, regularizers, constraints, dropout, reset_after,
    seed),
  LSTM = M.join(units, activation, gates, use_bias, initializers, forget, regularizers, constraints, dropout, seed),
}

--- The rows of its layer.
M.layers = {
  SimpleRNN = M.join(units, activation, use_bias, initializers, regularizers, activity, constraints, dropout,
    M.sequence, seed, M.zero_output),
  GRU = M.join(units, activation, gates, use_bias, initializers, regularizers, activity, constraints, dropout, seed,
    M.sequence, reset_after, M.zero_output),
  LSTM = M.join(units, activation, gates, use_bias, initializers, forget, regularizers, activity, constraints,
    dropout, seed, M.sequence, M.zero_output),
}

--- What ConvLSTM layers and cells take behind those of the convolution.
M.conv_cell = M.join(activation, gates, use_bias, initializers, forget, regularizers, constraints, dropout, seed)
M.conv_layer = M.join(activation, gates, use_bias, initializers, forget, regularizers, activity, constraints, dropout,
  seed, M.sequence, M.zero_output)

return M
