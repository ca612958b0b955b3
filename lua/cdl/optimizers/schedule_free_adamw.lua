--- Schedule-free AdamW (Defazio et al. 2024): a running average takes the place of a schedule.
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"
local ops = require "cdl.ops"

local ScheduleFreeAdamW = Optimizer:extend "ScheduleFreeAdamW"
ScheduleFreeAdamW.doc = "z takes Adam's steps, x is the mean of all z, and the variable is "
  .. "(1 - beta_1) z + beta_1 x."
ScheduleFreeAdamW.signature = {
  Optimizer.learning_rate_row(0.0025),
  { "beta_1", "number", 0.9, above = 0, max = 1, doc = "the mean's part of the variable" },
  { "beta_2", "number", 0.999, min = 0, max = 1, doc = "how slowly the mean square follows" },
  { "epsilon", "number", 1e-8, min = 0, doc = "added to the root" },
  { "warmup_steps", "integer", 0, min = 0, doc = "steps in which the learning rate grows from 0" },
}

function ScheduleFreeAdamW:build(variables)
  for _, variable in ipairs(variables) do
    self:add_slot(variable, "momentum", core.value(variable)) -- z begins at the variable
    self:add_slot(variable, "velocity")
  end
end

function ScheduleFreeAdamW:update_step(gradient, variable, learning_rate)
  local z, velocity = self:slot(variable, "momentum"), self:slot(variable, "velocity")
  local beta_1, beta_2 = self:parameter "beta_1", self:parameter "beta_2"
  local step = ops.astype(self:count() + 1, "float32")
  if self.warmup_steps > 0 then learning_rate = learning_rate * ops.minimum(step / self.warmup_steps, 1) end

  local before = core.read(z)
  core.assign(velocity, velocity + (ops.square(gradient) - velocity) * (1 - beta_2))
  local root = ops.sqrt(velocity / (1 - ops.pow(beta_2, step))) + self:parameter "epsilon"
  core.assign(z, z - gradient * learning_rate / root)

  local mean = (variable - before * (1 - beta_1)) / beta_1
  local part = 1 / step
  mean = mean * (1 - part) + z * part
  core.assign(variable, z * (1 - beta_1) + mean * beta_1)
end

return ScheduleFreeAdamW
