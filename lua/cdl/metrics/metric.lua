--- Metric: numbers that are gathered over batches.
--
--     local Largest = cdl.Metric:extend "Largest"
--     function Largest:init() self.largest = self:add_variable { name = "largest", initializer = "zeros" } end
--     function Largest:update_state(y_true, y_pred, sample_weight)
--       self.largest:assign(cdl.maximum(self.largest, y_pred:max()))
--     end
--     function Largest:result() return self.largest:value() end
--
-- The state is in variables, so the same methods work eagerly and in a traced step.
local Configured = require "cdl.configured"
local class = require "cdl.class"
local core = require "cdl.core"
local initializers = require "cdl.initializers"
local registry = require "cdl.registry"
local signature = require "cdl.signature"
local words = require "cdl.words"

local Metric = Configured:extend "Metric"
Metric.doc = "Base class of metrics: a subclass defines init, update_state(y_true, y_pred, sample_weight) and result()."
Metric.base_arguments = {
  { "name", "string", doc = "its key in the logs; the class's name in snake case if left out" },
  { "dtype", "dtype", "float32", doc = "what it computes in" },
}

--- "max" or "min": where improvement lies (callbacks' mode "auto"); nil: nobody can tell.
Metric.direction = nil

local made_by = setmetatable({}, { __mode = "k" }) -- tensor -> the metric whose result it is

--- The metric whose result() gave exactly this tensor, else nil.
function Metric.result_of(tensor) return tensor ~= nil and made_by[tensor] or nil end

function Metric:new(...)
  local args = self:read_arguments(...)
  local metric = setmetatable({}, self)
  rawset(metric, "args", args)
  rawset(metric, "name", args.name or self.default_name or registry.snake_case(class.name_of(self)))
  rawset(metric, "dtype", args.dtype)
  rawset(metric, "variables", {})
  rawset(metric, "_initial", {})
  local compute = self.result
  rawset(metric, "result", function(own, ...)
    local value = compute(own, ...)
    if core.is_variable(value) then value = core.read(value) end
    if type(value) == "number" then value = core.tensor(value) end
    if not core.is_tensor(value) then
      core.raise(("metric '%s': result must return a tensor, got %s"):format(own.name, words.describe(value)))
    end
    made_by[value] = own
    return value
  end)
  if self.init then metric:init(args) end
  return metric
end

Metric.add_variable = signature.method("add_variable", {
  { "self", "any", required = true },
  { "name", "string", "variable", doc = "last part of its path" },
  { "shape", "shape", {}, unknown = false, doc = "sizes" },
  { "initializer", "any", "zeros", doc = "its value before the first update" },
  { "dtype", "dtype", doc = "the metric's own if left out" },
}, "Makes a variable that holds state of the metric.", function(self, name, shape, initializer, dtype)
  dtype = dtype or self.dtype
  local variable, initial = core.suspend(function()
    local value = initializers.get(initializer)(shape, dtype)
    if not core.is_tensor(value) then value = core.tensor(value, dtype) end
    return core.variable(value, self.name .. "/" .. name, false), value
  end)
  self.variables[#self.variables + 1] = variable
  self._initial[variable] = initial
  return variable
end)

--- Takes a batch into account.
function Metric:update_state()
  core.raise(("metric '%s' defines no update_state(y_true, y_pred, sample_weight)"):format(class.name_of(self)))
end

--- The value of everything that was taken into account.
function Metric:result()
  core.raise(("metric '%s' defines no result()"):format(class.name_of(self)))
end

--- Forgets everything.
function Metric:reset_state()
  for _, variable in ipairs(self.variables) do core.assign(variable, self._initial[variable]) end
end

--- Takes a batch into account; the value so far.
function Metric:__call(...)
  self:update_state(...)
  return self:result()
end

--- The arguments from which an equal metric can be made, by name.
function Metric:get_config()
  local config = Configured.get_config(self)
  config.name = self.name
  return config
end

return Metric
