--- FTRL: follow the regularised leader, for sparse linear models (McMahan et al. 2013).
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"
local initializers = require "cdl.initializers"
local ops = require "cdl.ops"

local Ftrl = Optimizer:extend "Ftrl"
Ftrl.doc = "Follow the regularised leader: weights that matter little become exactly 0."
Ftrl.signature = {
  Optimizer.learning_rate_row(0.001),
  { "learning_rate_power", "number", -0.5, max = 0, doc = "how the rate falls with the sum of squares; 0: not" },
  { "initial_accumulator_value", "number", 0.1, min = 0, doc = "sum of squares before the first step" },
  { "l1_regularization_strength", "number", 0, min = 0, doc = "draws weights to exactly 0" },
  { "l2_regularization_strength", "number", 0, min = 0, doc = "makes weights small" },
  { "l2_shrinkage_regularization_strength", "number", 0, min = 0, doc = "the same through the gradient" },
  { "beta", "number", 0, min = 0, doc = "beta of the paper" },
}

function Ftrl:build(variables)
  local start = initializers.Constant(self.initial_accumulator_value)
  for _, variable in ipairs(variables) do
    self:add_slot(variable, "accumulator", start)
    self:add_slot(variable, "linear")
  end
end

function Ftrl:update_step(gradient, variable, learning_rate)
  local sum, linear = self:slot(variable, "accumulator"), self:slot(variable, "linear")
  local power = -self:parameter "learning_rate_power"
  local l1 = core.read(self:parameter "l1_regularization_strength")
  local l2 = self:parameter "l2_regularization_strength" + self:parameter "beta" / (learning_rate * 2)
  local shrinkage = self:parameter "l2_shrinkage_regularization_strength"
  local new_sum = sum + ops.square(gradient)
  local growth = ops.pow(new_sum, power) - ops.pow(sum, power)
  core.assign(linear, linear + gradient + variable * (shrinkage * 2) - growth / learning_rate * variable)
  local cut = ops.maximum(ops.minimum(linear, l1), -l1)
  core.assign(variable, (cut - linear) / (ops.pow(new_sum, power) / learning_rate + l2 * 2))
  core.assign(sum, new_sum)
end

return Ftrl
