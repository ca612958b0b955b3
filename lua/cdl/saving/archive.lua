--- `.keras` files: a zip archive of config.json (what the model is), metadata.json and model.weights.h5
-- (its variables).
local arrays = require "cdl.saving.arrays"
local compiled = require "cdl.saving.compiled"
local config = require "cdl.saving.config"
local core = require "cdl.core"
local json = require "cdl.json"
local scope = require "cdl.scope"
local signature = require "cdl.signature"
local tree = require "cdl.tree"
require "cdl.saving.functional"
require "cdl.saving.sequential"

local M = { encode_object = config.encode_object, decode_object = config.decode_object }

local CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"

--- The version of Keras whose format is written.
M.KERAS = "3.15.0"

--- The config of a whole model, with how it is compiled.
function M.model_config(model, context)
  local envelope = config.encode_object(model, context, "")
  envelope.compile_config = compiled.encode(model, context)
  return envelope
end

--- Writes a model to a .keras file, whole or not at all.
function M.save(model, path)
  local envelope = M.model_config(model, { what = "save: " .. path })
  local paths, tensors = arrays.collect(model, envelope.compile_config ~= nil)
  local image, message = core.h5_image(paths, tensors)
  if not image then core.raise(("save: %s: %s"):format(path, message)) end
  local metadata = { keras_version = M.KERAS, date_saved = os.date "%Y-%m-%d@%H:%M:%S", written_by = "cdl",
    step = model:step_count() }
  local ok
  ok, message = core.archive_write(path, { METADATA, CONFIG, WEIGHTS },
    { json.encode(metadata), json.encode(envelope), image })
  if not ok then core.raise("save: " .. message) end
end

-- ---- reading ----

local function open(path, what)
  local archive, message = core.archive_open(path)
  if not archive then core.raise(("%s: %s"):format(what, message)) end
  return archive, archive:names()
end

local function read_json(archive, names, name, path, what)
  if not names[name] then
    core.raise(("%s: %s: there is no %s in it, so it is no .keras file"):format(what, path, name))
  end
  local text, message = archive:text(names[name])
  if not text then core.raise(("%s: %s"):format(what, message)) end
  local value
  value, message = json.decode(text)
  if value == nil then core.raise(("%s: %s: %s is damaged: %s"):format(what, path, name, message)) end
  if type(value) ~= "table" then core.raise(("%s: %s: %s is no object"):format(what, path, name)) end
  return value
end

--- Calls use(source) with the weight file in an archive.
function M.with_weights(archive, names, path, what, use)
  if not names[WEIGHTS] then
    core.raise(("%s: %s: there is no %s in it"):format(what, path, WEIGHTS))
  end
  local file <close>, message = archive:h5(names[WEIGHTS])
  if not file then core.raise(("%s: %s"):format(what, message)) end
  return use(arrays.source(file, ("%s: %s: %s"):format(what, path, WEIGHTS)))
end

--- The model in a .keras file.
function M.load(path, custom, wants_compile)
  local what = "load_model"
  local archive <close>, names = open(path, what)
  local envelope = read_json(archive, names, CONFIG, path, what)
  local context = { what = ("%s: %s: %s"):format(what, path, CONFIG), custom = custom }
  local model = M.with_weights(archive, names, path, what, function(source)
    context.assets = { archive = archive, names = names, source = source }
    local made = scope.with({ file = source }, M.revive, envelope, context, wants_compile)
    for _, name in ipairs(compiled.own_names(envelope.compile_config)) do source.optimizers[name] = true end
    arrays.assign(arrays.match(source, made))
    return made
  end)
  if names[METADATA] then model:set_step_count(read_json(archive, names, METADATA, path, what).step) end
  return model
end

--- Reads the weights of a .keras file into a model that there is.
function M.load_weights(model, path, skip)
  local archive <close>, names = open(path, "load_weights")
  return M.with_weights(archive, names, path, "load_weights", function(source)
    arrays.assign(arrays.match(source, model, skip))
  end)
end

local MOST = 2 ^ 26 -- numbers of an input for which a model is built

-- Zeros of a shape, or a structure of them.
local function zeros(x, depth)
  local result, is_shape, size = {}, true, 1
  for key, entry in pairs(x) do
    if type(entry) == "table" and entry ~= signature.null and depth > 0 then
      result[key], is_shape = zeros(entry, depth - 1), false
    else
      result[key] = math.type(entry) == "integer" and entry or 1
      size = size * result[key]
    end
  end
  if size > MOST then core.raise "the shape is too large" end
  return is_shape and core.full(result, 0, "float32") or result
end

-- Builds a model of the user's for inputs of such shapes.
local function build(model, shapes, context)
  local ok, message = pcall(function()
    local leaves, spec = tree.flatten(zeros(shapes, 1), nil, "build_config")
    local types = {}
    for i, leaf in ipairs(leaves) do types[i] = { dtype = "float32", shape = leaf.shape } end
    model:ensure_model(types, spec)
  end)
  if not ok then config.fail(context, "build_config", "%s", config.without_place(message)) end
end

--- The model that a config describes, compiled if wanted.
function M.revive(envelope, context, wants_compile)
  if type(envelope.class_name) ~= "string" then config.fail(context, "", "it describes no model") end
  local model = config.decode_object(envelope, context, "")
  if type(model) ~= "table" or not model.ensure_model then
    config.fail(context, "", "it describes a %s, not a model", envelope.class_name)
  end
  local built = type(envelope.build_config) == "table" and envelope.build_config.input_shape
  if type(built) == "table" and not model.built then build(model, built, context) end
  if wants_compile then compiled.decode(model, envelope.compile_config, context) end
  return model
end

return M
