--- Models (`cdl.Model`): layers that can be compiled, trained and saved. A model made of symbols
-- is a functional model; a subclass defines `call` or `train_step`. Sequential is in
-- cdl/sequential.lua, compiling and the steps in cdl/compile.lua, the loops in cdl/fit.lua.
local class = require "cdl.class"
local core = require "cdl.core"
local graph_order = require "cdl.graph_order"
local Layer = require "cdl.layer"
local random = require "cdl.random"
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"
local tree = require "cdl.tree"
local words = require "cdl.words"

local Model = Layer:extend "Model"
Model.stop_training = false
Model.doc = "A model from symbolic inputs and outputs; or, extended, one with its own call or train_step (a class with "
  .. "a train_step alone may be made from inputs and outputs, too)."

local functional_signature = signature.new("Model", {
  { "inputs", "any", required = true, doc = "a symbolic tensor, or a list or dict of them" },
  { "outputs", "any", required = true, doc = "a symbolic tensor, or a list or dict of them" },
  { "name", "string", doc = "model, model_1, ... if left out" },
  { "trainable", "boolean", true, doc = "false freezes all layers" },
}, { doc = Model.doc })
signature.register(Model, functional_signature)

local function holds_symbol(x)
  if symbol.is(x) then return true end
  for _, entry in pairs(words.is_plain(x) and x or {}) do
    if symbol.is(entry) then return true end
  end
  return false
end

-- Whether a subclass without a call of its own is made from symbolic inputs and outputs.
local function is_of_symbols(cls, first, second)
  if cls.call ~= Model.call then return false end
  if words.is_plain(first) and second == nil then return holds_symbol(first.inputs) and holds_symbol(first.outputs) end
  return holds_symbol(first) and holds_symbol(second)
end

-- The functional arguments of one table, and the other ones, which are for init.
local function split_arguments(given)
  local own, others = {}, {}
  for key, value in pairs(given) do
    local into = functional_signature.by_name[key] and own or others
    into[key] = value
  end
  return own, others
end

function Model:new(...)
  local first, others = ...
  if self ~= Model then
    if not is_of_symbols(self, ...) then return Layer.new(self, ...) end
    if select("#", ...) == 1 then first, others = split_arguments(first) end
  end
  local args = functional_signature:read(first, select(2, ...))
  local model = Layer.make(self, { name = args.name, trainable = args.trainable })
  model:set_graph(args.inputs, args.outputs)
  if args.trainable == false then model.trainable = false end
  if self ~= Model and model.init then model:init(others or {}) end
  return model
end

-- ---- the graph of a functional model ----

local function symbols_of(x, what)
  local leaves, spec = tree.flatten(x, nil, what)
  for i, leaf in ipairs(leaves) do
    if not symbol.is(leaf) then
      core.raise(("%s: entry %d is %s; wanted a symbolic tensor (cdl.Input, or made from one)"):format(what, i,
        words.describe(leaf)))
    end
  end
  return leaves, spec
end

-- The name under which data for this tensor goes: the Input's, or of the layer that makes it.
local function name_of(leaf, spec, i)
  if spec.kind == "dict" then return spec.names[i] end
  local record = leaf.record
  return record.name or (record.layer and record.layer.name) or ("output_%d"):format(i)
end

local function names_of(leaves, spec, what)
  local names, seen = {}, {}
  for i, leaf in ipairs(leaves) do
    local name = name_of(leaf, spec, i)
    if seen[name] then
      seen[name] = seen[name] + 1
      name = ("%s_%d"):format(name, seen[name] - 1)
    else
      seen[name] = 1
    end
    if require "cdl.fit".is_option(name) then
      core.raise(("%s is named '%s', which is an option of fit; give it another name"):format(what, name))
    end
    names[i] = name
  end
  return names
end

local function check_inputs(leaves)
  local seen = {}
  for i, leaf in ipairs(leaves) do
    if seen[leaf] then core.raise(("Model: input %d is given twice"):format(i)) end
    seen[leaf] = true
  end
end

--- Sets inputs and outputs (symbols or structures of them).
function Model:set_graph(inputs, outputs)
  local in_leaves, in_spec = symbols_of(inputs, "Model: inputs")
  local out_leaves, out_spec = symbols_of(outputs, "Model: outputs")
  check_inputs(in_leaves)
  local records = symbol.between(in_leaves, out_leaves, ("model '%s'"):format(self.name))
  rawset(self, "_graph", {
    inputs = in_leaves, in_spec = in_spec, outputs = out_leaves, out_spec = out_spec, records = records, losses = {},
    input_names = names_of(in_leaves, in_spec, "an input"),
    output_names = names_of(out_leaves, out_spec, "an output"),
  })
  rawset(self, "_output_spec", out_spec.kind ~= "leaf" and out_spec or nil)
  self:set_layers(in_leaves, out_leaves)
  rawset(self, "built", true)
