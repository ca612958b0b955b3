--- Sequential models and inputs as Keras's configs.
local class = require "cdl.class"
local classes = require "cdl.saving.classes"
local config = require "cdl.saving.config"
local functional = require "cdl.saving.functional"
local input = require "cdl.input"
local json = require "cdl.json"
local Sequential = require "cdl.sequential"
local signature = require "cdl.signature"

local null, fail, shape_out = signature.null, config.fail, functional.shape_out

-- ---- inputs ----

config.add {
  accepts = function(object) return class.is(object, input.InputLayer) end,
  encode = function(layer, context)
    return { module = "keras.layers", class_name = "InputLayer", registered_name = null,
      config = { name = layer.name, batch_shape = context.own and layer.batch_shape or shape_out(layer.batch_shape),
        dtype = layer.dtype, sparse = false } }
  end,
  names = { InputLayer = true },
  decode = function(settings, context, place)
    if type(settings) ~= "table" then fail(context, place, "its config is no object") end
    local shape, list = settings.batch_shape or settings.batch_input_shape, {}
    if type(shape) ~= "table" then fail(context, place, "it has no batch_shape") end
    for i, n in ipairs(shape) do list[i] = n == null and -1 or n end
    local ok, x = pcall(input.Input, { batch_shape = list, dtype = settings.dtype, name = settings.name })
    if not ok then fail(context, place, "%s", config.without_place(x)) end
    return x
  end,
}

-- ---- Sequential ----

local function encode_sequential(model, context, place)
  local layers = json.list()
  local graph, kind = rawget(model, "_graph"), rawget(model, "_input_type")
  if kind then
    local first = graph and graph.inputs[1].record.layer
    layers[1] = { module = "keras.layers", class_name = "InputLayer", registered_name = null,
      config = { name = first and first.name or kind.name or "input_layer", dtype = kind.dtype,
        batch_shape = context.own and kind.shape or shape_out(kind.shape), sparse = false } }
  end
  for _, layer in ipairs(model._layers) do
    layers[#layers + 1] = config.encode_object(layer, context, place)
  end
  local settings = { name = model.name, trainable = model.trainable, layers = layers }
  local cls = class.of(model)
  local is_own = cls ~= Sequential
  if is_own and context.live then context.live[class.name_of(cls)] = cls end
  local envelope = { module = is_own and null or "keras", class_name = class.name_of(cls),
    registered_name = is_own and classes.custom_name(cls) or null, config = settings }
  if kind and not context.own then
    settings.build_input_shape = shape_out(kind.shape)
    envelope.build_config = { input_shape = shape_out(kind.shape) }
  end
  return envelope
end

-- The shape for which a Sequential was built, where its layers do not say: null sizes are -1.
local function built_shape(settings, envelope)
  local shape = settings.build_input_shape
  if type(shape) ~= "table" or shape == null then
    shape = type(envelope.build_config) == "table" and envelope.build_config.input_shape
  end
  if type(shape) ~= "table" or shape == null then
    local first = type(settings.layers[1]) == "table" and settings.layers[1].config
    shape = type(first) == "table" and first.batch_input_shape
  end
  if type(shape) ~= "table" or shape == null then return nil end
  local list = {}
  for i, n in ipairs(shape) do list[i] = math.type(n) == "integer" and n or -1 end
  return #list > 0 and list or nil
end

local function decode_sequential(settings, context, place, envelope, cls)
  if type(settings) == "table" and settings[1] then settings = { layers = settings } end -- Keras 2.0's form
  if type(settings) ~= "table" or type(settings.layers) ~= "table" then
    fail(context, place, "it has no list of layers")
  end
  local layers = {}
  for i, entry in ipairs(settings.layers) do
    if type(entry) ~= "table" or type(entry.class_name) ~= "string" then
      fail(context, place, "layer %d of the list has no class", i)
    end
  end
  config.decode_layers(settings.layers, context, place, function(i, layer) layers[i] = layer end)
  local shape = built_shape(settings, envelope)
  local ok, model = pcall(function()
    local made = (cls or Sequential) { layers = layers, name = settings.name }
    if shape and not rawget(made, "_graph") and #made._layers > 0 then made:build(shape) end
    return made
  end)
  if not ok then fail(context, place, "%s", config.without_place(model)) end
  if settings.trainable == false then model.trainable = false end
  return model
end

config.add {
  accepts = function(object) return class.is(object, Sequential) end, encode = encode_sequential,
  names = { Sequential = true }, decode = decode_sequential,
  extended = function(cls) return class.extends(cls, Sequential) end,
}
