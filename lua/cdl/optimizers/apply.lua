--- One update, in Keras's order: unscale, accumulate, clip, decay, the class's own rule, averages,
-- constraints, count. Adds `apply` and what belongs to it to the class Optimizer.
local Optimizer = require "cdl.optimizers.optimizer"
local class = require "cdl.class"
local core = require "cdl.core"
local ops = require "cdl.ops"
local signature = require "cdl.signature"
local words = require "cdl.words"

local function fail(self, format, ...)
  core.raise(("%s: %s"):format(class.name_of(self), format:format(...)))
end

local braces = words.braces

-- ---- what apply is given ----

local function read_gradient(self, gradient, variable)
  if words.is_plain(gradient) or type(gradient) == "number" then gradient = core.tensor(gradient) end
  if core.is_variable(gradient) then gradient = core.read(gradient) end
  if not core.is_tensor(gradient) then
    fail(self, "the gradient of '%s' is %s; wanted a tensor", variable.path, words.describe(gradient))
  end
  if table.concat(gradient.shape, ",") ~= table.concat(variable.shape, ",") then
    fail(self, "the gradient of '%s' has shape %s, the variable %s", variable.path, braces(gradient.shape),
      braces(variable.shape))
  end
  return gradient.dtype == "float32" and gradient or ops.astype(gradient, "float32")
end

