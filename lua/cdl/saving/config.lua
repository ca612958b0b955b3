--- Objects as Keras's configs and back: { module =, class_name =, config =, registered_name = }.
--
-- Both ways follow the classes' signatures: what is an axis there is counted from 0 in a file and
-- from 1 here, sizes of -1 are null there. Objects among the arguments are configs themselves. Nothing
-- in a config is run: it names classes, which are looked up in cdl's own tables and among the objects
-- that the user gives.
--
-- A context says what a conversion is for: { what = for messages, custom = objects of the user's by
-- name, own = true: numbers stay cdl's, as in get_config; live = { }: functions and classes of
-- the user's stay what they are }.
local class = require "cdl.class"
local classes = require "cdl.saving.classes"
local core = require "cdl.core"
local json = require "cdl.json"
local Layer = require "cdl.layer"
local rows = require "cdl.saving.rows"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

local null = signature.null

--- Raises; messages begin with what is converted, then the place in it.
function M.fail(context, place, format, ...)
  core.raise(("%s: %s%s"):format(context.what, place ~= "" and place .. ": " or "", format:format(...)))
end
local fail = M.fail

--- The message of an error without the script's line, to be said at another place.
function M.without_place(message) return (tostring(message):gsub("^[^\n]-:%d+: ", "", 1)) end

-- ---- numbers that count from 0 there and from 1 here ----

local function shift(value, param, by, limit)
  if type(value) == "table" and value ~= null then
    local list = {}
    for i, entry in ipairs(value) do list[i] = shift(entry, param, by, limit) end
    return list
  end
  if math.type(value) == "integer" and value >= limit then return value + by end
  return value
end

-- Unknown sizes are null, but where Keras itself writes -1: in a Reshape.
local function sizes_out(value, name)
  local list = {}
  for i, n in ipairs(value) do list[i] = (n == -1 and name ~= "target_shape") and null or n end
  return list
end

local function is_shape(x) return math.type(x[1]) == "integer" end

-- A shape or a structure of them; the batch of a model may be any.
local function shapes_out(x, any_batch)
  local result = {}
  for key, entry in pairs(x) do
    result[key] = type(entry) == "table" and shapes_out(entry, any_batch) or (entry < 0 and null or entry)
  end
  if any_batch and is_shape(x) then result[1] = null end
  return result
end

local function is_axis(param) return param.kind == "axis" or param.kind == "axes" end

local function number_out(value, param, context)
  if context.own or not param then return value end
  if is_axis(param) then return shift(value, param, -1, 1) end
  if param.kind == "shape" and words.is_plain(value) then return sizes_out(value, param.name) end
  return value
end

local function number_in(value, param, context)
  if not param then return value end
  if is_axis(param) and not context.own then
    value = shift(value, param, 1, 0)
    if param.kind == "axis" and type(value) == "table" and #value == 1 then value = value[1] end
  end
  if type(value) == "table" and value ~= null then
    local list = {}
    for key, entry in pairs(value) do
      if param.kind == "shape" and entry == null then entry = -1 end
      list[key] = entry
    end
    return list
  end
  return value
end

-- ---- to a config ----

local encode

local function encode_table(value, context, place)
  local result = (#value > 0 or next(value) == nil) and json.list() or {}
  for key, entry in pairs(value) do
    result[key] = encode(entry, context, ("%s[%s]"):format(place, tostring(key)))
  end
  return result
end

local function encode_function(f, context, place)
  local name = classes.function_name(f)
  if name then return name end
  if context.live then
    context.live[#context.live + 1] = f
    return { class_name = "function", config = #context.live }
  end
  name = classes.custom_name(f)
  if not name then
    fail(context, place, "a Lua function has no name that a file could keep; give it one by "
      .. "cdl.models.register_keras_serializable(f, \"name\")")
  end
  return { module = "builtins", class_name = "function", config = name, registered_name = name }
end

local function encode_tensor(x)
  return { module = "numpy", class_name = "__numpy__", config = { value = x:totable(), dtype = x.dtype } }
end

function encode(value, context, place)
  local kind = type(value)
  if value == nil or value == null then return null end
  if kind == "string" or kind == "boolean" then return value end
  if kind == "number" then
    if value ~= value or math.abs(value) == math.huge then
      fail(context, place, "%s cannot be written in JSON", tostring(value))
    end
    return value
  end
  if kind == "function" then return encode_function(value, context, place) end
  if words.is_plain(value) then return encode_table(value, context, place) end
  if core.is_tensor(value) and value.kind == "eager" then return encode_tensor(value) end
  if class.of(value) and value.get_config then return M.encode_object(value, context, place) end
  if class.is_class(value) then return M.encode_object(value(), context, place) end
  return fail(context, place, "%s cannot be kept in a file", words.describe(value))
end
M.encode = encode

-- An object's arguments, converted one by one.
local function encode_arguments(object, context, place)
  local sig = signature.of(class.of(object))
  local config, result = object:get_config(), {}
  for key, value in pairs(config) do
    local param = sig and sig.by_name[key]
    if key ~= "input_shape" then
      result[key] = encode(number_out(value, param, context), context, ("%s: %s"):format(place, tostring(key)))
    end
  end
  -- What was left out is left out; an argument that was switched off says so.
  for _, param in ipairs(sig and sig.params or {}) do
    if config[param.name] == nil and param.value ~= nil and not param.required then result[param.name] = null end
  end
  local row = rows.of(class.name_of(object))
  if row.write and not context.own then row.write(result) end
  return result
end

-- Converters of whole classes: models and inputs, which are more than their arguments.
local special = {}

--- Says how objects for which accepts(object) is true are converted: encode(object, context, place)
-- gives module, class name, config, registered name. names: class names as they stand in files;
-- decode(config, context, place, envelope, cls) makes the object; it is asked for classes of the user's,
-- too, for which extended(cls, config) is true.
function M.add(converter)
  special[#special + 1] = converter
end

local function describe_place(object, place)
  local name = rawget(object, "name")
  local what = type(name) == "string" and ("%s '%s'"):format(class.name_of(object), name) or class.name_of(object)
  return place == "" and what or place .. ": " .. what
end

--- The config of an object: a layer, a model, an initializer, an optimizer ...
function M.encode_object(object, context, place)
  place = describe_place(object, place)
  for _, converter in ipairs(special) do
    if converter.accepts(object) then return converter.encode(object, context, place) end
  end
  local cls = class.of(object)
  local module = classes.module_of(cls)
  if not module and context.live then context.live[class.name_of(cls)] = cls end
  local name = class.name_of(cls)
  local envelope = { module = module or null, class_name = module and rows.of(name).class_name or name,
    config = encode_arguments(object, context, place),
    registered_name = not module and classes.custom_name(cls) or null }
  local shape = rawget(object, "_built_for")
  -- Layers that take several tensors are built by their first call; a model is called by nobody.
  if cls.build and not context.own and words.is_plain(shape) and (object.ensure_model or is_shape(shape)) then
    envelope.build_config = { input_shape = shapes_out(shape, object.ensure_model ~= nil) }
  end
  return envelope
end

-- ---- from a config ----

local decode

local function decode_list(value, context, place)
  local result = {}
  for key, entry in pairs(value) do
    local inner = decode(entry, context, ("%s[%s]"):format(place, tostring(key)))
    if inner == nil then inner = null end
    result[key] = inner
  end
  return result
end

local function decode_function(envelope, context, place)
  local name = envelope.config
  if context.live then return context.live[name] end
  if type(name) == "table" then name = name.name or envelope.registered_name end
  local found = classes.find_custom(context.custom, envelope.registered_name, name)
  if found then return found end
  local is_ours = type(envelope.module) ~= "string" or envelope.module == "builtins"
    or envelope.module:find "^keras%."
  if type(name) == "string" and is_ours and not name:find(">", 1, true) then return name end
  return fail(context, place, "the function '%s' is not known; pass custom_objects = {[\"%s\"] = function ...}",
    tostring(name), tostring(name):match "[^>]*$")
end

local specials = {
  ["function"] = decode_function,
  __lambda__ = function(_, context, place)
    fail(context, place, "the file holds a Python lambda, which cannot be run here; write the layer in Lua and "
      .. "pass it in custom_objects, or save the model without it")
  end,
  __numpy__ = function(envelope, context, place)
    local config = envelope.config
    if type(config) ~= "table" then fail(context, place, "is no array") end
    local ok, value = pcall(core.tensor, config.value, config.dtype)
    if not ok then fail(context, place, "is no array of numbers") end
    return value
  end,
  DTypePolicy = function(envelope, context, place)
    local name = type(envelope.config) == "table" and envelope.config.name
    if type(name) ~= "string" then fail(context, place, "the dtype policy has no name") end
    return name
  end,
}
specials.__tensor__ = specials.__numpy__

local function is_envelope(value)
  return type(value.class_name) == "string" and (value.config ~= nil or value.module ~= nil)
end

--- The value of a part of a config: objects are made.
function decode(value, context, place)
  if value == null then return nil end
  if type(value) ~= "table" then return value end
  if is_envelope(value) then return M.decode_object(value, context, place) end
  return decode_list(value, context, place)
end
M.decode = decode

local function read_dtype(value, context, place)
  if type(value) == "table" and value ~= null then
    if not is_envelope(value) or not specials[value.class_name] then
      fail(context, place, "the dtype policy %s is not known; cdl computes in float32",
        words.literal(value.class_name or value))
    end
    value = specials[value.class_name](value, context, place)
  end
  if type(value) == "string" and (value:find "float16" or value:find "float8") then
    fail(context, place, "the dtype policy '%s' is not known; cdl computes in float32", value)
  end
  return value
end

-- What Keras writes for every layer and cdl reads in another place.
local ELSEWHERE = { batch_input_shape = true, batch_shape = true, build_config = true }

--- The arguments of a class from a config.
function M.decode_arguments(cls, config, context, place)
  local name, args = class.name_of(cls), {}
  local sig, row = signature.of(cls), rows.of(class.name_of(cls))
  if type(config) ~= "table" or config == null then fail(context, place, "its config is no object") end
  rows.modernize(config)
  if row.read then
    local ok, message = pcall(row.read, config)
    if not ok then fail(context, place, "%s", M.without_place(message)) end
  end
  for key, value in pairs(config) do
    local param = sig and sig.by_name[key]
    local at = ("%s: %s"):format(place, tostring(key))
    if key == "dtype" then
      args.dtype = read_dtype(value, context, at)
      if not param and sig then args.dtype = nil end
    elseif sig and not param then
      if not ELSEWHERE[key] and not rows.accepts(name, key, value) then
        fail(context, place, "the argument '%s' = %s is not known to cdl", tostring(key),
          words.literal(value == null and "null" or value))
      end
    elseif value == null then
      if param and param.value ~= nil then args[key] = null end
    else
      args[key] = decode(number_in(value, param, context), context, at)
    end
  end
  return args
end

local function find_class(envelope, context, place)
  local name = envelope.class_name
  local found = classes.find_custom(context.custom, envelope.registered_name, name)
    or (context.live and context.live[name])
  if found and not class.is_class(found) then
    fail(context, place, "custom_objects['%s'] must be a class, got %s", name, words.describe(found))
  end
  local is_custom = type(envelope.registered_name) == "string" and envelope.registered_name:find(">", 1, true)
  if not found and not is_custom then found = classes.find(envelope.module, name) end
  if found then return found end
  return fail(context, place, "the class '%s'%s is not known; pass custom_objects = {%s = ...}", name,
    type(envelope.module) == "string" and " of " .. envelope.module or "", name:match "[%w_]*$")
end

-- An error of a constructor, said at the place in the file.
local function construct(cls, args, context, place)
  local ok, object = pcall(cls.from_config, cls, args)
  if ok then return object end
  if type(object) ~= "string" then error(object, 0) end
  return fail(context, place, "%s", M.without_place(object))
end

--- The objects of a model's list of layers, with context.at at the place that each has in a weight file: calls
-- f(i, object).
function M.decode_layers(entries, context, place, f)
  local above, count = context.at or "", {}
  for i, entry in ipairs(entries) do
    local name = Layer.snake_case(entry.class_name)
    local n = count[name] or 0
    count[name] = n + 1
    context.at = ("%s/layers/%s"):format(above, n > 0 and ("%s_%d"):format(name, n) or name)
    f(i, M.decode_object(entry, context, place))
  end
  context.at = above
end

--- The object that a config describes.
function M.decode_object(envelope, context, place)
  if specials[envelope.class_name] then return specials[envelope.class_name](envelope, context, place) end
  local config = envelope.config
  local name = type(config) == "table" and config.name
  local what = type(name) == "string" and ("%s '%s'"):format(envelope.class_name, name) or envelope.class_name
  place = place == "" and what or place .. ": " .. what
  for _, converter in ipairs(special) do
    if converter.names[envelope.class_name] then return converter.decode(config, context, place, envelope) end
  end
  local cls = find_class(envelope, context, place)
  for _, converter in ipairs(special) do
    if converter.extended and converter.extended(cls, config) then
      return converter.decode(config, context, place, envelope, cls)
    end
  end
  local object = construct(cls, M.decode_arguments(cls, config, context, place), context, place)
  if M.after_decode then M.after_decode(object, context, place) end
  return object
end

return M
