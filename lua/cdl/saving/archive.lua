--- `.keras` files: a zip archive of config.json (what the model is), metadata.json and model.weights.h5
-- (its variables).
local arrays = require "cdl.saving.arrays"
local compiled = require "cdl.saving.compiled"
local config = require "cdl.saving.config"
local core = require "cdl.core"
local json = require "cdl.json"
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
    local made = M.revive(envelope, context, wants_compile)
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

--- The model that a config describes, compiled if wanted.
function M.revive(envelope, context, wants_compile)
  if type(envelope.class_name) ~= "string" then config.fail(context, "", "it describes no model") end
  local model = config.decode_object(envelope, context, "")
  if type(model) ~= "table" or not model.ensure_model then
    config.fail(context, "", "it describes a %s, not a model", envelope.class_name)
  end
  local built = type(envelope.build_config) == "table" and envelope.build_config.input_shape
  if type(built) == "table" and not model.built then
    local shape = {}
    for i, n in ipairs(built) do shape[i] = math.type(n) == "integer" and n or -1 end
    model:build(shape)
  end
  if wants_compile then compiled.decode(model, envelope.compile_config, context) end
  return model
end

return M