end

--- The layers that a graph passes through from inputs to outputs, in Keras's order, with unique names.
function Model:set_layers(inputs, outputs)
  local layers, by_name = {}, {}
  for _, layer in ipairs(graph_order.owners { inputs = inputs, outputs = outputs }) do
    if class.is(layer, Layer) then
      if by_name[layer.name] then
        core.raise(("model '%s': two layers are named '%s'; names must be unique"):format(self.name, layer.name))
      end
      by_name[layer.name] = true
      layers[#layers + 1] = layer
    end
  end
  rawset(self, "_layers", layers)
  self:name_streams()
end

--- Gives each layer the name of its random streams: its own name, or class and place in the model,
-- so that the same model made again in one process draws the same numbers.
function Model:name_streams()
  local count = {}
  for _, layer in ipairs(self:sublayers()) do
    if not rawget(layer, "_stream") then
      local base = Layer.snake_case(layer.__name or "layer")
      count[base] = (count[base] or 0) + 1
      rawset(layer, "_stream", layer.named and layer.name or ("%s#%d"):format(base, count[base]))
    end
  end
end

function Model:sublayers()
  return rawget(self, "_layers") or Layer.sublayers(self)
end

--- Adds a scalar to the loss. In `call` it counts for the step that is being traced; on a functional
-- model a symbolic tensor, made from the model's own tensors, counts in every step.
function Model:add_loss(loss)
  if not symbol.is(loss) then return Layer.add_loss(self, loss) end
  local graph = rawget(self, "_graph")
  if not graph then
    core.raise(("model '%s': add_loss on a symbolic tensor wants a functional model"):format(self.name))
  end
  local losses = table.move(graph.losses, 1, #graph.losses, 1, {})
  losses[#losses + 1] = loss
  local ends = table.move(graph.outputs, 1, #graph.outputs, 1, {})
  table.move(losses, 1, #losses, #ends + 1, ends)
  graph.records = symbol.between(graph.inputs, ends, ("model '%s': add_loss"):format(self.name))
  graph.losses = losses
  self:set_layers(graph.inputs, ends)
  rawset(self, "_programs", nil)
end


--- Raises when a concrete shape does not fit the input symbol.
function Model:check_input(input, name, shape)
  local fits, other_batch = #shape == #input.shape, false
  for k, n in ipairs(fits and input.shape or {}) do
    if n ~= -1 and n ~= shape[k] and shape[k] ~= -1 then
      fits, other_batch = false, k == 1
    end
  end
  if fits then return end
  -- Stateful layers keep a state for each sample of a batch.
  local advice = other_batch and ("; its batch size is fixed: give batch_size = %d and a number of samples that is a "
    .. "multiple of it"):format(input.shape[1]) or ""
  core.raise(("model '%s': input '%s' has shape %s, got data of shape %s%s"):format(self.name, name,
    words.shape(input.shape), words.shape(shape), advice))
end

--- A functional model replays its graph; flat results.
function Model:call(x)
  local graph = rawget(self, "_graph")
  if not graph then
    core.raise(("model '%s' has no call: define %s:call(x, training, mask)"):format(self.name,
      class.name_of(self)))
  end
  local leaves = tree.flatten(x, graph.input_names, ("model '%s'"):format(self.name))
  local value = {}
  for i, input in ipairs(graph.inputs) do
    self:check_input(input, graph.input_names[i], leaves[i].shape)
    value[input] = leaves[i]
  end
  symbol.replay(graph.records, value)
  for _, loss in ipairs(graph.losses) do self:add_loss(value[loss]) end
  local results = {}
  for i, output in ipairs(graph.outputs) do results[i] = value[output] end
  return table.unpack(results, 1, #graph.outputs)
end

Model.takes_mask = true

-- ---- building ----

--- Builds the model for inputs of these types ({dtype =, shape = with the batch or -1}), if it is
-- not built yet: before that it has no weights.
function Model:ensure_model(types, spec)
  local graph = rawget(self, "_graph")
  if graph then
    if #types ~= #graph.inputs then
      core.raise(("model '%s' has %d inputs ('%s'), got %d"):format(self.name, #graph.inputs,
        table.concat(graph.input_names, "', '"), #types))
    end
    for i, input in ipairs(graph.inputs) do self:check_input(input, graph.input_names[i], types[i].shape) end
    return
  end
  if self.built and rawget(self, "_built_by_call") then return end
  if rawget(self, "train_step") or not self.call then return end
  if self.call == Model.call then return end
  rawset(self, "_built_by_call", true)
  core.infer(function(...)
    local results = table.pack(self:invoke(self:pack_inputs({ ... }, spec), false))
    results.n = nil
    return results
  end, types)
end

Model.build = signature.method("build", {
  { "self", "any", required = true },
  { "input_shape", "shape", required = true, doc = "sizes with the batch, which may be -1" },
}, "Makes the weights for data of this shape.", function(self, input_shape)
  local shape = table.move(input_shape, 1, #input_shape, 1, {})
  if not class.is(self, require "cdl.sequential") then
    for k, n in ipairs(shape) do shape[k] = n < 0 and 1 or n end
  end
  self:ensure_model { { dtype = "float32", shape = shape } }
  return self
end)

--- A model's own build takes no part when it is called: the layers inside build themselves. A
-- subclass may define one all the same.
function Model:ensure_built(input_shape)
  if self.built then return end
  rawset(self, "built", true)
  rawset(self, "_built_for", input_shape)
  if self.build ~= Model.build then core.suspend(self.build, self, input_shape) end
end

--- Sets the states of all stateful layers back to zeros.
function Model:reset_states()
  for _, layer in ipairs(self:sublayers()) do
    if layer.reset_states then layer:reset_states() end
  end
end

local function need_graph(self, what)
  local graph = rawget(self, "_graph")
  if not graph then
    local text = self.call ~= Model.call and "model '%s' has no %s: its call is Lua code, not a graph of tensors"
      or "model '%s' has no %s before it is built: call model:build{-1, ...}, or fit it"
    core.raise(text:format(self.name, what))
  end
  return graph
end

local function copy_of(list) return table.move(list, 1, #list, 1, {}) end

local function one_or_structure(leaves, spec) return tree.pack(spec, leaves) end

Model.get = {
  layers = function(self) return table.move(self:sublayers(), 1, #self:sublayers(), 1, {}) end,
  inputs = function(self) return copy_of(need_graph(self, "inputs").inputs) end,
  outputs = function(self) return copy_of(need_graph(self, "outputs").outputs) end,
  input = function(self)
    local graph = need_graph(self, "input")
    return one_or_structure(graph.inputs, graph.in_spec)
  end,
  output = function(self)
    local graph = need_graph(self, "output")
    return one_or_structure(graph.outputs, graph.out_spec)
  end,
  input_names = function(self)
    local graph = rawget(self, "_graph")
    return graph and graph.input_names
  end,

  output_names = function(self)
    local graph = rawget(self, "_graph")
    return graph and graph.output_names
  end,
  input_shape = function(self) return need_graph(self, "input_shape").inputs[1].shape end,
  output_shape = function(self) return need_graph(self, "output_shape").outputs[1].shape end,
  number = function(self)
    local number = random.next_model()
    rawset(self, "number", number)
    return number
  end,
}

--- A layer by its name, or by its place from 1.
Model.get_layer = signature.method("get_layer", {
  { "self", "any", required = true },
  { "name", "string|integer", required = true, doc = "the layer's name, or its place from 1", alias = "index" },
}, "A layer of the model.", function(self, name)
  local layers = self.layers
  if type(name) == "number" then
    local layer = layers[name > 0 and name or #layers + 1 + name]
    if not layer then
      core.raise(("model '%s' has %d layers, there is no layer %d"):format(self.name, #layers, name))
    end
    return layer
  end
  local known = {}
  for i, layer in ipairs(layers) do
    if layer.name == name then return layer end
    known[i] = layer.name
  end
  core.raise(("model '%s' has no layer '%s'%s; layers: %s"):format(self.name, name,
    words.suggestion(name, known), table.concat(known, ", ")))
end)

--- The structure in which a list of input leaves goes to `call`.
function Model:pack_inputs(leaves, spec)
  local graph = rawget(self, "_graph")
  if graph then return tree.pack(graph.in_spec, leaves) end
  return spec and tree.pack(spec, leaves) or leaves[1]
end

return Model
