--- Optimizer: how gradients change variables.
--
--     local Signs = cdl.Optimizer:extend "Signs"
--     function Signs:build(variables)
--       for _, variable in ipairs(variables) do self:add_slot(variable, "momentum") end
--     end
--     function Signs:update_step(gradient, variable, learning_rate)
--       local momentum = self:slot(variable, "momentum")
--       momentum:assign(momentum * 0.9 + gradient * 0.1)
--       variable:assign_sub(cdl.sign(momentum:value()) * learning_rate)
--     end
--
-- Numeric arguments live in scalar variables as soon as a step reads them by `parameter(name)`: so
-- `optimizer.learning_rate = 0.1` or `optimizer.beta_1 = 0.5` acts on the next step without a new
-- trace. What an argument turns on or off (clipping, weight decay, momentum 0, nesterov, ...) is
-- fixed when the optimizer is built, and assigning it then raises.
--
-- Clipping, weight decay, averages, accumulation and constraints are in optimizers/apply.lua.
local Configured = require "cdl.configured"
local autodiff = require "cdl.autodiff"
local class = require "cdl.class"
local core = require "cdl.core"
local initializers = require "cdl.initializers"
local ops = require "cdl.ops"
local registry = require "cdl.registry"
local signature = require "cdl.signature"
local words = require "cdl.words"

local Optimizer = Configured:extend "Optimizer"
Optimizer.doc = "Base class of optimizers: a subclass defines build(variables) and "
  .. "update_step(gradient, variable, learning_rate)."

--- The row of an optimizer's first argument.
function Optimizer.learning_rate_row(default)
  return { "learning_rate", "number|function", default, alias = "lr",
    doc = "a number, a schedule, or a function of the number of the step, from 0" }
end

Optimizer.base_arguments = {
  Optimizer.learning_rate_row(0.001),
  { "weight_decay", "number", min = 0, doc = "variables shrink by this part times learning_rate at each step" },
  { "clipnorm", "number", above = 0, doc = "largest norm of each gradient" },
  { "clipvalue", "number", above = 0, doc = "largest absolute value in gradients" },
  { "global_clipnorm", "number", above = 0, doc = "largest norm of all gradients together" },
  { "use_ema", "boolean", false, doc = "keep running averages of the variables; fit ends with them" },
  { "ema_momentum", "number", 0.99, min = 0, max = 1, doc = "how slowly the averages follow" },
  { "ema_overwrite_frequency", "integer", min = 1, doc = "put the averages in place every so many steps" },
  { "loss_scale_factor", "number", above = 0, doc = "the loss is multiplied by it, gradients are divided" },
  { "gradient_accumulation_steps", "integer", min = 2, doc = "update with the mean gradient of so many steps" },
  { "name", "string", doc = "first part of its variables' paths; the class's name if left out" },
}

--- Numeric arguments whose 0 turns a part off: { momentum = true }.
Optimizer.switches = {}

-- ---- arguments ----

local function new_scalar(optimizer, name, value, dtype)
  return core.suspend(function()
    return core.variable(core.tensor(value, dtype), optimizer.name .. "/" .. name, false)
  end)
end

-- The rows of numbers, and those of everything else that is fixed at build, by name.
local function sort_parameters(cls)
  local sig = signature.of(cls)
  local numeric, fixed = {}, {}
  for _, param in ipairs(sig and sig.params or signature.new("Optimizer", cls.base_arguments).params) do
    local kind = param.kind
    if param.name == "learning_rate" or kind == "number" then
      numeric[param.name] = param
    elseif param.name ~= "name" then
      fixed[param.name] = param
    end
  end
  return numeric, fixed
end

