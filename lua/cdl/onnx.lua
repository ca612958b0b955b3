--- Models as ONNX files (`model:export "model.onnx"`), for onnxruntime and others that compute from them.
--
-- The model is traced as for predict, and each node of the graph becomes operators of ONNX; so layers
-- written in Lua are exported like the built-in ones. What depends on weights alone is computed
-- beforehand. Sizes that are unknown in the model, the batch above all, are unknown in the file.
local autodiff = require "cdl.autodiff"
local class = require "cdl.class"
local core = require "cdl.core"
local Builder = require "cdl.onnx.builder"
local ops = require "cdl.onnx.ops"
local signature = require "cdl.signature"
local sizes = require "cdl.onnx.sizes"


local M = {}

local MOST_BYTES = 2 ^ 31 - 1 -- of a protobuf message

-- Names, types and structure of the inputs, by the model or by input_signature.
local function input_types(model, given)
  local graph = rawget(model, "_graph")
  local types = {}
  for i, input in ipairs(graph and graph.inputs or {}) do
    types[i] = { name = graph.input_names[i], dtype = input.dtype, shape = input.shape }
  end
  if given and #given > 0 and type(given[1]) ~= "table" then given = { given } end
  if not given then
    if #types > 0 then return types end
    core.raise(("export: model '%s' does not know the shapes of its inputs: give input_signature = { {-1, ...} }")
      :format(model.name))
  end
  if #types > 0 and #given ~= #types then
    core.raise(("export: model '%s' has %d inputs, input_signature has %d shapes"):format(model.name, #types, #given))
  end
  for i, shape in ipairs(given) do
    if types[i] then model:check_input(graph.inputs[i], types[i].name, shape) end
    local name = #given == 1 and "input" or ("input_%d"):format(i)
    types[i] = { name = types[i] and types[i].name or name, dtype = types[i] and types[i].dtype or "float32",
      shape = shape }
  end
  return types
end

-- The types for which a model is built: all models but Sequential want to know the sizes.
local function buildable(model, types)
  if class.is(model, require "cdl.sequential") then return types end
  local known = {}
  for i, kind in ipairs(types) do
    known[i] = { dtype = kind.dtype, shape = {} }
    for k, n in ipairs(kind.shape) do known[i].shape[k] = n < 0 and 1 or n end
  end
  return known
end

-- What predict computes, as a function of traced tensors.
local function prediction(model)
  local steps = core.variable(core.tensor({ 0 }, "int64"), "export/step", false)
  return function(...)
    local leaves = { ... }
    return autodiff.with_steps(steps, { training = false, path = "", stream = "export" }, function()
      local y = table.pack(model:invoke(model:pack_inputs(leaves), false))
      y.n = nil
      return y
    end)
  end
end

local function fail(model, node, text)
  core.raise(("export: model '%s'%s: %s"):format(model.name,
    node.path ~= "" and (", layer '" .. node.path .. "'") or "", text), node.where ~= "" and node.where or nil)
end

local function prefix_of(node) return node.path ~= "" and node.path .. "/" or "" end

local function emit(b, model, node, inputs)
  local write = ops[node.op]
  if not write then fail(model, node, ("the operation '%s' has no counterpart in ONNX"):format(node.op)) end
  local function int(k)
    local value = node.i[k + 1]
    if math.type(value) ~= "integer" then
      fail(model, node, ("how '%s' works depends on the sizes of the inputs; input_signature fixes them"):format(
        node.op))
    end
    return value
  end
  b.prefix = prefix_of(node)
  local results = table.pack(write(b, node, inputs, int))
  if results[1] == nil then
    fail(model, node, results[2] or ("this form of '%s' has no counterpart in ONNX"):format(node.op))
  end
  return results
end

-- An operator on each element does as well with the channels in front.
local SIMPLE = { relu = true, tanh = true, sigmoid = true, neg = true, abs = true, exp = true, softplus = true }

-- A value that does not depend on the inputs: it gets a name, and a place in the file, when that is asked
-- for.
local function constant(b, node)
  local value = { dtype = node.dtype, shape = node.shape, value = node.value }
  return setmetatable(value, { __index = function(_, key)
    if key ~= "name" then return nil end
    value.name = b:constant(node.value, node.variable or prefix_of(node) .. "constant")
    return value.name
  end })
end

-- Adds all nodes; gives the values by number.
local function write_nodes(b, model, graph)
  local values, results = {}, {}
  for number = 1, graph.count do
    local node = graph.nodes[number]
    if node then
      local value = node.value and constant(b, node) or { dtype = node.dtype, shape = node.shape }
      values[number] = value
      if node.op == "input" then
        value.name = b.inputs[node.i[1] + 1].name
      elseif node.op == "output" and not node.value then
        value.name = results[node.inputs[1]][node.i[1] + 1]
      elseif not node.value then
        local inputs = {}
        for i, from in ipairs(node.inputs) do inputs[i] = values[from] end
        if SIMPLE[node.op] and inputs[1].first then
          local twin = { dtype = inputs[1].dtype, shape = inputs[1].shape, name = inputs[1].first }
          value.first = emit(b, model, node, { twin })[1]
        end
        results[number] = emit(b, model, node, inputs)
        value.name = results[number][1]
        if ops.spatial[node.op] then value.first = results[number][2] end
      end
    end
  end
  return values
end

local function output_names(model, count)
  if model.output_names then return model.output_names end
  local names = {}
  for i = 1, count do names[i] = count == 1 and "output" or ("output_%d"):format(i) end
  return names
end

--- The parts of the ONNX file of a model, for core.write_parts.
function M.parts(model, input_signature)
  local types = input_types(model, input_signature)
  model:ensure_model(buildable(model, types))
  local graph = sizes.trace(model, prediction(model), types)
  local b = Builder.new(model.name)
  b.inputs = {}
  for i, kind in ipairs(types) do
    b.inputs[i] = { name = b:unique(kind.name), dtype = kind.dtype, shape = graph.input_shapes[i] }
  end
  local names = output_names(model, #graph.outputs)
  for i, name in ipairs(names) do names[i] = b:unique(name) end
  local values, outputs = write_nodes(b, model, graph), {}
  for i, number in ipairs(graph.outputs) do
    outputs[i] = { name = names[i], dtype = values[number].dtype, shape = values[number].shape }
    b:rename(values[number].name, names[i])
  end
  local parts, bytes = b:parts(b.inputs, outputs)
  if bytes > MOST_BYTES then
    core.raise(("export: model '%s' takes %.1f GB; an ONNX file holds 2"):format(model.name, bytes / 1e9))
  end
  return parts
end

local export = signature.method("export", {
  { "self", "any", required = true },
  { "filepath", "string", required = true, doc = "name of the file", alias = "path" },
  { "format", { "onnx" }, "onnx", doc = "what is written" },
  { "input_signature", "list",
    doc = "shapes of the inputs with the batch, -1 where unknown; the model's own if left out" },
}, "Writes what predict computes to an ONNX file, for onnxruntime and other programs. Sizes that are -1, such as "
  .. "the batch, stay open.", function(self, filepath, _, input_signature)
  local done, message = core.write_parts(filepath, M.parts(self, input_signature))
  if not done then core.raise("export: " .. message) end
end)

--- Gives models this method.
function M.install(Model) Model.export = export end

return M
