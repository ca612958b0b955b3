--- What TensorBoard looks at beside weights and metrics: the outputs of a model's layers and the gradients of its
-- loss, for the first rows of the validation data.
local core = require "cdl.core"
local scope = require "cdl.scope"
local symbol = require "cdl.symbol"
local tree = require "cdl.tree"
local words = require "cdl.words"

local M = {}

local ROWS = 128

-- The first rows of each tensor of a structure, as a flat list, and the structure.
local function first_rows(x)
  local leaves, spec = { x }, { kind = "leaf" }
  if words.is_plain(x) then leaves, spec = tree.flatten(x, nil, "validation data") end
  local cut = {}
  for i, leaf in ipairs(leaves) do cut[i] = leaf[{ { 1, math.min(ROWS, leaf.shape[1]) } }] end
  return cut, spec
end

-- The tensors that the layers of a functional model give, with names.
local function layer_outputs(graph)
  local list = {}
  for _, record in ipairs(graph.records) do
    for k, output in ipairs(record.layer and record.outputs or {}) do
      local name = record.layer.name
      list[#list + 1] = { name = k == 1 and name or ("%s_%d"):format(name, k), symbol = output }
    end
  end
  return list
end

local function types_of(leaves)
  local specs = {}
  for i, leaf in ipairs(leaves) do specs[i] = { dtype = leaf.dtype, shape = leaf.shape } end
  return specs
end

-- What a step of evaluation sees, without a stream of random numbers that a later step would miss.
local function in_scope(model, body)
  return scope.with({ training = false, losses = {}, metrics = {}, path = "", stream = "probe" .. model.number }, body)
end

local function run(plan, leaves)
  local values = table.pack(plan:run(table.unpack(leaves)))
  values.n = nil
  return values
end

--- A function of validation data {x, y, w} that gives the outputs of all layers, a list of {name =, value =}.
function M.activations(model)
  local graph = rawget(model, "_graph")
  if not graph then
    core.raise(("TensorBoard: activation_freq wants a Sequential or functional model; model '%s' has its own call")
      :format(model.name))
  end
  local outputs, plan = layer_outputs(graph), nil
  return function(data)
    local leaves = first_rows(data[1])
    plan = plan or core.trace(function(...)
      local traced, value = { ... }, {}
      for i, input in ipairs(graph.inputs) do value[input] = traced[i] end
      local results = {}
      in_scope(model, function() symbol.replay(graph.records, value) end)
      for i, output in ipairs(outputs) do results[i] = value[output.symbol] end
      return results
    end, types_of(leaves))
    local found = {}
    for i, value in ipairs(run(plan, leaves)) do found[i] = { name = outputs[i].name, value = value } end
    return found
  end
end

--- A function of validation data {x, y, w} that gives the gradients of the loss by the trainable weights.
function M.gradients(model)
  local weights, plan = model.trainable_weights, nil
  return function(data)
    local x, x_spec = first_rows(data[1])
    local y, y_spec = first_rows(data[2])
    local leaves = table.move(y, 1, #y, #x + 1, table.move(x, 1, #x, 1, {}))
    plan = plan or core.trace(function(...)
      local traced = { ... }
      local inputs = model:pack_inputs(table.move(traced, 1, #x, 1, {}), x_spec)
      local labels = tree.pack(y_spec, table.move(traced, #x + 1, #traced, 1, {}))
      return in_scope(model, function()
        local loss = model:compute_loss(inputs, labels, model(inputs, false))
        return (core.gradients({ loss }, weights, true))
      end)
    end, types_of(leaves))
    local found = {}
    for i, value in ipairs(run(plan, leaves)) do found[i] = { name = weights[i].path, value = value } end
    return found
  end
end

return M
