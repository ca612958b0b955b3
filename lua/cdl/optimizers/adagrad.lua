--- Adagrad (Duchi et al. 2011).
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"
local initializers = require "cdl.initializers"

local adagrad_update = core.row "adagrad_update"

local Adagrad = Optimizer:extend "Adagrad"
Adagrad.doc = "Gradients divided by the root of the sum of their squares so far: "
  .. "A = A + g^2, w = w - learning_rate g / sqrt(A + epsilon)."
Adagrad.signature = {
  Optimizer.learning_rate_row(0.001),
  { "initial_accumulator_value", "number", 0.1, min = 0, doc = "A before the first step" },
  { "epsilon", "number", 1e-7, min = 0, doc = "keeps the root from 0" },
}

function Adagrad:build(variables)
  local start = initializers.Constant(self.initial_accumulator_value)
  for _, variable in ipairs(variables) do self:add_slot(variable, "accumulator", start) end
end

function Adagrad:update_step(gradient, variable, learning_rate)
  local accumulator = self:slot(variable, "accumulator")
  local value, sum = adagrad_update(nil, nil, self.start_of(variable), accumulator, gradient, learning_rate,
    self:parameter "epsilon")
  core.assign(accumulator, sum)
  self.finish(variable, value)
end

return Adagrad
