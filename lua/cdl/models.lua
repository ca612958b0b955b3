--- The kinds of models (`cdl.models`), with the loops of fit.lua as methods, and their files.
local archive = require "cdl.saving.archive"
local classes = require "cdl.saving.classes"
local compile = require "cdl.compile"
local config = require "cdl.saving.config"
local core = require "cdl.core"
local fit = require "cdl.fit"
local json = require "cdl.json"
local onnx = require "cdl.onnx"
local legacy = require "cdl.saving.legacy"
local signature = require "cdl.signature"
local summary = require "cdl.model_summary"
local weights = require "cdl.weights"
local words = require "cdl.words"
require "cdl.saving.functional"
require "cdl.saving.sequential"

local M = { Model = compile, Sequential = require "cdl.sequential",
  register_keras_serializable = classes.register }

fit.install(M.Model)
weights.install(M.Model)
onnx.install(M.Model)
summary.install(M.Model)

local custom_row = { "custom_objects", "table", doc = "classes and functions of your own by their names" }

M.load_model = signature.fn("load_model", {
  { "path", "string", required = true, doc = "a .keras file, or an .h5 file of Keras's", alias = "filepath" },
  custom_row,
  { "compile", "boolean", true, doc = "compile it as the saved model was, with the optimizer's state" },
}, "The model in a file.", function(path, custom_objects, wants_compile)
  if path:find "%.keras$" then return archive.load(path, custom_objects, wants_compile) end
  if path:find "%.h5$" or path:find "%.hdf5$" then return legacy.load(path, custom_objects, wants_compile) end
  core.raise(("load_model: %s: the name of a model's file ends in .keras or .h5"):format(words.literal(path)))
end)

M.model_from_json = signature.fn("model_from_json", {
  { "text", "string", required = true, doc = "what to_json gave", alias = "json_string" }, custom_row,
}, "A new model like the one that to_json has described.", function(text, custom_objects)
  local envelope, message = json.decode(text)
  if type(envelope) ~= "table" then core.raise("model_from_json: " .. (message or "it describes no model")) end
  return archive.revive(envelope, { what = "model_from_json", custom = custom_objects }, true)
end)

--- Models' configs have cdl's own numbers; `context.live` keeps what has no name in a file.
local function config_of(model, live)
  return config.encode_object(model, { what = "get_config", own = true, live = live }, "")
end

M.clone_model = signature.fn("clone_model", {
  { "model", "any", required = true, doc = "a model" },
}, "A model of equal layers, with new first values of its weights.", function(model)
  if type(model) ~= "table" or not model.ensure_model then
    core.raise("clone_model: wanted a model, got " .. words.describe(model))
  end
  local live = {}
  return config.decode_object(config_of(model, live), { what = "clone_model", own = true, live = live }, "")
end)

--- The description of a model, from which from_config makes an equal one.
local function get_config(self) return config_of(self).config end

for _, cls in ipairs { M.Model, M.Sequential } do
  local own_config = cls.get_config
  local name = cls == M.Model and "Functional" or "Sequential"
  function cls:get_config()
    if getmetatable(self) == cls and (rawget(self, "_graph") or name == "Sequential") then return get_config(self) end
    return own_config(self)
  end
  local own_from = cls.from_config
  function cls.from_config(class, settings)
    if class ~= cls then return own_from(class, settings) end
    return config.decode_object({ class_name = name, config = settings }, { what = "from_config", own = true }, "")
  end
end

M.Model.to_json = signature.method("to_json", { { "self", "any", required = true } },
  "The model as JSON, as Keras writes it: its layers and how it is compiled, without its weights.", function(self)
    return json.encode(archive.model_config(self, { what = "to_json" }))
  end)

return M
