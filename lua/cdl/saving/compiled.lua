--- How a model was compiled as Keras's compile_config, and back.
local config = require "cdl.saving.config"
local core = require "cdl.core"
local signature = require "cdl.signature"

local M = {}

local null = signature.null
local PARTS = { "loss", "loss_weights", "metrics", "weighted_metrics" }

-- compile's arguments as the user gave them; an empty list is none.
local function encode_parts(model, context)
  local made = { optimizer = config.encode(model.optimizer, context, "compile: optimizer") }
  for _, name in ipairs(PARTS) do
    local value = model._compiled[name]
    if type(value) == "table" and getmetatable(value) == nil and next(value) == nil then value = nil end
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

--- Compiles a model as a compile_config says.
function M.decode(model, settings, context)
  if type(settings) ~= "table" or settings == null or next(settings) == nil then return end
  local args = {}
  for _, name in ipairs { "optimizer", table.unpack(PARTS) } do
    local value = settings[name]
    if value ~= nil then args[name] = config.decode(value, context, "compile_config: " .. name) end
  end
  local ok, message = pcall(model.compile, model, args)
  if not ok then
    config.fail(context, "compile_config", "%s; compile = false loads the model alone",
      config.without_place(message))
  end
end


return M
