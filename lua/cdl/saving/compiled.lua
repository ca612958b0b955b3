--- How a model was compiled as Keras's compile_config, and back.
local config = require "cdl.saving.config"
local core = require "cdl.core"
local Model = require "cdl.model"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

local null = signature.null
local PARTS = { "loss", "loss_weights", "metrics", "weighted_metrics" }

-- What else Keras's own compile keeps; other names are those of a model with a train_step of its own.
local OTHERS = { "run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss" }
local known = { optimizer = true }
for _, name in ipairs(PARTS) do known[name] = true end
for _, name in ipairs(OTHERS) do known[name] = true end

-- compile's arguments as the user gave them; an empty list is none.
local function encode_parts(model, context)
  local made = { optimizer = config.encode(model.optimizer, context, "compile: optimizer") }
  for _, name in ipairs(PARTS) do
    local value = model._compiled[name]
    if type(value) == "table" and getmetatable(value) == nil and next(value) == nil then value = nil end
    made[name] = config.encode(value, context, "compile: " .. name)
  end
  for name, value in pairs(model._compiled.fields) do
    made[name] = config.encode(value, context, "compile: " .. name)
  end
  made.run_eagerly, made.steps_per_execution, made.jit_compile = false, 1, "auto"
  return made
end

--- The compile_config of a model, or nil: it is not compiled, or in a way that a file cannot keep,
-- which is said as a warning.
function M.encode(model, context)
  if not rawget(model, "_compiled") then return nil end
  local ok, made = pcall(encode_parts, model, context)
  if ok then return made end
  core.warn(("%s; the file is written without how the model is compiled, and without the optimizer"):format(
    config.without_place(made)))
end

--- The names that a compile_config has besides those of compile, in alphabetical order: a model's own.
function M.own_names(settings)
  local names = {}
  for _, name in ipairs(type(settings) == "table" and words.sorted_keys(settings) or {}) do
    if not known[name] then names[#names + 1] = name end
  end
  return names
end

--- Compiles a model as a compile_config says.
function M.decode(model, settings, context)
  if type(settings) ~= "table" or settings == null or next(settings) == nil then return end
  local args = {}
  local function take(name)
    local value = settings[name]
    if value ~= nil then args[name] = config.decode(value, context, "compile_config: " .. name) end
  end
  take "optimizer"
  for _, name in ipairs(PARTS) do take(name) end
  if model.train_step ~= Model.train_step then
    for _, name in ipairs(M.own_names(settings)) do take(name) end
  end
  local ok, message = pcall(model.compile, model, args)
  if not ok then
    config.fail(context, "compile_config", "%s; compile = false loads the model alone",
      config.without_place(message))
  end
end

return M
