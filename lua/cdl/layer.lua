--- Layers: things with weights that are called on tensors (`cdl.Layer`).
--
-- A layer is called on symbols (the call is recorded), on traced tensors (it adds to the step's
-- graph) or on eager ones (it computes). At its first call it is built: `build(input_shape)`
-- makes the weights, then `call(x, training, mask, options)` computes. A class with `call_options`
-- (rows of a signature) takes these by name, `layer(x, {return_attention_scores = true})`; one with
-- `default_training = true` trains unless the call, or one around it, says otherwise, and one with
-- `one_input = true` takes a single tensor.
local class = require "cdl.class"
local constraints = require "cdl.constraints"
local core = require "cdl.core"
local initializers = require "cdl.initializers"
local regularizers = require "cdl.regularizers"
local scope = require "cdl.scope"
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"
local tree = require "cdl.tree"
local weights = require "cdl.layer_weights"
local words = require "cdl.words"

local Layer = class "Layer"

--- Arguments that every layer with a signature takes besides its own rows.
Layer.base_arguments = {
  { "name", "string", doc = "unique in a model; from the class's name if left out" },
  { "trainable", "boolean", true, doc = "whether training changes its weights" },
  { "dtype", "dtype", "float32", doc = "of its weights" },
  { "input_shape", "shape", doc = "sizes without the batch: builds the layer's Sequential at once" },
  { "activity_regularizer", "any", doc = "a penalty on the output, divided by the batch size" },
}

local names = {} -- snake-case class name -> how many automatic names it has given

--- "MaxPooling2D" -> "max_pooling2d", as Keras names layers.
function Layer.snake_case(name)
  name = name:gsub("%W", ""):gsub("(.)(%u%l+)", "%1_%2"):gsub("(%l)(%u)", "%1_%2")
  return (name:lower():gsub("__+", "_"))
end

local function automatic_name(class_name)
  local base = Layer.snake_case(class_name)
  local count = names[base] or 0
  names[base] = count + 1
  return count == 0 and base or ("%s_%d"):format(base, count)
end

--- Starts automatic names anew.
function Layer.reset_names() names = {} end

