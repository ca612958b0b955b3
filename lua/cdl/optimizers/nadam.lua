--- Nadam: Adam with Nesterov's momentum (Dozat 2016).
local Adam = require "cdl.optimizers.adam"
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"
local ops = require "cdl.ops"

local Nadam = Optimizer:extend "Nadam"
Nadam.doc = "Adam that looks ahead along the momentum, whose part grows with the steps."
Nadam.signature = {
  Optimizer.learning_rate_row(0.001),
  { "beta_1", "number", 0.9, min = 0, max = 1, doc = "how slowly the mean gradient follows" },
  { "beta_2", "number", 0.999, min = 0, max = 1, doc = "how slowly the mean square follows" },
  { "epsilon", "number", 1e-7, min = 0, doc = "added to the root" },
}
Nadam.move_means = Adam.move_means

local WARM = 0.96 -- of Dozat's paper: how fast the momentum reaches beta_1

function Nadam:build(variables)
  for _, variable in ipairs(variables) do
    self:add_slot(variable, "momentum")
    self:add_slot(variable, "velocity")
  end
  self.u_product = self:add_variable("u_product", 1)
end

-- The momentum's part at step t, from 1.
local function part(self, t)
  return self:parameter "beta_1" * (1 - ops.pow(WARM, t) * 0.5)
end

function Nadam:begin_step()
  local t = ops.astype(self:count() + 1, "float32")
  core.assign(self.u_product, self.u_product * part(self, t))
end

function Nadam:update_step(gradient, variable, learning_rate)
  local m, v = self:move_means(gradient, variable)
  local t = ops.astype(self:count() + 1, "float32")
  local now, after = part(self, t), part(self, t + 1)
  local mean = m * (after / (1 - self.u_product * after)) + gradient * ((1 - now) / (1 - self.u_product))
  local square = v / (1 - ops.pow(self:parameter "beta_2", t))
  core.assign(variable, variable - mean * learning_rate / (ops.sqrt(square) + self:parameter "epsilon"))
end

return Nadam
