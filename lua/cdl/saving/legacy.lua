--- `.h5` files, in which Keras kept whole models and weights before `.keras`: reading only.
--
-- The root's attributes model_config and training_config are JSON. The group model_weights (in a file of
-- weights alone, the root) lists the layers with weights in its attribute layer_names; each layer's group
-- lists its arrays in weight_names: those that are trained, then the others.
local arrays = require "cdl.saving.arrays"
local class = require "cdl.class"
local config = require "cdl.saving.config"
local core = require "cdl.core"
local json = require "cdl.json"
local Layer = require "cdl.layer"
local Model = require "cdl.model"
local optimizers = require "cdl.optimizers"
local scope = require "cdl.scope"
local words = require "cdl.words"
require "cdl.saving.functional"
require "cdl.saving.sequential"

local M = {}

local File = {}
File.__index = File
File.__close = function(self) self.h5:close() end

local function open(path, what)
  local h5, message = core.h5_open(path)
  if not h5 then core.raise(("%s: %s"):format(what, message)) end
  return setmetatable({ h5 = h5, what = ("%s: %s"):format(what, path), groups = h5:groups(), arrays = h5:arrays() },
    File)
end

function File:fail(format, ...) core.raise(("%s: %s"):format(self.what, format:format(...))) end

-- The texts of an attribute, or nil.
function File:texts(group, name)
  local number = self.groups[group]
  if not number then return nil end
  local list, message = self.h5:texts(number, name)
  if list == nil then self:fail("%s", message) end
  return list or nil
end

