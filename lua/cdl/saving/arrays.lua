--- A model's variables to and from Keras's weight files. Reading is done in two steps: first everything
-- is read and checked, then the model is changed.
local assets = require "cdl.saving.assets"
local class = require "cdl.class"
local core = require "cdl.core"
local ops = require "cdl.ops"
local Optimizer = require "cdl.optimizers.optimizer"
local variables = require "cdl.saving.variables"
local words = require "cdl.words"

local M = {}

local braces = words.braces

local function prepare_optimizer(model)
  local optimizer = rawget(model, "optimizer")
  if optimizer and not optimizer.is_built then optimizer:build(model:captured_weights()) end
end

-- ---- writing ----

--- Paths and tensors of everything that a file keeps of a model. with_optimizer: also its state.
function M.collect(model, with_optimizer)
  local paths, tensors = {}, {}
  local function add(path, list)
    for i, x in ipairs(list) do
      paths[#paths + 1], tensors[#tensors + 1] = ("%s/vars/%d"):format(path, i - 1), x
    end
  end
  for _, place in ipairs(variables.places(model)) do
    if not class.is(place.object, Optimizer) then
      add(place.path, place.variables)
      assets.collect(place, paths, tensors)
    elseif with_optimizer and place.object.is_built then
      add(place.path, place.object:saved_variables())
    end
  end
  return paths, tensors
end

-- ---- reading ----

-- An open file with what is needed to say what is wrong: { arrays = number by path, used =, optimizers =
-- the names of groups that hold none of the model's weights }.
local Source = {}
Source.__index = Source

--- A weight file; `what` begins its messages.
function M.source(file, what)
  local arrays, groups = file:arrays(), file:groups()
  -- How the group of a model's layers was called in 2023.
  local layers = groups["/_layer_checkpoint_dependencies"] and "_layer_checkpoint_dependencies"
  return setmetatable({ file = file, what = what, bytes = file:bytes(), arrays = arrays, used = {}, layers = layers,
    optimizers = { optimizer = true } }, Source)
end

function Source:fail(format, ...) core.raise(("%s: %s"):format(self.what, format:format(...))) end

--- Raises when a weight of this shape cannot be in the file, before memory is taken for it.
function Source:check_weight(layer, name, shape)
  local size = 1
  for _, n in ipairs(shape) do size = size * n end
  if size > self.bytes then
    self:fail("the weight %s %s of layer '%s' is larger than the file", name, braces(shape), layer.name)
  end
end

function Source:read(path)
  local tensor, message = self.file:read(self.arrays[path])
  if not tensor then self:fail("%s", message) end
  return tensor
end

-- The paths of an object's arrays 0, 1, ... in the file.
local function arrays_of(self, path)
  if self.layers then path = path:gsub("/layers/", "/" .. self.layers .. "/") end
  local list = {}
  while self.arrays[("%s/vars/%d"):format(path, #list)] do
    list[#list + 1] = ("%s/vars/%d"):format(path, #list)
    self.used[list[#list]] = true
  end
  return list
end

local function describe(variable)
  return ("%s %s"):format(variable.path:match "[^/]*$", braces(variable.shape))
end

local function describe_all(list)
  local texts = {}
  for i, variable in ipairs(list) do texts[i] = describe(variable) end
  return #list == 0 and "none" or table.concat(texts, ", ")
end

-- What is wrong with an object's arrays, in words; else pairs of variables and tensors are added.
local function match(self, place, pairs_list)
  local own, arrays = place.variables, arrays_of(self, place.path)
  local name = ("layer '%s'"):format(place.object.name)
  if #arrays ~= #own then
    return ("%s has %d weights (%s), the file holds %d for it (%s/vars)"):format(name, #own, describe_all(own), #arrays,
      place.path)
  end
  local found = {}
  for i, variable in ipairs(own) do
    local tensor = self:read(arrays[i])
    if braces(tensor.shape) ~= braces(variable.shape) then
      return ("the weight %s of %s must match the array %s of shape %s"):format(describe(variable), name, arrays[i],
        braces(tensor.shape))
    end
    found[i] = { variable, tensor }
  end
  table.move(found, 1, #found, #pairs_list + 1, pairs_list)
end

local function match_optimizer(self, place, pairs_list)
  local own, arrays = place.object:saved_variables(), arrays_of(self, place.path)
  -- An optimizer that has not begun has only the count and the rate.
  if #arrays <= 2 and #arrays < #own then own = { table.unpack(own, 1, #arrays) } end
  if #own ~= #arrays then
    return ("the optimizer %s has %d variables, the file holds %d"):format(class.name_of(place.object), #own, #arrays)
  end
  local found = {}
  for i, variable in ipairs(own) do
    local tensor = self:read(arrays[i])
    if braces(tensor.shape) ~= braces(variable.shape) then
      return ("the optimizer's variable '%s' has shape %s, the array %s has %s"):format(variable.path,
        braces(variable.shape), arrays[i], braces(tensor.shape))
    end
    if core.is_variable(variable) then found[#found + 1] = { variable, tensor } end
  end
  table.move(found, 1, #found, #pairs_list + 1, pairs_list)
end

-- Arrays that nothing in the model asked for. Keras keeps the states of random generators, which cdl
-- does not have; a model that is not compiled takes no optimizer.
local function left_over(self)
  local paths = {}
  for path in pairs(self.arrays) do
    if not self.used[path] and not self.optimizers[path:match "^/([^/]*)"] and not path:find "seed_generator"
      and not path:find "/idf_weights$" then
      paths[#paths + 1] = path
    end
  end
  table.sort(paths)
  return paths
end

--- Finds the arrays of a model's variables. Gives a list of pairs, to be handed to `assign`. A file that does
-- not fit raises; with skip the objects that do not fit are left out, with one warning.
function M.match(source, model, skip)
  local pairs_list, problems = {}, {}
  prepare_optimizer(model)
  for _, place in ipairs(variables.places(model)) do
    if class.is(place.object, Optimizer) then
      local problem = match_optimizer(source, place, pairs_list)
      if problem then
        core.warn(("%s: %s; the optimizer starts anew"):format(source.what, problem))
      end
    else
      problems[#problems + 1] = match(source, place, pairs_list)
    end
  end
  if #problems == 0 then
    local extra = left_over(source)
    if #extra > 0 and not skip then
      problems[1] = ("it holds %d arrays for which model '%s' has no weights (%s%s)"):format(#extra, model.name,
        table.concat(extra, ", ", 1, math.min(#extra, 3)), #extra > 3 and ", ..." or "")
    end
  end
  if #problems == 0 then return pairs_list end
  if not skip then source:fail("%s; skip_mismatch = true leaves out what does not fit", problems[1]) end
  core.warn(("%s: left out: %s"):format(source.what, table.concat(problems, "; ")))
  return pairs_list
end

--- Gives the variables what was read.
function M.assign(pairs_list)
  for _, pair in ipairs(pairs_list) do
    local variable, tensor = pair[1], pair[2]
    core.assign(variable, tensor.dtype == variable.dtype and tensor or ops.astype(tensor, variable.dtype))
  end
end

return M
