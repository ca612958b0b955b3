--- Adam (Kingma and Ba 2014), with AMSGrad's variant (Reddi et al. 2018).
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"
local ops = require "cdl.ops"

local adam_update = core.row "adam_update"

local Adam = Optimizer:extend "Adam"
Adam.doc = "Running means m of gradients and v of their squares: w = w - alpha m / (sqrt(v) + epsilon), "
  .. "alpha = learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t)."
Adam.signature = {
  Optimizer.learning_rate_row(0.001),
  { "beta_1", "number", 0.9, min = 0, max = 1, doc = "how slowly m follows" },
  { "beta_2", "number", 0.999, min = 0, max = 1, doc = "how slowly v follows" },
  { "epsilon", "number", 1e-7, min = 0, doc = "added to sqrt(v)" },
  { "amsgrad", "boolean", false, doc = "divide by the largest v so far" },
}

function Adam:build(variables)
  for _, variable in ipairs(variables) do
    self:add_slot(variable, "momentum")
    self:add_slot(variable, "velocity")
  end
  if not self.amsgrad then return end
  for _, variable in ipairs(variables) do self:add_slot(variable, "velocity_hat") end
end

--- m and v moved on by a gradient; both are assigned.
function Adam:move_means(gradient, variable)
  local momentum, velocity = self:slot(variable, "momentum"), self:slot(variable, "velocity")
  core.assign(momentum, momentum + (gradient - momentum) * (1 - self:parameter "beta_1"))
  core.assign(velocity, velocity + (ops.square(gradient) - velocity) * (1 - self:parameter "beta_2"))
  return core.read(momentum), core.read(velocity)
end

local function update_amsgrad(self, gradient, variable, learning_rate)
  local m, v = self:move_means(gradient, variable)
  local largest = self:slot(variable, "velocity_hat")
  core.assign(largest, ops.maximum(largest, v))
  local t = ops.astype(self:count() + 1, "float32")
  local alpha = learning_rate * ops.sqrt(1 - ops.pow(self:parameter "beta_2", t))
    / (1 - ops.pow(self:parameter "beta_1", t))
  core.assign(variable, variable - m * alpha / (ops.sqrt(core.read(largest)) + self:parameter "epsilon"))
end

function Adam:update_step(gradient, variable, learning_rate)
  if self.amsgrad then return update_amsgrad(self, gradient, variable, learning_rate) end
  local momentum, velocity = self:slot(variable, "momentum"), self:slot(variable, "velocity")
  local value, m, v = adam_update(nil, nil, self.start_of(variable), momentum, velocity, gradient, learning_rate,
    self:parameter "beta_1", self:parameter "beta_2", self:parameter "epsilon", self:count())
  core.assign(momentum, m)
  core.assign(velocity, v)
  self.finish(variable, value)
end

return Adam
