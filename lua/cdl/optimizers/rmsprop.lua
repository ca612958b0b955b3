--- RMSprop (Tieleman and Hinton 2012).
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"

local rmsprop_update = core.row "rmsprop_update"

local RMSprop = Optimizer:extend "RMSprop"
RMSprop.doc = "Gradients divided by the root of their running mean square: "
  .. "v = rho v + (1 - rho) g^2, w = w - learning_rate g / sqrt(v + epsilon)."
RMSprop.signature = {
  Optimizer.learning_rate_row(0.001),
  { "rho", "number", 0.9, min = 0, max = 1, doc = "how slowly the mean square follows" },
  { "momentum", "number", 0, min = 0, max = 1, doc = "part of the last step that goes on" },
  { "epsilon", "number", 1e-7, min = 0, doc = "keeps the root from 0" },
  { "centered", "boolean", false, doc = "divide by the deviation: the mean gradient is taken away" },
}
RMSprop.switches = { momentum = true }

function RMSprop:build(variables)
  local function add(name)
    for _, variable in ipairs(variables) do self:add_slot(variable, name) end
  end
  add "velocity"
  if self.momentum > 0 then add "momentum" end
  if self.centered then add "average_gradient" end
end

function RMSprop:update_step(gradient, variable, learning_rate)
  local velocity, momentum = self:slot(variable, "velocity"), self:slot(variable, "momentum")
  local average = self:slot(variable, "average_gradient")
  local value, v, m, a = rmsprop_update({ momentum ~= nil, average ~= nil }, nil, self.start_of(variable),
    velocity, momentum or core.tensor(0), average or core.tensor(0), gradient, learning_rate,
    self:parameter "rho", self:parameter "momentum", self:parameter "epsilon")
  core.assign(velocity, v)
  if momentum then core.assign(momentum, m) end
  if average then core.assign(average, a) end
  self.finish(variable, value)
end

return RMSprop
