--- LAMB: Adam with steps in proportion to the variable's norm, for large batches (You et al. 2019).
local Adam = require "cdl.optimizers.adam"
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"
local ops = require "cdl.ops"

local Lamb = Optimizer:extend "Lamb"
Lamb.doc = "Adam's direction u, scaled to the variable: w = w - learning_rate |w| / |u| u."
Lamb.signature = {
  Optimizer.learning_rate_row(0.001),
  { "beta_1", "number", 0.9, min = 0, max = 1, doc = "how slowly the mean gradient follows" },
  { "beta_2", "number", 0.999, min = 0, max = 1, doc = "how slowly the mean square follows" },
  { "epsilon", "number", 1e-7, min = 0, doc = "added to the root" },
}
Lamb.move_means = Adam.move_means

function Lamb:build(variables)
  for _, variable in ipairs(variables) do
    self:add_slot(variable, "momentum")
    self:add_slot(variable, "velocity")
  end
end

local function norm_of(x) return ops.sqrt(ops.sum(ops.square(x))) end

function Lamb:update_step(gradient, variable, learning_rate)
  local m, v = self:move_means(gradient, variable)
  local t = ops.astype(self:count() + 1, "float32")
  local mean = m / (1 - ops.pow(self:parameter "beta_1", t))
  local square = v / (1 - ops.pow(self:parameter "beta_2", t))
  local direction = mean / (ops.sqrt(square) + self:parameter "epsilon")
  local size, length = norm_of(variable), norm_of(direction)
  local is_usable = ops.logical_and(ops.gt(size, 0), ops.gt(length, 0))
  local ratio = ops.where(is_usable, size / ops.where(is_usable, length, 1), 1)
  core.assign(variable, variable - direction * (ratio * learning_rate))
end

return Lamb
