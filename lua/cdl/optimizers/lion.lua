--- Lion (Chen et al. 2023).
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"
local ops = require "cdl.ops"

local Lion = Optimizer:extend "Lion"
Lion.doc = "w = w - learning_rate sign(beta_1 m + (1 - beta_1) g), then m = beta_2 m + (1 - beta_2) g."
Lion.signature = {
  Optimizer.learning_rate_row(0.001),
  { "beta_1", "number", 0.9, min = 0, max = 1, doc = "the momentum's part in the step" },
  { "beta_2", "number", 0.99, min = 0, max = 1, doc = "how slowly the momentum follows" },
}

function Lion:build(variables)
  for _, variable in ipairs(variables) do self:add_slot(variable, "momentum") end
end

function Lion:update_step(gradient, variable, learning_rate)
  local momentum = self:slot(variable, "momentum")
  local beta_1, beta_2 = core.read(self:parameter "beta_1"), core.read(self:parameter "beta_2")
  local direction = ops.sign(momentum * beta_1 + gradient * (1 - beta_1))
  core.assign(variable, variable - direction * learning_rate)
  core.assign(momentum, momentum * beta_2 + gradient * (1 - beta_2))
end

return Lion