-- A list of names that may be cut into name0, name1, ... because HDF5 bounds an attribute's size.
function File:names(group, name)
  local list = self:texts(group, name)
  if list then return list end
  list = {}
  for i = 0, math.huge do
    local part = self:texts(group, name .. i)
    if not part then return i > 0 and list or nil end
    table.move(part, 1, #part, #list + 1, list)
  end
end

function File:json(name)
  local list = self:texts("", name)
  if not list then return nil end
  local value, message = json.decode(list[1] or "")
  if type(value) ~= "table" then self:fail("the attribute %s is damaged: %s", name, message or "no object") end
  return value
end

function File:read(path)
  local number = self.arrays[path]
  if not number then self:fail("there is no array '%s', which it lists", path) end
  local tensor, message = self.h5:read(number)
  if not tensor then self:fail("%s", message) end
  return tensor
end

-- ---- weights ----

local braces = words.braces

-- The layers of the file that have arrays: { name =, paths = }.
local function stored_layers(file, root)
  local names = file:names(root, "layer_names")
  if not names then file:fail "there are no layers in it (no attribute layer_names)" end
  local list = {}
  for _, name in ipairs(names) do
    local group, paths = ("%s/%s"):format(root, name), {}
    for i, weight in ipairs(file:names(group, "weight_names") or {}) do paths[i] = ("%s/%s"):format(group, weight) end
    if #paths > 0 then list[#list + 1] = { name = name, paths = paths } end
  end
  return list
end

local function weights_of(layer)
  local list = layer.trainable_weights
  local others = layer.non_trainable_weights
  return table.move(others, 1, #others, #list + 1, list)
end

-- What is wrong with a layer's arrays, in words; else pairs of variables and tensors are added.
local function match(file, layer, stored, found)
  local own, list = weights_of(layer), {}
  if #own ~= #stored.paths then
    return ("layer '%s' has %d weights, the file holds %d for '%s'"):format(layer.name, #own, #stored.paths,
      stored.name)
  end
  for i, variable in ipairs(own) do
    local tensor = file:read(stored.paths[i])
    if braces(tensor.shape) ~= braces(variable.shape) then
      return ("the weight '%s' of layer '%s' has shape %s and must match '%s' of shape %s"):format(
        variable.path:match "[^/]*$", layer.name, braces(variable.shape), stored.paths[i], braces(tensor.shape))
    end
    list[i] = { variable, tensor }
  end
  table.move(list, 1, #list, #found + 1, found)
end

-- Pairs of a layer of the model and one of the file: by name, or one after the other.
local function pair_layers(file, model, stored, by_name)
  local own, result, by = {}, {}, {}
  for _, layer in ipairs(model.layers) do
    if #layer.weights > 0 then own[#own + 1] = layer end
  end
  if by_name then
    for _, layer in ipairs(own) do by[layer.name] = layer end
    for _, one in ipairs(stored) do
      if by[one.name] then result[#result + 1] = { by[one.name], one } end
    end
    return result
  end
  if #own ~= #stored then
    file:fail("it holds %d layers with weights, model '%s' has %d; by_name = true loads those whose names agree",
      #stored, model.name, #own)
  end
  for i, layer in ipairs(own) do result[i] = { layer, stored[i] } end
  return result
end

local function match_weights(file, model, by_name, skip)
  local root = file.groups["/model_weights"] and "/model_weights" or ""
  local found, problems = {}, {}
  for _, pair in ipairs(pair_layers(file, model, stored_layers(file, root), by_name)) do
    local problem = match(file, pair[1], pair[2], found)
    if problem and not skip then file:fail("%s; skip_mismatch = true leaves out what does not fit", problem) end
    problems[#problems + 1] = problem
  end
  if #problems > 0 then core.warn(("%s: left out: %s"):format(file.what, table.concat(problems, "; "))) end
  return found
end

--- Reads the weights of an .h5 file into a model, layer by layer or by the layers' names.
function M.load_weights(model, path, by_name, skip)
  local file <close> = open(path, "load_weights")
  arrays.assign(match_weights(file, model, by_name, skip))
end

-- ---- whole models ----

-- The optimizer's state, when it has the form of this Keras's.
local function match_optimizer(file, model, found)
  local names = file:names("/optimizer_weights", "weight_names")
  if not names or #names == 0 then return end
  model.optimizer:build(model:captured_weights())
  local own, list = model.optimizer:saved_variables(), {}
  local fits = #own == #names
  for i, variable in ipairs(fits and own or {}) do
    local tensor = file:read("/optimizer_weights/" .. names[i])
    fits = fits and braces(tensor.shape) == braces(variable.shape)
    if core.is_variable(variable) then list[#list + 1] = { variable, tensor } end
  end
  if fits then return table.move(list, 1, #list, #found + 1, found) end
  core.warn(("%s: the optimizer's state has another form (of Keras 2?); the optimizer starts anew"):format(file.what))
end

local function compile(file, model, settings, context)
  local made = settings.optimizer_config and config.decode(settings.optimizer_config, context, "training_config")
  local args = { optimizer = made and optimizers.get(made) }
  for _, name in ipairs { "loss", "loss_weights", "metrics", "weighted_metrics" } do
    if settings[name] ~= nil then args[name] = config.decode(settings[name], context, "training_config: " .. name) end
  end
  local ok, message = pcall(model.compile, model, args)
  if not ok then
    file:fail("training_config: %s; compile = false loads the model alone",
      config.without_place(message))
  end
end

--- The model in an .h5 file.
function M.load(path, custom, wants_compile)
  local file <close> = open(path, "load_model")
  local envelope = file:json "model_config"
  if not envelope then
    file:fail "it holds no model (no attribute model_config); weights alone are read by model:load_weights"
  end
  local context = { what = file.what .. ": model_config", custom = custom }
  local model = type(envelope.class_name) == "string"
    and scope.with({ file = arrays.source(file.h5, file.what) }, config.decode_object, envelope, context, "")
  if not class.is(model, Layer) or not class.is(model, Model) then file:fail "model_config describes no model" end
  local settings = wants_compile and file:json "training_config"
  if settings then compile(file, model, settings, context) end
  local found = match_weights(file, model)
  if settings then match_optimizer(file, model, found) end
  arrays.assign(found)
  return model
end

return M
