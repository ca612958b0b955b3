--- RandomRotation.
local ops = require "cdl.ops"
local RandomAffine = require "cdl.layers.base_random_affine"
local rows = require "cdl.layers.rows"

local RandomRotation = RandomAffine:extend "RandomRotation"
RandomRotation.doc = "While training, turns each image about its centre by an angle of its own."
RandomRotation.signature = rows.join({
  RandomAffine.factor_row("factor", "angles, as shares of a full turn, positive: counter-clockwise; 0.1 is -36 to 36 "
    .. "degrees"),
}, RandomAffine.rows)

function RandomRotation:init() self.low, self.high = self:read_factor("factor", -1, 1) end

function RandomRotation:transform(x)
  local angle = self:column(x, self.low * 2 * math.pi, self.high * 2 * math.pi)
  local cos, sin = ops.cos(angle), ops.sin(angle)
  local middle_x, middle_y = (x.shape[3] - 1) / 2, (x.shape[2] - 1) / 2
  return cos, -sin, middle_x - cos * middle_x + sin * middle_y,
    sin, cos, middle_y - sin * middle_x - cos * middle_y
end

return RandomRotation
