--- Adadelta (Zeiler 2012).
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"
local ops = require "cdl.ops"

local Adadelta = Optimizer:extend "Adadelta"
Adadelta.doc = "Steps in the size of the last ones: d = -sqrt(D + epsilon) / sqrt(A + epsilon) g, "
  .. "w = w + learning_rate d; A and D are running means of g^2 and d^2."
Adadelta.signature = {
  Optimizer.learning_rate_row(0.001),
  { "rho", "number", 0.95, min = 0, max = 1, doc = "how slowly the means follow" },
  { "epsilon", "number", 1e-7, min = 0, doc = "the size of the first steps" },
}

function Adadelta:build(variables)
  for _, variable in ipairs(variables) do
    self:add_slot(variable, "accumulated_grad")
    self:add_slot(variable, "accumulated_delta_var")
  end
end

function Adadelta:update_step(gradient, variable, learning_rate)
  local squares, moves = self:slot(variable, "accumulated_grad"), self:slot(variable, "accumulated_delta_var")
  local rho, epsilon = core.read(self:parameter "rho"), core.read(self:parameter "epsilon")
  core.assign(squares, squares * rho + ops.square(gradient) * (1 - rho))
  local move = -gradient * ops.sqrt(moves + epsilon) / ops.sqrt(squares + epsilon)
  core.assign(moves, moves * rho + ops.square(move) * (1 - rho))
  core.assign(variable, variable + move * learning_rate)
end

return Adadelta