-- Pairs {gradient =, variable =}; variables without a gradient, and integer ones, are left out.
local function read_pairs(self, gradients, variables)
  if not words.is_plain(gradients) then
    fail(self, "gradients are given as a list, got %s", words.describe(gradients))
  end
  for key in pairs(gradients) do
    if math.type(key) ~= "integer" or key < 1 or key > #variables then
      fail(self, "there are %d variables, but gradients has an entry %s", #variables, words.literal(key))
    end
  end
  local list, missing, seen = {}, {}, {}
  for i, variable in ipairs(variables) do
    local is_float = variable.dtype:sub(1, 5) == "float"
    if seen[variable] then fail(self, "variable '%s' is given twice", variable.path) end
    seen[variable] = true
    if is_float and (gradients[i] == nil or gradients[i] == signature.null) then
      missing[#missing + 1] = variable.path
    elseif is_float then
      list[#list + 1] = { gradient = read_gradient(self, gradients[i], variable), variable = variable }
    end
  end
  if #list == 0 and #missing > 0 then
    fail(self, "there is no gradient for any variable (%s)", table.concat(missing, ", "))
  elseif #missing > 0 then
    core.warn(("%s: there is no gradient for %s; these are not updated"):format(class.name_of(self),
      table.concat(missing, ", ")))
  end
  return list
end

-- ---- clipping ----

local function squares(x) return ops.sum(ops.square(x)) end

local function clip_globally(list, most)
  local total
  for _, pair in ipairs(list) do
    local part = squares(pair.gradient)
    total = total and total + part or part
  end
  local norm = ops.sqrt(total)
  -- norm - norm makes gradients NaN when the norm is infinite, so that it does not go unseen.
  local scale = most * ops.minimum(ops.reciprocal(norm), ops.reciprocal(most)) + (norm - norm)
  for _, pair in ipairs(list) do pair.gradient = pair.gradient * scale end
end

local function clip_gradients(self, list)
  if self.global_clipnorm then
    clip_globally(list, core.read(self:parameter "global_clipnorm"))
  elseif self.clipnorm then
    local most = core.read(self:parameter "clipnorm")
    for _, pair in ipairs(list) do
      local norm = ops.sqrt(squares(pair.gradient))
      pair.gradient = pair.gradient * (most / ops.maximum(norm, most))
    end
  elseif self.clipvalue then
    local most = core.read(self:parameter "clipvalue")
    for _, pair in ipairs(list) do
      pair.gradient = ops.maximum(ops.minimum(pair.gradient, most), -most)
    end
  end
end

-- ---- weight decay ----

Optimizer.exclude_from_weight_decay = signature.method("exclude_from_weight_decay", {
  { "self", "any", required = true },
  { "var_list", "list", doc = "variables" },
  { "var_names", "list", {}, of = "string", doc = "Lua patterns, searched for in variables' paths" },
}, "Says which variables do not shrink by weight_decay; before the optimizer is built.",
  function(self, var_list, var_names)
    if self.is_built then
      fail(self, "exclude_from_weight_decay must be called before the optimizer is built")
    end
    for _, variable in ipairs(var_list or {}) do self._excluded[variable] = true end
    for _, pattern in ipairs(var_names) do self._excluded[#self._excluded + 1] = pattern end
  end)

local function decays(self, variable)
  if self._excluded[variable] then return false end
  for _, pattern in ipairs(self._excluded) do
    if variable.path:find(pattern) then return false end
  end
  return true
end

--- The argument by which a variable decays: a class that knows several says which.
function Optimizer:decay_name() return "weight_decay" end

local function decay_weights(self, list, learning_rate)
  local parts = {}
  for _, pair in ipairs(list) do
    local variable = pair.variable
    local name = self:decay_name(variable)
    if self[name] and decays(self, variable) then
      parts[name] = parts[name] or self:parameter(name) * learning_rate
      core.assign(variable, variable - variable * parts[name])
    end
  end
end

-- ---- averages ----

-- Whether the update that is being made is a multiple of the frequency.
local function is_due(count, frequency) return ops.eq((count + 1) % frequency, 0) end

local function average_weights(self)
  if not self.use_ema then return end
  local count = self:count()
  -- The first step copies: the averages start as the variables.
  local momentum = ops.astype(ops.ne(count, 0), "float32") * self:parameter "ema_momentum"
  local frequency = self.ema_overwrite_frequency
  for i, variable in ipairs(self.trained) do
    local average = self._averages[i]
    local value = average * momentum + variable * (1 - momentum)
    core.assign(average, value)
    if frequency then
      core.assign(variable, ops.where(is_due(count, frequency), core.read(average), variable))
    end
  end
end

--- Puts the averages in the variables' place, if there are any; fit does so at its end.
function Optimizer:finalize()
  if not self.is_built or self.iterations == 0 then return end -- there are none yet
  for i, average in ipairs(self._averages) do core.assign(self.trained[i], core.read(average)) end
end

-- ---- apply ----

--- Updates that were applied before this one: an int64 scalar.
function Optimizer:count()
  local steps = self.gradient_accumulation_steps
  local raw = core.read(self._iterations)
  return steps and ops.floordiv(raw, steps) or raw
end

local function constrain(self, list)
  for _, pair in ipairs(list) do
    local constraint = self.constraints[pair.variable]
    if constraint then core.assign(pair.variable, constraint(core.read(pair.variable))) end
  end
end

local function update(self, list)
  local learning_rate = self:current_learning_rate()
  clip_gradients(self, list)
  decay_weights(self, list, learning_rate)
  self:begin_step()
  for _, pair in ipairs(list) do self:update_step(pair.gradient, pair.variable, learning_rate) end
end

-- A step has no branches: the update is computed every time, and what it changes is put back
-- except at each k-th one.
local function update_accumulated(self, list, k)
  local due = is_due(core.read(self._iterations), k)
  for _, pair in ipairs(list) do
    local accumulator = self._accumulators[self._known[pair.variable]]
    local sum = accumulator + pair.gradient
    core.assign(accumulator, ops.where(due, 0, sum))
    pair.gradient = sum / k
  end
  local touched, before = {}, {}
  for _, group in ipairs { self.trained, self._state } do
    table.move(group, 1, #group, #touched + 1, touched)
  end
  for i, variable in ipairs(touched) do before[i] = core.read(variable) end
  update(self, list)
  for i, variable in ipairs(touched) do
    core.assign(variable, ops.where(due, core.read(variable), before[i]))
  end
end

--- Changes variables by their gradients, a list in the same order; in a traced step or at once. A
-- variable whose gradient is nil is left out, with a warning. Builds the optimizer at first.
function Optimizer:apply(gradients, variables)
  if variables == nil then variables = rawget(self, "trained") end
  if variables == nil then fail(self, "apply wants a list of gradients and a list of variables") end
  self:build(variables)
  local list = read_pairs(self, gradients, variables)
  if #list == 0 then return end
  if self.loss_scale_factor then
    local scale = core.read(self:parameter "loss_scale_factor")
    for _, pair in ipairs(list) do pair.gradient = pair.gradient / scale end
  end
  local k = self.gradient_accumulation_steps
  if k then update_accumulated(self, list, k) else update(self, list) end
  -- As in Keras, averages follow and constraints hold at every step, also between two updates.
  average_weights(self)
  constrain(self, list)
  core.assign(self._iterations, self._iterations + 1)
end

--- The loss times loss_scale_factor, if there is one: take gradients of this.
function Optimizer:scale_loss(loss)
  if not self.loss_scale_factor then return loss end
  return loss * self:parameter "loss_scale_factor"
end

--- Where a fused update begins, and the end of one: float32 variables are updated as they are;
-- others by what the update adds to 0, so that they keep their precision.
function Optimizer.start_of(variable)
  if variable.dtype == "float32" then return core.read(variable) end
  return core.full(variable.shape, 0, "float32")
end

function Optimizer.finish(variable, value)
  if variable.dtype ~= "float32" then value = variable + value end
  core.assign(variable, value)
end

return Optimizer
