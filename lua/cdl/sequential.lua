--- `cdl.Sequential`: layers one after the other. Without an input shape it is built by the first
-- fit, evaluate, predict, call or build.
local class = require "cdl.class"
local core = require "cdl.core"
local input = require "cdl.input"
local Layer = require "cdl.layer"
local Model = require "cdl.model"
local scope = require "cdl.scope"
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"
local words = require "cdl.words"

local Sequential = Model:extend "Sequential"
Sequential.doc = "A model of layers one after the other."

local own_signature = signature.new("Sequential", {
  { "layers", "list", {}, doc = "layers; the first may be a cdl.Input" },
  { "name", "string", doc = "sequential, sequential_1, ... if left out" },
  { "trainable", "boolean", true, doc = "false freezes all layers" },
}, { doc = Sequential.doc })
signature.register(Sequential, own_signature)

function Sequential:new(...)
  local args = own_signature:read(...)
  local model = Layer.make(self, { name = args.name, trainable = args.trainable })
  rawset(model, "_layers", {})
  for _, layer in ipairs(args.layers) do model:append(layer) end
  if args.trainable == false then model.trainable = false end
  model:rebuild()
  return model
end

--- Puts a layer at the end without building.
function Sequential:append(layer)
  if symbol.is(layer) then layer = layer.record.layer end
  if not class.is(layer, Layer) then
    core.raise(("Sequential: layer %d is %s; wanted a layer"):format(#self._layers + 1, words.describe(layer)))
  end
  if class.is(layer, input.InputLayer) then
    if #self._layers > 0 or rawget(self, "_input_type") then
      core.raise "Sequential: an Input can only come first"
    end
    rawset(self, "_input_type", { dtype = layer.dtype, shape = layer.batch_shape, name = layer.name })
    return
  end
  if layer == self then core.raise(("Sequential: model '%s' cannot be a layer of itself"):format(self.name)) end
  for _, other in ipairs(self._layers) do
    if other == layer then core.raise(("Sequential: the layer '%s' is added twice"):format(layer.name)) end
    if other.name == layer.name then
      core.raise(("Sequential: two layers are named '%s'; names must be unique"):format(layer.name))
    end
  end
  self._layers[#self._layers + 1] = layer
  if #self._layers == 1 and not rawget(self, "_input_type") then
    local shape = rawget(layer, "batch_input_shape")
    if not shape and rawget(layer, "_graph") then shape = layer.inputs[1].shape end
    if shape then rawset(self, "_input_type", { dtype = "float32", shape = shape }) end
  end
end

Sequential.add = signature.method("add", {
  { "model", "any", required = true },
  { "layer", "any", required = true, doc = "a layer, or a cdl.Input as the first" },
}, "Adds a layer at the end; a built model is built again, its other layers keep their weights.",
  function(self, layer)
    self:append(layer)
    self:rebuild()
  end)

Sequential.pop = signature.method("pop", { { "self", "any", required = true } },
  "Removes the last layer and returns it.", function(self)
    local layer = table.remove(self._layers)
    if not layer then core.raise(("model '%s' has no layers to remove"):format(self.name)) end
    self:forget_calls(layer)
    self:rebuild()
    return layer
  end)

--- Drops the calls that this model made of a layer.
function Sequential:forget_calls(layer)
  for i = #layer._calls, 1, -1 do
    if layer._calls[i].model == self then table.remove(layer._calls, i) end
  end
end

local function same_but_batch(a, b)
  if type(a) ~= "table" or type(b) ~= "table" or #a ~= #b then return false end
  for i = 2, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

-- Calls the layers on symbols, one after the other.
local function thread(self, x)
  for _, layer in ipairs(self._layers) do
    self:forget_calls(layer)
    if layer.built and rawget(layer, "_built_for") and not same_but_batch(layer._built_for, x.shape) then
      layer:unbuild()
    end
    -- A layer of a deferred model is blamed at the line that made it.
    local before, depth = core.set_where(layer.where)
    local ok, y = pcall(layer, x)
    core.set_where(before, depth)
    if not ok then error(y, 0) end
    if not symbol.is(y) then
      core.raise(("Sequential: layer '%s' gives several tensors; use a functional model"):format(layer.name),
        layer.where)
    end
    layer._calls[#layer._calls].model = self
    x = y
  end
  return x
end

--- Makes the graph anew for the known input type; nothing when it is not known yet.
function Sequential:rebuild()
  local kind = rawget(self, "_input_type")
  rawset(self, "_graph", nil)
  rawset(self, "built", false)
  rawset(self, "_programs", nil)
  self:name_streams()
  if not kind or #self._layers == 0 then return end
  local x = input.new(kind.name, kind.dtype, kind.shape)
  local layers = self._layers
  -- Built by a call, the model's own name ends the path already.
  local path = "/" .. scope.current().path
  local is_inside = path:sub(-#self.name - 1) == "/" .. self.name
  local y = scope.with({ enter = not is_inside and self.name or nil }, thread, self, x)
  self:set_graph(x, y)
  rawset(self, "_layers", layers)
end

function Sequential:ensure_model(types)
  if not rawget(self, "_graph") then
    if #self._layers == 0 then core.raise(("model '%s' has no layers"):format(self.name)) end
    if #types ~= 1 then
      core.raise(("model '%s' is a Sequential and has one input, got %d"):format(self.name, #types))
    end
    local shape = table.move(types[1].shape, 1, #types[1].shape, 1, {})
    shape[1] = -1
    rawset(self, "_input_type", { dtype = types[1].dtype, shape = shape })
    local ok, message = pcall(self.rebuild, self)
    if not ok then
      rawset(self, "_input_type", nil)
      error(message, 0)
    end
  end
  return Model.ensure_model(self, types)
end

function Sequential:ensure_built(input_shape)
  if not rawget(self, "_graph") then self:ensure_model { { dtype = "float32", shape = input_shape } } end
end

return Sequential
