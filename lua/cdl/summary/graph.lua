--- writer:graph: a model for the Graphs tab. A node is a call of a layer, and its weights are nodes beside
-- it in a scope of the layer's name; edges carry the shapes, nested models are scopes of their own.
local class = require "cdl.class"
local core = require "cdl.core"
local protobuf = require "cdl.protobuf"
local symbol = require "cdl.symbol"
local words = require "cdl.words"

local int, text, message, float = protobuf.int, protobuf.text, protobuf.message, protobuf.float

local DTYPES = { float32 = 1, float64 = 2, int32 = 3, uint8 = 4, int64 = 9, bool = 10 }

local function shape_proto(shape)
  local sizes = {}
  for i, n in ipairs(shape) do sizes[i] = message(2, int(1, n)) end
  return table.concat(sizes)
end

local function attribute(key, value) return message(5, text(1, key), message(2, value)) end

-- What a NodeDef says of its outputs; the shapes stand on the edges.
local function describe_outputs(outputs)
  local shapes = {}
  for i = 1, #outputs do shapes[i] = message(7, shape_proto(outputs[i].shape)) end
  return attribute("_output_shapes", message(1, table.concat(shapes)))
    .. attribute("dtype", int(6, DTYPES[outputs[1].dtype]))
end

-- The plain arguments of a layer: they are shown when its node is clicked.
local function describe_arguments(layer)
  local parts = {}
  local args = type(layer.args) == "table" and layer.args or {}
  for _, key in ipairs(words.sorted_keys(args)) do
    local value = args[key]
    local kind = math.type(value) or type(value)
    local encoded = kind == "string" and text(2, value) or kind == "integer" and int(3, value)
      or kind == "float" and float(4, value) or kind == "boolean" and int(5, value)
    if encoded and key ~= "name" and key ~= "dtype" then parts[#parts + 1] = attribute(key, encoded) end
  end
  return table.concat(parts)
end

local Graph = class "Graph"

function Graph:init() self.nodes, self.taken, self.calls = {}, {}, {} end

-- Adds a NodeDef; its name, made unique.
function Graph:add(name, op, inputs, rest)
  local unique, n = name, 1
  while self.taken[unique] do unique, n = ("%s_%d"):format(name, n), n + 1 end
  self.taken[unique] = true
  local parts = { text(1, unique), text(2, op) }
  for _, input in ipairs(inputs) do parts[#parts + 1] = text(3, input) end
  self.nodes[#self.nodes + 1] = message(1, table.concat(parts), rest)
  return unique
end

-- The nodes of a layer's weights, once.
function Graph:add_weights(layer, scope)
  if not self.calls[layer] then
    local names = {}
    for i, variable in ipairs(layer.weights) do
      names[i] = self:add(scope .. "/" .. variable.name, "Variable", {}, describe_outputs { variable })
    end
    self.calls[layer] = names
  end
  return table.move(self.calls[layer], 1, #self.calls[layer], 1, {})
end

-- A call of a layer, or of a function between layers.
function Graph:add_call(record, scope, inputs)
  local layer = record.layer
  if not layer then
    local name = record.name or "function"
    return self:add(scope .. name, name, inputs, describe_outputs(record.outputs))
  end
  local name = scope .. layer.name
  local op = class.name_of(layer) or "Layer"
  if #layer.weights == 0 then
    return self:add(name, op, inputs, describe_outputs(record.outputs) .. describe_arguments(layer))
  end
  local all = self:add_weights(layer, name)
  table.move(inputs, 1, #inputs, #all + 1, all)
  return self:add(name .. "/" .. op, op, all, describe_outputs(record.outputs) .. describe_arguments(layer))
end

local function output_name(node, k) return k == 1 and node or ("%s:%d"):format(node, k - 1) end

-- Adds the records of a model's graph. of: the node output that each symbol is, with the inputs in it.
function Graph:add_model(graph, scope, of)
  for _, record in ipairs(graph.records) do
    local inputs = {}
    for i, input in ipairs(symbol.inputs_of(record.outputs[1])) do inputs[i] = of[input] end
    local inner = record.layer and rawget(record.layer, "_graph")
    if inner and #inner.inputs == #inputs then
      local inside = {}
      for i, input in ipairs(inner.inputs) do
        inside[input] = self:add(("%s%s/%s"):format(scope, record.layer.name, inner.input_names[i]), "Input",
          { inputs[i] }, describe_outputs { input })
      end
      self:add_model(inner, scope .. record.layer.name .. "/", inside)
      for k, output in ipairs(record.outputs) do of[output] = inside[inner.outputs[k]] end
    else
      local node = self:add_call(record, scope, inputs)
      for k, output in ipairs(record.outputs) do of[output] = output_name(node, k) end
    end
  end
end

-- A model without a graph of its own: its layers side by side.
function Graph:add_layers(model)
  for _, layer in ipairs(model.layers) do
    local inputs = self:add_weights(layer, layer.name)
    local op = class.name_of(layer) or "Layer"
    self:add(#inputs > 0 and layer.name .. "/" .. op or layer.name, op, inputs, describe_arguments(layer))
  end
end

-- The model as a GraphDef.
local function encode(model)
  local nodes, graph = Graph(), rawget(model, "_graph")
  if graph then
    local of = {}
    for i, input in ipairs(graph.inputs) do
      of[input] = nodes:add(graph.input_names[i], "Input", {}, describe_outputs { input })
    end
    nodes:add_model(graph, "", of)
  else
    nodes:add_layers(model)
  end
  return table.concat(nodes.nodes) .. message(4, int(1, 22))
end

return function(summary)
  summary.define("graph", { summary.rows.self,
    { "model", "data", required = true, doc = "a model that is built" },
  }, "Writes a model for the Graphs tab.", function(self, model)
    local Model = require "cdl.model"
    if not class.is(model, Model) then
      core.raise(("graph: wanted a model, got %s"):format(words.describe(model)))
    elseif not model.built and #model.weights == 0 then
      core.raise(("graph: model '%s' is not built yet: call model:build{-1, ...}, or fit it"):format(model.name))
    end
    self:write_graph(encode(model))
  end)
end
