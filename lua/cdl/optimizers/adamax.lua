--- Adamax: Adam with the largest gradient in place of the mean square (Kingma and Ba 2014).
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"
local ops = require "cdl.ops"

local Adamax = Optimizer:extend "Adamax"
Adamax.doc = "m: running mean of g, u = max(beta_2 u, |g|): "
  .. "w = w - learning_rate m / ((1 - beta_1^t) (u + epsilon))."
Adamax.signature = {
  Optimizer.learning_rate_row(0.001),
  { "beta_1", "number", 0.9, min = 0, max = 1, doc = "how slowly m follows" },
  { "beta_2", "number", 0.999, min = 0, max = 1, doc = "how slowly u falls" },
  { "epsilon", "number", 1e-7, min = 0, doc = "added to u" },
}

function Adamax:build(variables)
  for _, variable in ipairs(variables) do
    self:add_slot(variable, "momentum")
    self:add_slot(variable, "norm")
  end
end

function Adamax:update_step(gradient, variable, learning_rate)
  local momentum, norm = self:slot(variable, "momentum"), self:slot(variable, "norm")
  local beta_1 = core.read(self:parameter "beta_1")
  core.assign(momentum, momentum + (gradient - momentum) * (1 - beta_1))
  core.assign(norm, ops.maximum(norm * self:parameter "beta_2", ops.abs(gradient)))
  local t = ops.astype(self:count() + 1, "float32")
  local rate = learning_rate / (1 - ops.pow(beta_1, t))
  core.assign(variable, variable - momentum * rate / (norm + self:parameter "epsilon"))
end

return Adamax
