--- RandomTranslation.
local RandomAffine = require "cdl.layers.base_random_affine"
local rows = require "cdl.layers.rows"

local RandomTranslation = RandomAffine:extend "RandomTranslation"
RandomTranslation.doc = "While training, moves each image by distances of its own."
RandomTranslation.signature = rows.join({
  RandomAffine.factor_row("height_factor", "distances, as shares of the height; positive: down"),
  RandomAffine.factor_row("width_factor", "distances, as shares of the width; positive: to the right"),
}, RandomAffine.rows)

function RandomTranslation:init()
  self.low_height, self.high_height = self:read_factor("height_factor", -1, 1)
  self.low_width, self.high_width = self:read_factor("width_factor", -1, 1)
end

function RandomTranslation:transform(x)
  local down = self:column(x, self.low_height, self.high_height) * x.shape[2]
  local right = self:column(x, self.low_width, self.high_width) * x.shape[3]
  return 1, 0, -right, 0, 1, -down
end

return RandomTranslation
