--- LossScaleOptimizer: another optimizer, on gradients of a loss that is scaled up so that they do not
-- vanish in few digits. The scale finds itself (Micikevicius et al. 2018).
local Configured = require "cdl.configured"
local Optimizer = require "cdl.optimizers.apply"
local class = require "cdl.class"
local core = require "cdl.core"
local ops = require "cdl.ops"
local words = require "cdl.words"

local LossScaleOptimizer = Optimizer:extend "LossScaleOptimizer"
LossScaleOptimizer.doc = "Multiplies the loss by a scale and divides the gradients by it. A step whose gradients are "
  .. "not finite is left out, and the scale halved; after dynamic_growth_steps good ones it is doubled."
LossScaleOptimizer.signature = {
  { "inner_optimizer", "any", required = true, doc = "the optimizer that updates" },
  { "initial_scale", "number", 2 ^ 15, above = 0, doc = "the first scale" },
  { "dynamic_growth_steps", "integer", 2000, min = 1, doc = "good steps until the scale is doubled" },
  { "name", "string", doc = "first part of its variables' paths" },
}
-- All others are the inner optimizer's to take.
LossScaleOptimizer.base_arguments = {}

-- Fields that are the inner optimizer's.
local INNER = { learning_rate = true, lr = true, iterations = true, use_ema = true, trained = true, is_built = true,
  constraints = true }

function LossScaleOptimizer:init(args)
  args.name = self.name
  local inner = args.inner_optimizer
  if not class.is(inner, Optimizer) or class.is(inner, LossScaleOptimizer) then
    core.raise(("LossScaleOptimizer: inner_optimizer must be another optimizer, got %s"):format(words.describe(inner)))
  end
  inner.loss_scale_factor = nil -- else gradients would be scaled twice
  for name in pairs(INNER) do rawset(self, name, nil) end
  rawset(self, "inner_optimizer", inner)
  rawset(self, "build", function(_, variables) return inner:build(variables) end)
  local function scalar(name, value, dtype)
    return core.suspend(function()
      return core.variable(core.tensor(value, dtype), self.name .. "/" .. name, false)
    end)
  end
  rawset(self, "step_counter", scalar("step_counter", 0, "int64"))
  rawset(self, "dynamic_scale", scalar("dynamic_scale", args.initial_scale, "float32"))
  -- Keras's files have a learning rate of the wrapper's own here.
  rawset(self, "_unused_rate", scalar("learning_rate", 0, "float32"))
end

function LossScaleOptimizer:__index(key)
  local inner = rawget(self, "inner_optimizer")
  if inner and INNER[key] then return inner[key] end
  return Optimizer.__index(self, key)
end

function LossScaleOptimizer:__newindex(key, value)
  if rawget(self, "inner_optimizer") and INNER[key] then
    self.inner_optimizer[key] = value
  else
    Optimizer.__newindex(self, key, value)
  end
end

LossScaleOptimizer.get = {
  variables = function(self)
    local list = { self._iterations, self._unused_rate, self.step_counter, self.dynamic_scale }
    return table.move(self.inner_optimizer.variables, 1, #self.inner_optimizer.variables, #list + 1, list)
  end,
}

function LossScaleOptimizer:set_schedule(schedule) return self.inner_optimizer:set_schedule(schedule) end

function LossScaleOptimizer:finalize() return self.inner_optimizer:finalize() end

function LossScaleOptimizer:scale_loss(loss) return loss * core.read(self.dynamic_scale) end

local function all_finite(gradients)
  local all
  for _, gradient in pairs(gradients) do
    if core.is_variable(gradient) or core.is_tensor(gradient) then
      local finite = ops.all(ops.isfinite(gradient))
      all = all and ops.logical_and(all, finite) or finite
    end
  end
  return all
end

--- As every optimizer's; a step has no branches, so the update is computed every time, and put back
-- when the gradients are not finite.
function LossScaleOptimizer:apply(gradients, variables)
  local inner = self.inner_optimizer
  variables = variables or rawget(inner, "trained")
  inner:build(variables)
  local finite = all_finite(gradients)
  local scale, unscaled = core.read(self.dynamic_scale), {}
  for i, gradient in pairs(gradients) do unscaled[i] = gradient / scale end
  local touched = table.move(inner.trained, 1, #inner.trained, 1, {})
  table.move(inner.variables, 1, #inner.variables, #touched + 1, touched)
  local before = {}
  for i, variable in ipairs(touched) do before[i] = core.read(variable) end
  inner:apply(unscaled, variables)
  if not finite then return end
  for i, variable in ipairs(touched) do
    core.assign(variable, ops.where(finite, core.read(variable), before[i]))
  end
  local counter = core.read(self.step_counter)
  local is_full = ops.logical_and(finite, ops.eq(counter, self.dynamic_growth_steps - 1))
  core.assign(self.step_counter, ops.where(ops.logical_and(finite, ops.logical_not(is_full)), counter + 1, 0))
  core.assign(self.dynamic_scale, scale * ops.where(finite, ops.where(is_full, 2.0, 1.0), 0.5))
end

-- Its own arguments, without those of other optimizers.
LossScaleOptimizer.get_config = Configured.get_config

return LossScaleOptimizer
