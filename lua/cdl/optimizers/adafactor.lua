--- Adafactor (Shazeer and Stern 2018): the mean squares of a matrix are kept by rows and columns.
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"
local ops = require "cdl.ops"

local Adafactor = Optimizer:extend "Adafactor"
Adafactor.doc = "Adam's scaling in little memory: squares are kept by rows and columns; steps in proportion to "
  .. "the variable's size."
Adafactor.signature = {
  Optimizer.learning_rate_row(0.001),
  { "beta_2_decay", "number", -0.8, max = 0, doc = "the squares' mean follows by t^beta_2_decay" },
  { "epsilon_1", "number", 1e-30, min = 0, doc = "added to the squares" },
  { "epsilon_2", "number", 1e-3, min = 0, doc = "smallest size of a variable" },
  { "clip_threshold", "number", 1, above = 0, doc = "largest root mean square of a step" },
  { "relative_step", "boolean", true, doc = "the rate is at most 1 / sqrt(t)" },
}

-- The shape without an axis counted from the end.
local function without(shape, axis)
  local rest = table.move(shape, 1, #shape, 1, {})
  table.remove(rest, #rest + 1 + axis)
  return rest
end

function Adafactor:build(variables)
  for _, variable in ipairs(variables) do
    if variable.ndim < 2 then
      self:add_slot(variable, "velocity")
    else
      self:add_slot(variable, "r", core.full(without(variable.shape, -1), 0, "float32"))
      self:add_slot(variable, "c", core.full(without(variable.shape, -2), 0, "float32"))
    end
  end
end

--- Keras keeps r, c and a velocity for every variable, so a file has places for those that are not needed.
function Adafactor:saved_variables()
  local variables = self.variables
  local list, needed = table.move(variables, 1, #variables - #self._state, 1, {}), {}
  for _, variable in ipairs(self.trained or {}) do
    for _, name in ipairs { "r", "c", "velocity" } do
      local slot = self:slot(variable, name)
      needed[#needed + 1] = slot or core.full(name == "velocity" and variable.shape or {}, 0, "float32")
    end
  end
  return table.move(needed, 1, #needed, #list + 1, list)
end

local function root_mean_square(x) return ops.sqrt(ops.mean(ops.square(x))) end

-- The slot moved towards a value: beta slot + (1 - beta) value.
local function follow(slot, value, beta)
  core.assign(slot, slot * beta + value * (1 - beta))
  return core.read(slot)
end

-- The mean squares of the gradient; of a matrix, from those of its rows and columns.
local function mean_squares(self, gradient, variable, beta)
  local squares = ops.square(gradient) + self:parameter "epsilon_1"
  local velocity = self:slot(variable, "velocity")
  if velocity then return follow(velocity, squares, beta) end
  local rows = follow(self:slot(variable, "r"), ops.mean(squares, -1), beta)
  local columns = follow(self:slot(variable, "c"), ops.mean(squares, -2), beta)
  return ops.expand_dims(rows / ops.mean(rows, -1, true), -1) * ops.expand_dims(columns, -2)
end

function Adafactor:update_step(gradient, variable, learning_rate)
  local t = ops.astype(self:count() + 1, "float32")
  local falling = ops.rsqrt(t)
  local rate = self.relative_step and ops.minimum(learning_rate, falling) or learning_rate
  local step = ops.minimum(rate, falling) * ops.maximum(self:parameter "epsilon_2", root_mean_square(variable))
  local beta = 1 - ops.pow(t, self:parameter "beta_2_decay")
  local direction = gradient * ops.rsqrt(mean_squares(self, gradient, variable, beta))
  local excess = ops.maximum(root_mean_square(direction) / self:parameter "clip_threshold", 1)
  core.assign(variable, variable - direction * (step / excess))
end

return Adafactor