--- An instance of a class of layers with what every layer has; init is not called. args holds the
-- base arguments, and is kept.
function Layer.make(cls, args)
  local layer = setmetatable({}, cls)
  local base = type(args) == "table" and args or {}
  local named = type(base.name) == "string"
  local fields = {
    _attributes = {}, _weights = {}, _calls = {}, _trainable = base.trainable ~= false, built = false,
    where = core.where(), named = named, name = named and base.name or automatic_name(cls.__name),
    dtype = base.dtype or "float32", args = args,
    _activity_regularizer = regularizers.get(base.activity_regularizer),
  }
  for key, value in pairs(fields) do rawset(layer, key, value) end
  if base.input_shape then
    rawset(layer, "batch_input_shape", table.move(base.input_shape, 1, #base.input_shape, 2, { -1 }))
  end
  return layer
end

local OF_WEIGHTS = { initializer = initializers, regularizer = regularizers, constraint = constraints }

-- Unknown names raise where the layer is made, not where its weights are.
local function check_weight_arguments(args)
  for key, value in pairs(args) do
    local module = OF_WEIGHTS[key:match "[^_]*$"]
    if module and value ~= signature.null then module.get(value) end
  end
end

-- With a signature the arguments are read by it; else the table is passed on as it is.
function Layer:new(...)
  local sig = signature.of(self)
  local args = (...)
  if sig then
    args = sig:read(...)
    check_weight_arguments(args)
  elseif args == nil then
    args = {}
  end
  local layer = Layer.make(self, args)
  if layer.init then layer:init(args, select(2, ...)) end
  return layer
end

-- Layers are found among the fields in the order of assignment; tables are looked into when the
-- layers are asked for, since they may be filled later.
function Layer:__newindex(key, value)
  if type(value) == "table" and type(key) == "string" then
    local attributes = rawget(self, "_attributes")
    if attributes then attributes[#attributes + 1] = key end
  end
  return class.assign(self, key, value)
end

--- The layers that are stored in this one (also in lists), in the order of assignment.
function Layer:sublayers()
  local found, seen = {}, {}
  local function add(x, depth)
    if class.is(x, Layer) then
      if not seen[x] then
        seen[x] = true
        found[#found + 1] = x
      end
    elseif depth > 0 and words.is_plain(x) then
      for _, entry in ipairs(x) do add(entry, depth - 1) end
      for _, key in ipairs(words.sorted_keys(x)) do add(x[key], depth - 1) end
    end
  end
  for _, key in ipairs(self._attributes) do
    if key ~= "args" and key:sub(1, 1) ~= "_" then add(rawget(self, key), 2) end
  end
  return found
end

local function single_call(self, what)
  local calls = self._calls
  if #calls == 0 then
    core.raise(("layer '%s' has no %s: it has not been called on a symbolic tensor"):format(self.name, what))
  elseif #calls > 1 then
    core.raise(("layer '%s' has been called %d times, so it has no single %s: use the tensor returned by the call")
      :format(self.name, #calls, what))
  end
  return calls[1]
end

local function one_or_list(list)
  if #list == 1 then return list[1] end
  return table.move(list, 1, #list, 1, {})
end

local function shapes_of(x)
  if not words.is_plain(x) then return x.shape end
  local shapes = {}
  for i, entry in ipairs(x) do shapes[i] = entry.shape end
  return shapes
end

Layer.get = {
  variables = function(self) return self.weights end,
  trainable = function(self) return self._trainable end,
  input = function(self) return one_or_list(single_call(self, "input").inputs) end,
  output = function(self) return one_or_list(single_call(self, "output").outputs) end,
  input_shape = function(self) return shapes_of(self.input) end,
  output_shape = function(self) return shapes_of(self.output) end,
}
Layer.set = {
  trainable = function(self, value)
    if type(value) ~= "boolean" then
      core.raise(("layer '%s': trainable must be true or false, got %s"):format(self.name, words.describe(value)))
    end
    self:each_layer(function(layer) rawset(layer, "_trainable", value) end, true)
  end,
}

--- The arguments from which an equal layer can be made, by name.
function Layer:get_config()
  local config = { name = self.name, trainable = self._trainable }
  for key, value in pairs(type(self.args) == "table" and self.args or {}) do
    if type(key) == "string" then config[key] = value end
  end
  -- "Explicitly none" is not the default.
  local sig = signature.of(self)
  for _, param in ipairs(sig and sig.params or {}) do
    if param.null and config[param.name] == nil then config[param.name] = signature.null end
  end
  config.name, config.trainable = self.name, self._trainable
  return config
end

--- An equal layer without its weights' values.
function Layer.from_config(cls, config) return cls(config) end

for name, value in pairs(weights) do
  if name ~= "get" then Layer[name] = value end
end
for name, getter in pairs(weights.get) do Layer.get[name] = getter end

-- ---- calling ----

--- Adds a scalar to the loss of the step that is being traced.
function Layer:add_loss(loss)
  local losses = scope.current().losses
  if losses then losses[#losses + 1] = loss end
end

--- Adds a mean over the epoch to the logs: value is a tensor (averaged), name the key.
function Layer:add_metric(value, name)
  if type(name) ~= "string" then
    core.raise(("layer '%s': add_metric wants a name (string), got %s"):format(self.name, words.describe(name)))
  end
  local metrics = scope.current().metrics
  if metrics then metrics[#metrics + 1] = { name = name, value = value } end
end

local function is_operand(x) return symbol.is(x) or core.is_tensor(x) or core.is_variable(x) end

local function is_operand_list(x)
  return words.is_plain(x) and #x > 0 and is_operand(x[1])
end

local function holds_operand(x)
  for _, entry in pairs(x) do
    if is_operand(entry) then return true end
  end
  return false
end

-- A list or dict holds tensors, or further lists of them.
local function check_entries(self, x)
  for key, entry in pairs(x) do
    if words.is_plain(entry) then
      check_entries(self, entry)
    elseif not is_operand(entry) then
      core.raise(("layer '%s' is called on a tensor or a list of tensors; entry %s is %s"):format(self.name,
        words.literal(key), words.describe(entry)))
    end
  end
end

--- What every call takes by name besides the class's own `call_options` (rows of a signature):
-- `layer(x, {training = true})`. The options' values reach `call` as its fourth argument.
local BASE_CALL_OPTIONS = {
  { "training", "boolean", doc = "explicit, else the enclosing call's" },
  { "mask", "any", doc = "bool tensor, or a list like x; else the one that x carries" },
}

local call_signatures = setmetatable({}, { __mode = "k" }) -- class -> signature

--- The signature of a call's options.
function Layer.call_signature(cls)
  local sig = call_signatures[cls]
  if not sig then
    local rows = table.move(cls.call_options or {}, 1, #(cls.call_options or {}), 1, {})
    table.move(BASE_CALL_OPTIONS, 1, #BASE_CALL_OPTIONS, #rows + 1, rows)
    sig = signature.new(class.name_of(cls), rows)
    call_signatures[cls] = sig
  end
  return sig
end

-- Takes the named options off a call's arguments: the last one when it is a plain table with names
-- only, or the names that stand in the one list of tensors.
local function take_options(self, args, n)
  local last = args[n]
  if not words.is_plain(last) or type(next(last)) == "nil" then return nil, n end
  local named, list = {}, {}
  for key, value in pairs(last) do
    if type(key) == "string" then named[key] = value else list[key] = value end
  end
  if next(named) == nil or (n == 1 and (#list == 0 or not is_operand(list[1]))) then return nil, n end
  if n > 1 and #list > 0 then return nil, n end
  if n == 1 then args[1] = list else args[n] = nil end
  return Layer.call_signature(class.of(self)):read(named), n == 1 and 1 or n - 1
end

-- (x, training, mask, options), from a call's arguments: tensors one after the other or as one list
-- or dict, then training and mask, or a table of options.
local function read_call(self, ...)
  local args = { ... }
  local options, n = take_options(self, args, select("#", ...))
  local x, at = args[1], 2
  if words.is_plain(x) and not is_operand_list(x) then
    if not holds_operand(x) then x = core.tensor(x) end
  elseif type(x) == "number" then
    x = core.tensor(x)
  elseif is_operand(x) and is_operand(args[2]) and n >= 2 then
    x = { x }
    while is_operand(args[at]) do
      x[at] = args[at]
      at = at + 1
    end
  elseif not is_operand(x) and not is_operand_list(x) then
    core.raise(("layer '%s' is called on a tensor or a list of tensors, got %s"):format(self.name, words.describe(x)))
  end
  if words.is_plain(x) then check_entries(self, x) end
  if self.one_input and words.is_plain(x) then
    if #x ~= 1 then
      core.raise(("layer '%s' takes one tensor, got %s"):format(self.name,
        #x > 0 and ("%d"):format(#x) or words.describe(x)))
    end
    x = x[1]
  end
  local training, mask = args[at], args[at + 1]
  if options then
    if training == nil then training = options.training end
    if mask == nil then mask = options.mask end
    options.training, options.mask = nil, nil
  end
  if training ~= nil and type(training) ~= "boolean" then
    core.raise(("layer '%s': training must be true or false, got %s"):format(self.name, words.describe(training)))
  end
  return x, training, mask, options
end

--- The stream name of the layer in its model: not its automatic name, which counts all layers of
-- the process, but its place (set by the model), so that a model made again draws the same.
function Layer:stream_name()
  return rawget(self, "_stream") or (self.named and self.name) or Layer.snake_case(self.__name)
end

-- float64 inputs are computed in float32; integers stay until the layer casts them.
local function autocast(self, x)
  if words.is_plain(x) then
    local copy = {}
    for key, entry in pairs(x) do copy[key] = autocast(self, entry) end
    return copy
  end
  if x.dtype == "float64" and self.dtype == "float32" and self.autocast ~= false then
    local mask = core.is_tensor(x) and x.mask
    x = x:astype "float32"
    if mask then x.mask = mask end
  end
  return x
end

local function mask_of(x)
  if core.is_tensor(x) then return x.mask end
  if not words.is_plain(x) then return nil end
  local masks, any = {}, false
  for key, entry in pairs(x) do
    masks[key] = core.is_tensor(entry) and entry.mask or false
    any = any or masks[key]
  end
  return any and masks or nil
end

local function copy_shape(shape)
  if not words.is_plain(shape) then return shape end
  local copy = {}
  for key, entry in pairs(shape) do copy[key] = copy_shape(entry) end
  return copy
end

--- Makes the weights for inputs of this shape (or list of shapes), once.
function Layer:ensure_built(input_shape)
  if self.built then return end
  rawset(self, "built", true)
  local ok, message = pcall(function()
    -- A build may change the list that it is given.
    if self.build then core.suspend(self.build, self, copy_shape(input_shape)) end
  end)
  if not ok then
    rawset(self, "built", false)
    rawset(self, "_weights", {})
    error(message, 0)
  end
  rawset(self, "_built_for", input_shape)
end

--- Forgets the weights, so that the next call builds the layer anew.
function Layer:unbuild()
  self:each_layer(function(layer)
    rawset(layer, "built", false)
    rawset(layer, "_weights", {})
  end)
end

local warned = {}

local function is_among(value, x)
  if not words.is_plain(x) then return rawequal(value, x) end
  for _, entry in pairs(x) do
    if rawequal(value, entry) then return true end
  end
  return false
end

-- What becomes of the mask: compute_mask decides, layers that support masking pass it on.
local function give_mask(self, x, mask, results)
  local out
  if self.compute_mask then
    out = self:compute_mask(x, mask)
  elseif self.supports_masking then
    out = mask
  elseif mask and not self.takes_mask and not warned[self.__name or self.name] then
    warned[self.__name or self.name] = true
    core.warn(("layer '%s' does not support masking: the mask of its input is dropped"):format(self.name))
  end
  local decides = self.compute_mask ~= nil
  for i, result in ipairs(results) do
    local wanted = out
    if words.is_plain(out) then wanted = out[i] or nil elseif i > 1 then wanted = nil end
    if core.is_tensor(result) and result.mask ~= wanted then
      -- What came in goes out: the mask belongs to a handle of its own, not to the caller's.
      if is_among(result, x) and not self.takes_mask then
        results[i] = core.reshape(result, result.shape)
        results[i].mask = wanted
      elseif wanted and (decides or result.mask == nil) then
        result.mask = wanted
      end
    end
  end
end

local function run_call(self, x, training, mask, options)
  self:ensure_built(shapes_of(x))
  x = autocast(self, x)
  if mask == nil then mask = mask_of(x) end
  local results = table.pack(self:call(x, training, mask, options))
  if results.n == 0 or results[1] == nil then
    core.raise(("layer '%s': call returned nothing"):format(self.name))
  end
  if words.is_plain(results[1]) then
    local leaves, spec = tree.flatten(results[1], nil, ("layer '%s': what call returned"):format(self.name))
    results = leaves
    results.n = #leaves
    rawset(self, "_output_spec", spec)
  end
  if self._activity_regularizer and scope.current().losses then
    local y = results[1]
    self:add_loss(self._activity_regularizer(y) / y.shape[1])
  end
  give_mask(self, x, mask, results)
  return table.unpack(results, 1, results.n)
end

--- Computes on concrete (traced or eager) tensors. options: what the call was given by name.
function Layer:invoke(x, training, mask, options)
  if training == nil then training = scope.current().training end
  if training == nil then training = self.default_training or false end
  if self.call_options and not options then options = Layer.call_signature(class.of(self)):read {} end
  return scope.with({ enter = self.name, enter_stream = self:stream_name(), training = training },
    run_call, self, x, training, mask, options)
end

local function operands(x)
  if not words.is_plain(x) then return { x } end
  if #x > 0 then return table.move(x, 1, #x, 1, {}) end
  local list = {}
  for _, key in ipairs(words.sorted_keys(x)) do list[#list + 1] = x[key] end
  return list
end

-- Several values, or the structure that call gave.
local function pack_outputs(self, ...)
  local spec = rawget(self, "_output_spec")
  if not spec then return ... end
  return tree.pack(spec, { ... })
end

function Layer:__call(...)
  local x, training, mask, options = read_call(self, ...)
  if not symbol.any(x, mask, options) then return pack_outputs(self, self:invoke(x, training, mask, options)) end
  scope.with({ enter = self.name, enter_stream = self:stream_name() }, self.ensure_built, self, shapes_of(x))
  local outputs = table.pack(symbol.record(function(value, flag, value_mask, value_options)
    return self:invoke(value, flag, value_mask, value_options)
  end, { layer = self, name = self.name }, x, training, mask, options))
  self._calls[#self._calls + 1] = { inputs = operands(x), outputs = outputs }
  return pack_outputs(self, table.unpack(outputs, 1, outputs.n))
end

--- The default: what comes in goes out.
function Layer:call(x) return x end

return Layer
