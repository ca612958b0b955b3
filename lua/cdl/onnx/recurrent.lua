--- Recurrent layers as ONNX's RNN, GRU and LSTM, which want the time first and the gates in another order.
local Builder = require "cdl.onnx.builder"
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

-- The steps one by one, where a mask tells which count: the others keep the states, and so repeat the
-- output, which is the state.
local function masked(b, kind, names, attributes, steps, mask, states)
  local counts = b:node("Cast", { b:node("Unsqueeze", { mask, b:ints { 2 } }) }, { to = Builder.type "bool" })
  local n, dtypes = #states, {}
  for i = 1, n + 1 do dtypes[i] = "float32" end
  local results = table.move(dtypes, 1, n + 1, 1, {})
  dtypes[n + 2] = "bool"
  local body = b:body(dtypes, results, function(each)
    local inner = table.move(names, 1, #names, 1, {})
    inner[1] = b:node("Unsqueeze", { each[n + 1], b:ints { 0 } })
    for i = 1, n do inner[5 + i] = b:node("Unsqueeze", { each[i], b:ints { 0 } }) end
    local new, outputs = { b:node(kind.op, inner, attributes, 1 + n) }, {}
    for i = 1, n do
      local state = b:node("Squeeze", { new[1 + i], b:ints { 0 } })
      outputs[i] = b:node("Where", { each[n + 2], state, each[i] })
    end
    outputs[n + 1] = b:node("Identity", { outputs[1] })
    return outputs
  end)
  local given = table.move(states, 1, n, 1, {})
  given[n + 1], given[n + 2] = steps, counts
  local ends = { b:node("Scan", given, { body = body, num_scan_inputs = 2 }, n + 1) }
  return ends[n + 1], ends[1], ends[2]
end

return function(M)
  function M.rnn(b, _, inputs, int)
    local kind = KINDS[int(0)]
    local x, kernel, recurrent, bias = table.unpack(inputs, 1, 4)
    local is_lstm = kind.op == "LSTM"
    local mask = inputs[is_lstm and 7 or 6]
    if not (kernel.value and recurrent.value and bias.value) then
      return nil, "recurrent layers whose weights depend on the inputs have no counterpart"
    end
    -- The time comes first; its last step, where the layer goes backwards.
    local function steps_of(name, perm)
      local steps = b:node("Transpose", { name }, { perm = perm })
      if int(1) == 0 then return steps end
      local first, behind, step = b:ints { -1 }, b:ints { math.mininteger + 1 }, b:ints { -1 }
      return b:node("Slice", { steps, first, behind, b:ints { 0 }, step })
    end
    local steps = steps_of(x.name, { 1, 0, 2 })
    local names = { steps, weights(b, kernel.value, kind.gates), weights(b, recurrent.value, kind.gates),
      biases(b, bias.value, kind.gates), "" }
    local attributes = { hidden_size = recurrent.value.shape[1] }
    if kind.op == "GRU" then attributes.linear_before_reset = 1 end
    if kind.op == "RNN" then
      attributes.activations = { ACTIVATIONS[int(2)] }
      if int(2) == 0 then attributes.activation_alpha, attributes.activation_beta = { 1.0 }, { 0.0 } end
    end
    local states = { inputs[5].name, is_lstm and inputs[6].name or nil }
    if mask then
      local y, h, c = masked(b, kind, names, attributes, steps, steps_of(mask.name, { 1, 0 }), states)
      return b:node("Transpose", { y }, { perm = { 1, 0, 2 } }), h, c or h
    end
    for i, state in ipairs(states) do names[5 + i] = b:node("Unsqueeze", { state, b:ints { 0 } }) end
    local y, h, c = b:node(kind.op, names, attributes, 1 + #states)
    local batch_first = b:node("Transpose", { b:node("Squeeze", { y, b:ints { 1 } }) }, { perm = { 1, 0, 2 } })
    local last = b:node("Squeeze", { h, b:ints { 0 } })
    return batch_first, last, is_lstm and b:node("Squeeze", { c, b:ints { 0 } }) or last
  end
end
