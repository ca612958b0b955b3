--- MultiOptimizer: several optimizers, each for some of the variables.
local Configured = require "cdl.configured"
local Optimizer = require "cdl.optimizers.apply"
local class = require "cdl.class"
local core = require "cdl.core"
local words = require "cdl.words"

local LossScaleOptimizer = require "cdl.optimizers.loss_scale"
local OptimizerMap = require "cdl.optimizers.optimizer_map"

local MultiOptimizer = Optimizer:extend "MultiOptimizer"
MultiOptimizer.doc = "Updates each variable by the optimizer that an OptimizerMap, or a function of the variable, "
  .. "gives. Learning rates are those of its `optimizers`, a list."
MultiOptimizer.signature = {
  { "optimizer_map", "any", required = true, doc = "an OptimizerMap, or a function (variable) -> optimizer" },
  { "loss_scale_factor", "number", above = 0, doc = "the loss is multiplied by it, gradients are divided" },
  { "name", "string", doc = "first part of its variables' paths" },
}
MultiOptimizer.base_arguments = {}

local function fail(format, ...) core.raise("MultiOptimizer: " .. format:format(...)) end

function MultiOptimizer:init(args)
  args.name = self.name
  local map = args.optimizer_map
  if type(map) ~= "function" and not class.is(map, OptimizerMap) then
    fail("optimizer_map must be an OptimizerMap or a function, got %s", words.describe(map))
  end
  for key, value in pairs { optimizers = {}, map = map, _of = {}, trained = {} } do rawset(self, key, value) end
  rawset(self, "build", function(own, variables) own:divide(variables) end)
end

function MultiOptimizer:__index(key)
  if key == "learning_rate" or key == "lr" then
    fail "the learning rates are those of its optimizers: optimizer.optimizers[1].learning_rate"
  end
  return Optimizer.__index(self, key)
end

function MultiOptimizer:__newindex(key, value)
  if key == "learning_rate" or key == "lr" then
    fail "the learning rates are those of its optimizers: optimizer.optimizers[1].learning_rate"
  end
  Optimizer.__newindex(self, key, value)
end

-- Takes an optimizer in, once, and returns its place.
local function add(self, optimizer, variable)
  if not class.is(optimizer, Optimizer) then
    fail("what is given for variable '%s' must be an optimizer, got %s", variable.path, words.describe(optimizer))
  elseif class.is(optimizer, MultiOptimizer) or class.is(optimizer, LossScaleOptimizer) then
    fail("a %s cannot be one of its optimizers", class.name_of(optimizer))
  end
  for i, known in ipairs(self.optimizers) do
    if rawequal(known, optimizer) then return i end
  end
  optimizer.loss_scale_factor = self.loss_scale_factor
  self.optimizers[#self.optimizers + 1] = optimizer
  return #self.optimizers
end

--- Finds the variables' optimizers, and builds these; once.
function MultiOptimizer:divide(variables)
  if self.is_built then return end
  local shares = {}
  for i, variable in ipairs(variables) do
    local place = add(self, self.map(variable), variable)
    self._of[variable], self.trained[i] = place, variable
    shares[place] = shares[place] or {}
    table.insert(shares[place], variable)
  end
  for i, optimizer in ipairs(self.optimizers) do optimizer:build(shares[i]) end
  rawset(self, "is_built", true)
end

MultiOptimizer.get = {
  variables = function(self)
    local list = { self._iterations }
    for _, optimizer in ipairs(self.optimizers) do
      local own = optimizer.variables
      table.move(own, 1, #own, #list + 1, list)
    end
    return list
  end,
}

function MultiOptimizer:set_schedule()
  fail "schedules are set on its optimizers: optimizer.optimizers[1]:set_schedule(schedule)"
end

function MultiOptimizer:finalize()
  for _, optimizer in ipairs(self.optimizers) do optimizer:finalize() end
end

--- As every optimizer's: each of the optimizers updates its variables.
function MultiOptimizer:apply(gradients, variables)
  variables = variables or self.trained
  self:build(variables)
  local shares = {}
  for i, variable in ipairs(variables) do
    local place = self._of[variable]
    if not place then fail("variable '%s' is unknown: it was built for %d others", variable.path, #self.trained) end
    shares[place] = shares[place] or { gradients = {}, variables = {} }
    local share = shares[place]
    share.variables[#share.variables + 1] = variable
    share.gradients[#share.variables] = gradients[i]
  end
  for i, optimizer in ipairs(self.optimizers) do
    if shares[i] then
      for variable, constraint in pairs(self.constraints) do
        if self._of[variable] == i then optimizer.constraints[variable] = constraint end
      end
      optimizer:apply(shares[i].gradients, shares[i].variables)
    end
  end
  core.assign(self._iterations, self._iterations + 1)
end

-- Its own arguments, without those of other optimizers.
MultiOptimizer.get_config = Configured.get_config

return MultiOptimizer
