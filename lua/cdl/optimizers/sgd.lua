--- SGD: gradient descent, with momentum.
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"

local sgd_update, momentum_update = core.row "sgd_update", core.row "momentum_update"

local SGD = Optimizer:extend "SGD"
SGD.doc = "w = w - learning_rate g; with momentum: m = momentum m - learning_rate g, w = w + m "
  .. "(nesterov: w + momentum m - learning_rate g)."
SGD.signature = {
  Optimizer.learning_rate_row(0.01),
  { "momentum", "number", 0, min = 0, max = 1, doc = "part of the last step that goes on" },
  { "nesterov", "boolean", false, doc = "look ahead along the momentum" },
}
SGD.switches = { momentum = true }

function SGD:build(variables)
  if self.momentum == 0 then return end
  for _, variable in ipairs(variables) do self:add_slot(variable, "momentum") end
end

function SGD:update_step(gradient, variable, learning_rate)
  local momentum = self:slot(variable, "momentum")
  local start = self.start_of(variable)
  if not momentum then
    self.finish(variable, sgd_update(nil, nil, start, gradient, learning_rate))
    return
  end
  local value, moved = momentum_update({ self.nesterov }, nil, start, momentum, gradient, learning_rate,
    self:parameter "momentum")
  core.assign(momentum, moved)
  self.finish(variable, value)
end

return SGD
