--- Recurrent layers as ONNX's RNN, GRU and LSTM, which want the time first and the gates in another order.
local ops = require "cdl.ops"

-- By cdl's kind: the operator, and where its gates are among Keras's.
local KINDS = {
  [0] = { op = "RNN", gates = { 1 } },
  { op = "GRU", gates = { 1, 2, 3 } }, -- update, reset, new
  { op = "LSTM", gates = { 1, 4, 2, 3 } }, -- input, output, forget, new from input, forget, new, output
}

local ACTIVATIONS = { [0] = "Affine", "Relu", "Tanh", "Sigmoid" }

-- The gates on the last axis in ONNX's order.
local function reorder(w, gates)
  if #gates == 1 then return w end
  local parts, all = ops.split(w, #gates, -1), {}
  for i, gate in ipairs(gates) do all[i] = parts[gate] end
  return ops.concat(all, -1)
end

local function weights(b, value, gates) -- {F, G U} -> {1, G U, F}
  return b:constant(ops.expand_dims(ops.transpose(reorder(value, gates)), 1):contiguous())
end

-- {G U} or {2, G U} -> {1, 2 G U}: what is added to the input's part, and to the state's.
local function biases(b, value, gates)
  local both = reorder(value, gates)
  if both.ndim == 1 then both = ops.stack { both, ops.zeros_like(both) } end
  return b:constant(both:contiguous():reshape { 1, -1 })
end

return function(M)
  function M.rnn(b, _, inputs, int)
    local kind = KINDS[int(0)]
    local x, kernel, recurrent, bias = table.unpack(inputs, 1, 4)
    local is_lstm = kind.op == "LSTM"
    if inputs[is_lstm and 7 or 6] then return nil, "recurrent layers over masked sequences have no counterpart" end
    if not (kernel.value and recurrent.value and bias.value) then
      return nil, "recurrent layers whose weights depend on the inputs have no counterpart"
    end
    local units = recurrent.value.shape[1]
    local time_first = b:node("Transpose", { x.name }, { perm = { 1, 0, 2 } })
    if int(1) == 1 then
      local first, behind, step = b:ints { -1 }, b:ints { math.mininteger + 1 }, b:ints { -1 }
      time_first = b:node("Slice", { time_first, first, behind, b:ints { 0 }, step })
    end
    local names = { time_first, weights(b, kernel.value, kind.gates), weights(b, recurrent.value, kind.gates),
      biases(b, bias.value, kind.gates), "", b:node("Unsqueeze", { inputs[5].name, b:ints { 0 } }) }
    local attributes = { hidden_size = units }
    if is_lstm then names[7] = b:node("Unsqueeze", { inputs[6].name, b:ints { 0 } }) end
    if kind.op == "GRU" then attributes.linear_before_reset = 1 end
    if kind.op == "RNN" then
      attributes.activations = { ACTIVATIONS[int(2)] }
      if int(2) == 0 then attributes.activation_alpha, attributes.activation_beta = { 1.0 }, { 0.0 } end
    end
    local y, h, c = b:node(kind.op, names, attributes, is_lstm and 3 or 2)
    local batch_first = b:node("Transpose", { b:node("Squeeze", { y, b:ints { 1 } }) }, { perm = { 1, 0, 2 } })
    local last = b:node("Squeeze", { h, b:ints { 0 } })
    return batch_first, last, is_lstm and b:node("Squeeze", { c, b:ints { 0 } }) or last
  end
end
