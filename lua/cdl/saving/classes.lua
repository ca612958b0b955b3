--- Where cdl's classes live in Keras, and which class a file means.
local class = require "cdl.class"
local core = require "cdl.core"
local losses = require "cdl.losses"
local metrics = require "cdl.metrics"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

-- Keras's modules and ours, each class under the same name in both.
local MODULES = {
  { "keras.layers", "cdl.layers" },
  { "keras.initializers", "cdl.initializers" },
  { "keras.regularizers", "cdl.regularizers" },
  { "keras.constraints", "cdl.constraints" },
  { "keras.losses", "cdl.losses" },
  { "keras.metrics", "cdl.metrics" },
  { "keras.optimizers", "cdl.optimizers" },
  { "keras.optimizers.schedules", "cdl.schedules" },
}
local ours = {}
for _, row in ipairs(MODULES) do ours[row[1]] = row[2] end

local function class_in(module, name)
  local found = type(name) == "string" and require(module)[name]
  return class.is_class(found) and found or nil
end

--- Keras's module of one of our classes; nil for a class of the user's.
function M.module_of(cls)
  local name = class.name_of(cls)
  for _, row in ipairs(MODULES) do
    if class_in(row[2], name) == cls then return row[1] end
  end
end

-- "keras.src.layers.core.dense" and Keras 2's "keras.layers.core" are "keras.layers".
local function public_module(module)
  local base = module:gsub("^tensorflow%.", ""):gsub("^tf_keras%.", "keras."):gsub("^keras%.src%.", "keras.")
  if ours[base] then return base end
  if base:find "^keras%.optimizers%.schedules" then return "keras.optimizers.schedules" end
  base = base:match "^(keras%.%a+)"
  return ours[base] and base or nil
end

--- Our class for a class of Keras's; nil when we have none. Without a module (files of Keras 2) all are
-- searched.
function M.find(module, name)
  if type(module) == "string" then
    local public = public_module(module)
    return public and class_in(ours[public], name)
  end
  for _, row in ipairs(MODULES) do
    local found = class_in(row[2], name)
    if found then return found end
  end
end

-- ---- objects of the user's ----

local registered, names = {}, setmetatable({}, { __mode = "k" })

local function is_custom_object(x)
  return class.is_class(x) or type(x) == "function"
end

--- Makes an object known under a package's name.
function M.register(object, name, package)
  if not is_custom_object(object) then
    core.raise("register_keras_serializable: object must be a class or a function, got " .. words.describe(object))
  end
  name = name or class.name_of(object)
  if not name then core.raise "register_keras_serializable: a function needs a name" end
  local full = package .. ">" .. name
  registered[full] = object
  names[object] = full
  return object
end

--- The name under which a file keeps a class or function of the user's.
function M.custom_name(object)
  return names[object] or (class.is_class(object) and "Custom>" .. class.name_of(object)) or nil
end

--- The object of the user's that a file names: from custom_objects (a table by name) or registered.
function M.find_custom(custom, registered_name, class_name)
  for _, name in ipairs { registered_name or false, class_name or false } do
    if type(name) == "string" then
      local found = custom and (custom[name] or custom[name:match "[^>]*$"])
      found = found or registered[name] or registered["Custom>" .. name]
      if found then return found end
    end
  end
end

--- The name of a loss's, metric's or activation's function of ours; nil for any other.
function M.function_name(f)
  local activation = require "cdl.activations".name_of(f)
  if activation then return activation end
  local sig = signature.of(f)
  local name = sig and sig.name
  if name and (losses[name] == f or metrics[name] == f) then return name end
end

return M
