--- The weights of layers: making, collecting, reading and setting them. These are methods of Layer.
local constraints = require "cdl.constraints"
local core = require "cdl.core"
local initializers = require "cdl.initializers"
local regularizers = require "cdl.regularizers"
local scope = require "cdl.scope"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

-- What an initializer gives for a weight. One of the user's own may give anything.
local function first_value(initializer, name, shape, dtype)
  local given = initializer(shape, dtype)
  local value = (type(given) == "number" or words.is_plain(given)) and core.tensor(given, dtype) or given
  if not core.is_tensor(value) or words.shape(value.shape) ~= words.shape(shape) then
    core.raise(("add_weight: the initializer of '%s' must give a tensor of shape %s, got %s"):format(name,
      words.shape(shape), words.describe(given)))
  end
  return value.dtype == dtype and value or value:astype(dtype)
end

M.add_weight = signature.method("add_weight", {
  { "self", "any", required = true },
  { "name", "string", "weight", doc = "last part of the weight's path" },
  { "shape", "shape", {}, unknown = false, doc = "sizes" },
  { "initializer", "any", doc = "name, object or function(shape, dtype); glorot_uniform, zeros for integers" },
  { "regularizer", "any", doc = "a penalty on the weight" },
  { "constraint", "any", doc = "applied after each update" },
  { "trainable", "boolean", true, doc = "false: training does not change it" },
  { "dtype", "dtype", doc = "the layer's own if left out" },
}, "Makes a weight of the layer: a variable named by the layer's path.",
  function(self, name, shape, initializer, regularizer, constraint, trainable, dtype)
    dtype = dtype or self.dtype
    if initializer == nil then initializer = dtype:sub(1, 5) == "float" and "glorot_uniform" or "zeros" end
    local path = scope.current().path
    if path == "" then path = self.name end
    local file = scope.current().file -- from which the model is loaded: it has all values
    if file then
      file:check_weight(self, name, shape)
      initializer = "zeros"
    end
    local variable = core.suspend(function()
      local value = first_value(initializers.get(initializer), name, shape, dtype)
      return core.variable(value, path .. "/" .. name, trainable)
    end)
    self._weights[#self._weights + 1] = { variable = variable, trainable = trainable,
      regularizer = regularizers.get(regularizer), constraint = constraints.get(constraint) }
    return variable
  end)

--- Makes a weight as the layer's arguments `<prefix>_initializer`, `_regularizer` and `_constraint` say;
-- the prefix is the weight's name if left out.
function M:add_argument_weight(name, shape, prefix)
  local args = self.args
  prefix = prefix or name
  return self:add_weight { name = name, shape = shape, initializer = args[prefix .. "_initializer"],
    regularizer = args[prefix .. "_regularizer"], constraint = args[prefix .. "_constraint"] }
end

--- Calls f(layer, frozen) for the layer and those inside, in the order of assignment. frozen: it or one
-- around it is not trainable; given as true it holds for all. A layer that stands in several places (one
-- may even hold the model that it is in) is met once, and once more when only the first place was frozen.
function M:each_layer(f, frozen, met)
  frozen, met = frozen or not self._trainable, met or {}
  if met[self] == "free" or (met[self] and frozen) then return end
  met[self] = frozen and "frozen" or "free"
  f(self, frozen)
  for _, inner in ipairs(self:sublayers()) do inner:each_layer(f, frozen, met) end
end

-- Weights that are trainable (or not), each layer's own before those of the layers inside.
local function collect(self, want)
  local list, seen = {}, {}
  local function add(variable)
    if not seen[variable] then
      seen[variable] = true
      list[#list + 1] = variable
    end
  end
  self:each_layer(function(layer, frozen)
    for _, weight in ipairs(layer._weights) do
      local trainable = weight.variable.trainable
      if want == "all" then
        if trainable then add(weight.variable) end
      elseif (want == "trainable") == (trainable and not frozen) then
        add(weight.variable)
      end
    end
    if want == "all" then
      for _, weight in ipairs(layer._weights) do add(weight.variable) end
    end
  end)
  return list
end

--- Calls f(weight, frozen) for every weight record of the layer and those inside.
function M:each_weight(f)
  self:each_layer(function(layer, frozen)
    for _, weight in ipairs(layer._weights) do f(weight, frozen) end
  end)
end

--- The variables that are no weights but go on from batch to batch: states of stateful layers, of
-- this one and those inside.
function M:state_variables()
  local list = {}
  self:each_layer(function(layer)
    local states = rawget(layer, "_states") or {}
    table.move(states, 1, #states, #list + 1, list)
  end, true)
  return list
end

-- Without weights for lack of a shape.
local function need_weights(self, what)
  if self.built or not (self.build or #self:sublayers() > 0) or #self.weights > 0 then return end
  core.raise(("%s: '%s' has no weights yet: call it, or build{-1, ...} with the shape of its input")
    :format(what, self.name))
end

local function same_type(a, b)
  return a.dtype == b.dtype and table.concat(a.shape, ",") == table.concat(b.shape, ",")
end

--- Copies of all weights, a list of tensors. `into`, a list that an earlier call gave, takes the copies
-- where it fits: no new memory is touched.
function M:get_weights(into)
  local list = {}
  for i, variable in ipairs(self.weights) do
    local old = type(into) == "table" and into[i]
    if core.is_tensor(old) and old.kind == "eager" and same_type(old, variable) then
      core.assign_into(old, variable)
      list[i] = old
    else
      list[i] = core.value(variable)
    end
  end
  return list
end

--- Copies a list of tensors into the weights; shapes must be theirs.
function M:set_weights(list)
  need_weights(self, "set_weights")
  local weights = self.weights
  if type(list) ~= "table" or #list ~= #weights then
    core.raise(("layer '%s' has %d weights, set_weights got %s"):format(self.name, #weights,
      type(list) == "table" and tostring(#list) or words.describe(list)))
  end
  local values = {}
  for i, variable in ipairs(weights) do
    local value = words.is_plain(list[i]) and core.tensor(list[i]) or list[i]
    if type(value) == "number" then value = core.tensor(value) end
    local got = core.is_tensor(value) and table.concat(value.shape, ", ")
    if got ~= table.concat(variable.shape, ", ") then
      core.raise(("weight %d ('%s') has shape {%s}, set_weights got %s"):format(i, variable.path,
        table.concat(variable.shape, ", "), words.describe(list[i])))
    end
    values[i] = value
  end
  for i, variable in ipairs(weights) do core.assign(variable, values[i]) end
end

--- Number of single numbers in the weights.
function M:count_params()
  need_weights(self, "count_params")
  local count = 0
  for _, variable in ipairs(self.weights) do count = count + variable.size end
  return count
end

--- Computed fields: lists of variables.
M.get = {
  weights = function(self) return collect(self, "all") end,
  trainable_weights = function(self) return collect(self, "trainable") end,
  non_trainable_weights = function(self) return collect(self, "frozen") end,
}

return M