local function check_clipping(name, args)
  local given = {}
  for _, key in ipairs { "clipnorm", "clipvalue", "global_clipnorm" } do
    if args[key] then given[#given + 1] = key end
  end
  if #given > 1 then
    core.raise(("%s: only one of clipnorm, clipvalue and global_clipnorm can be given, got %s"):format(name,
      table.concat(given, " and ")))
  end
end

function Optimizer:new(...)
  local args = self:read_arguments(...)
  local class_name = class.name_of(self)
  check_clipping(class_name, args)
  local optimizer = setmetatable({}, self)
  local numeric, fixed = sort_parameters(self)
  for key, value in pairs {
    args = args, name = args.name or registry.snake_case(class_name), constraints = {}, is_built = false,
    _numeric = numeric, _fixed = fixed, _values = {}, _parameters = {}, _slots = {}, _state = {},
    _averages = {}, _accumulators = {}, _excluded = {}, _known = {},
  } do rawset(optimizer, key, value) end
  for key in pairs(numeric) do optimizer._values[key] = args[key] end
  for key in pairs(fixed) do optimizer._values[key] = args[key] end
  rawset(optimizer, "_iterations", new_scalar(optimizer, "iteration", 0, "int64"))
  if type(args.learning_rate) ~= "number" then
    optimizer._values.learning_rate = 0
    rawset(optimizer, "_schedule", args.learning_rate)
  end
  local build = self.build
  rawset(optimizer, "build", function(own, variables) return own:prepare(variables, build) end)
  if self.init then optimizer:init(args) end
  return optimizer
end

-- The number as float32 holds it.
local function single(number) return (string.unpack("<f", string.pack("<f", number))) end

-- The shortest decimal number that is the same float32.
local function shortest(number)
  if number ~= number or math.abs(number) == math.huge then return number end
  for digits = 6, 9 do
    local short = tonumber(("%%.%dg"):format(digits):format(number))
    if single(short) == number then return short end
  end
  return number
end

local function read_number(self, name)
  local value, parameter = self._values[name], self._parameters[name]
  if not parameter then return value end
  local held = core.item(core.value(parameter))
  return held == single(value) and value or shortest(held)
end

local function fail(self, format, ...)
  core.raise(("%s: %s"):format(class.name_of(self), format:format(...)))
end

-- The value in its final form, as the constructor would read it.
local function read_value(self, param, value)
  if value == nil or value == signature.null then
    if param.default == nil then return nil end
  else
    local ok, result = param.reader.read(value, param)
    if ok then return result end
    fail(self, "%s must be %s, got %s", param.name, type(result) == "string" and result or param.reader.wants,
      words.describe(value))
  end
  return fail(self, "%s must be %s, got nil", param.name, param.reader.wants)
end

local function set_number(self, name, value)
  local old = self._values[name]
  value = read_value(self, self._numeric[name], value)
  if self.is_built then
    if (old == nil) ~= (value == nil) then
      fail(self, "%s was %s when the optimizer was built, so it cannot become %s now; make a new optimizer", name,
        words.describe(old), words.describe(value))
    elseif self.switches[name] and self._built_with[name] == 0 and value ~= 0 then
      fail(self, "%s was 0 when the optimizer was built, so it has no %s; make a new optimizer", name, name)
    end
  end
  self._values[name] = value
  local parameter = self._parameters[name]
  if parameter then core.suspend(core.assign, parameter, value) end
end

local function set_fixed(self, name, value)
  if self.is_built then
    fail(self, "%s is fixed when the optimizer is built; make a new optimizer", name)
  end
  self._values[name] = read_value(self, self._fixed[name], value)
end

-- ---- the learning rate ----

-- The schedule's value for a number of steps, a float32 scalar.
local function scheduled_rate(self, step)
  local rate = self._schedule(step)
  if type(rate) == "number" then rate = core.tensor(rate) end
  if not core.is_tensor(rate) or rate.size ~= 1 then
    fail(self, "the learning rate's schedule must give a scalar, got %s", words.describe(rate))
  end
  if rate.ndim > 0 then rate = core.reshape(rate, {}) end
  return rate.dtype == "float32" and rate or ops.astype(rate, "float32")
end

--- The learning rate of this step, a scalar tensor.
function Optimizer:current_learning_rate()
  if not self._schedule then return core.read(self:parameter "learning_rate") end
  local rate = scheduled_rate(self, core.read(self._iterations))
  if not core.in_trace() then return rate end
  -- So that a step that has been traced knows when the schedule is taken away.
  if not rawget(self, "_follows") then rawset(self, "_follows", new_scalar(self, "follows_schedule", true, "bool")) end
  return ops.where(self._follows, rate, self:parameter "learning_rate")
end

local function get_learning_rate(self)
  if not self._schedule then return read_number(self, "learning_rate") end
  return core.suspend(function()
    return shortest(core.item(scheduled_rate(self, core.value(self._iterations))))
  end)
end

--- Lets a schedule or a function of the step drive the learning rate; nil: none, the learning rate
-- stays at what it is and can be assigned. A model that has been traced sees another schedule at
-- its next fit, and the lack of one at its next step.
function Optimizer:set_schedule(schedule)
  if schedule == nil or schedule == signature.null then
    if not self._schedule then return end
    local rate = get_learning_rate(self)
    rawset(self, "_schedule", nil)
    if rawget(self, "_follows") then core.suspend(core.assign, self._follows, false) end
    set_number(self, "learning_rate", rate)
    return
  end
  schedule = read_value(self, self._numeric.learning_rate, schedule)
  if type(schedule) == "number" then
    fail(self, "set_schedule wants a schedule, a function or nil, got %g", schedule)
  end
  rawset(self, "_schedule", schedule)
  if rawget(self, "_follows") then core.suspend(core.assign, self._follows, true) end
  autodiff.retrace()
end

local function set_learning_rate(self, value)
  if type(value) ~= "number" then return self:set_schedule(read_value(self, self._numeric.learning_rate, value)) end
  if self._schedule then
    fail(self, "a schedule drives the learning rate; call optimizer:set_schedule(nil) before assigning a number")
  end
  set_number(self, "learning_rate", value)
end

-- ---- fields ----

function Optimizer:__index(key)
  local values = rawget(self, "_values")
  if key == "lr" then key = "learning_rate" end
  if values and values[key] ~= nil then
    if key == "learning_rate" then return get_learning_rate(self) end
    if self._numeric[key] then return read_number(self, key) end
    return values[key]
  end
  return class.index(self, key)
end

function Optimizer:__newindex(key, value)
  if key == "lr" then key = "learning_rate" end
  if key == "learning_rate" then return set_learning_rate(self, value) end
  if rawget(self, "_values") then
    if self._numeric[key] then return set_number(self, key, value) end
    if self._fixed[key] then return set_fixed(self, key, value) end
  end
  return class.assign(self, key, value)
end

--- The variable that holds a numeric argument: what a step computes with, so that assigning the
-- argument acts on steps that have been traced.
function Optimizer:parameter(name)
  local parameter = self._parameters[name]
  if not parameter then
    if not self._numeric[name] or self._values[name] == nil then
      fail(self, "there is no numeric argument '%s'%s", tostring(name),
        words.suggestion(name, words.sorted_keys(self._numeric)))
    end
    parameter = new_scalar(self, name, self._values[name], "float32")
    self._parameters[name] = parameter
  end
  return parameter
end

Optimizer.get = {
  -- Updates that were applied.
  iterations = function(self)
    return core.item(core.value(self._iterations)) // (self.gradient_accumulation_steps or 1)
  end,
  -- Everything that a file keeps, in Keras's order.
  variables = function(self)
    local list = { self._iterations }
    if not self._schedule then list[2] = self:parameter "learning_rate" end
    for _, group in ipairs { self._averages, self._accumulators, self._state } do
      table.move(group, 1, #group, #list + 1, list)
    end
    return list
  end,
}

--- What a file keeps of the optimizer, in Keras's order: its variables.
function Optimizer:saved_variables() return self.variables end

-- ---- state ----

local function new_state(self, variable, name, initializer)
  local value = initializer
  if not core.is_tensor(value) then value = initializers.get(initializer)(variable.shape, "float32") end
  local path = ("%s/%s_%s"):format(self.name, variable.path:gsub("/", "_"), name)
  return core.variable(core.tensor(value, "float32"), path, false)
end

Optimizer.add_slot = signature.method("add_slot", {
  { "self", "any", required = true },
  { "variable", "any", required = true, doc = "a variable that is trained" },
  { "name", "string", required = true, doc = "what the slot is called" },
  { "initializer", "any", "zeros", doc = "name, object, function, or a tensor of any shape" },
}, "Makes a variable that the optimizer keeps for another one, of the same shape.",
  function(self, variable, name, initializer)
    if not core.is_variable(variable) then
      fail(self, "add_slot wants a variable, got %s", words.describe(variable))
    end
    local slot = core.suspend(new_state, self, variable, name, initializer)
    self._slots[name] = self._slots[name] or {}
    self._slots[name][variable] = slot
    self._state[#self._state + 1] = slot
    return slot
  end)

--- The slot of that name of a variable; nil when there is none.
function Optimizer:slot(variable, name)
  local slots = self._slots[name]
  return slots and slots[variable]
end

Optimizer.add_variable = signature.method("add_variable", {
  { "self", "any", required = true },
  { "name", "string", required = true, doc = "last part of its path" },
  { "value", "number", 0, doc = "first value" },
}, "Makes a scalar that the optimizer keeps for all variables together.", function(self, name, value)
  local variable = new_scalar(self, name, value, "float32")
  self._state[#self._state + 1] = variable
  return variable
end)

local function is_trainable(variable) return variable.dtype:sub(1, 5) == "float" end

local function check_variables(self, variables)
  if not words.is_plain(variables) then
    fail(self, "variables are given as a list, got %s", words.describe(variables))
  end
  for i, variable in ipairs(variables) do
    if not core.is_variable(variable) then
      fail(self, "variable %d is %s; wanted a variable", i, words.describe(variable))
    end
  end
end

local function check_known(self, variables)
  for _, variable in ipairs(variables) do
    if is_trainable(variable) and not self._known[variable] then
      fail(self, "variable '%s' is unknown: the optimizer was built for %d other variables; "
        .. "make a new one for these, or call build with all of them first", variable.path, #self.trained)
    end
  end
end

--- Makes the state for a list of variables, once; `build` is the class's own part of that.
function Optimizer:prepare(variables, build)
  check_variables(self, variables)
  if self.is_built then return check_known(self, variables) end
  local trained = {}
  for _, variable in ipairs(variables) do
    if is_trainable(variable) and not self._known[variable] then
      trained[#trained + 1] = variable
      self._known[variable] = #trained
    end
  end
  rawset(self, "trained", trained)
  local built, message = pcall(core.suspend, function()
    for i, variable in ipairs(trained) do
      if self.use_ema then
        self._averages[i] = new_state(self, variable, "average", "zeros")
      end
      if self.gradient_accumulation_steps then
        self._accumulators[i] = new_state(self, variable, "gradient_accumulator", "zeros")
      end
    end
    build(self, trained)
  end)
  if not built then -- as it was, so that a later call can build
    for _, variable in ipairs(trained) do self._known[variable] = nil end
    rawset(self, "trained", {})
    error(message, 0)
  end
  local built_with = {}
  for name, value in pairs(self._values) do built_with[name] = value end
  rawset(self, "_built_with", built_with)
  rawset(self, "is_built", true)
end

--- Makes the slots; a subclass overrides it.
function Optimizer:build() end

--- Changes a variable by its gradient; a subclass overrides it.
function Optimizer:update_step()
  fail(self, "defines no update_step(gradient, variable, learning_rate)")
end

--- What has to happen once before the variables of a step are updated.
function Optimizer:begin_step() end

--- The arguments from which an equal optimizer can be made, by name.
function Optimizer:get_config()
  local config = Configured.get_config(self)
  for name in pairs(self._values) do config[name] = self[name] end
  config.name = self.name
  if self._schedule then config.learning_rate = self._schedule end
  return config
end

return Optimizer
