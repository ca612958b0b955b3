--- The kinds of models (`cdl.models`), with the loops of fit.lua as methods, and their files.
local compile = require "cdl.compile"
local core = require "cdl.core"
local fit = require "cdl.fit"
local onnx = require "cdl.onnx"
local signature = require "cdl.signature"
local summary = require "cdl.model_summary"
local weights = require "cdl.weights"
local words = require "cdl.words"

local M = { Model = compile, Sequential = require "cdl.sequential" }

-- Files are for some scripts only: what knows of them is loaded when it is used.
local function saving(name) return require("cdl.saving." .. name) end

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
  if path:find "%.keras$" then return saving "archive".load(path, custom_objects, wants_compile) end
  if path:find "%.h5$" or path:find "%.hdf5$" then return saving "legacy".load(path, custom_objects, wants_compile) end
  core.raise(("load_model: %s: the name of a model's file ends in .keras or .h5"):format(words.literal(path)))
end)

M.model_from_json = signature.fn("model_from_json", {
  { "text", "string", required = true, doc = "what to_json gave", alias = "json_string" }, custom_row,
}, "A new model like the one that to_json has described.", function(text, custom_objects)
  local envelope, message = require "cdl.json".decode(text)
  if type(envelope) ~= "table" then core.raise("model_from_json: " .. (message or "it describes no model")) end
  return saving "archive".revive(envelope, { what = "model_from_json", custom = custom_objects }, true)
end)

--- Models' configs have cdl's own numbers; `context.live` keeps what has no name in a file.
local function config_of(model, live)
  return saving "archive".encode_object(model, { what = "get_config", own = true, live = live }, "")
end

M.register_keras_serializable = signature.fn("register_keras_serializable", {
  { "object", "any", required = true, doc = "a class or a function" },
  { "name", "string", doc = "its name in files; a class's own name if left out" },
  { "package", "string", "Custom", doc = "what stands before the name" },
}, "Makes a class or function known to load_model, so that it need not be among custom_objects; functions "
  .. "get the name under which a file keeps them.", function(object, name, package)
  return saving "classes".register(object, name, package)
end)

M.clone_model = signature.fn("clone_model", {
  { "model", "any", required = true, doc = "a model" },
}, "A model of equal layers, with new first values of its weights.", function(model)
  if type(model) ~= "table" or not model.ensure_model then
    core.raise("clone_model: wanted a model, got " .. words.describe(model))
  end
  local live = {}
  return saving "archive".decode_object(config_of(model, live), { what = "clone_model", own = true, live = live }, "")
end)

--- The description of a model, from which from_config makes an equal one.
local function get_config(self) return config_of(self).config end

for _, cls in ipairs { M.Model, M.Sequential } do
  local own_config = cls.get_config
  local name = cls == M.Model and "Functional" or "Sequential"
  local layers_at = cls == M.Model and "input_layers" or "layers" -- only a config of a graph has them
  function cls:get_config()
    local is_graph = name == "Sequential" or (rawget(self, "_graph") and self.call == M.Model.call)
    return is_graph and get_config(self) or own_config(self)
  end
  local own_from = cls.from_config
  function cls.from_config(class, settings)
    local is_own = class ~= cls
    if is_own and not (type(settings) == "table" and settings[layers_at]) then return own_from(class, settings) end
    return saving "archive".decode_object({ class_name = is_own and class.__name or name, config = settings },
      { what = "from_config", own = true, custom = is_own and { [class.__name] = class } or nil }, "")
  end
end

M.Model.to_json = signature.method("to_json", { { "self", "any", required = true } },
  "The model as JSON, as Keras writes it: its layers and how it is compiled, without its weights.", function(self)
    return require "cdl.json".encode(saving "archive".model_config(self, { what = "to_json" }))
  end)

return M
