--- Solarization.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local Solarization = ImageLayer:extend "Solarization"
Solarization.doc = "While training, adds a number of its own to each image and makes a negative of what is then "
  .. "above a threshold of its own."
Solarization.signature = {
  ImageLayer.factor_row("addition_factor", "what is added, as shares of the range of values, from 0 to 1: from 0 to "
    .. "this, or {low / 255, high}", 0),
  ImageLayer.factor_row("threshold_factor", "where negatives begin, likewise", 0),
  ImageLayer.range_row, ImageLayer.seed_row, ImageLayer.format_row,
}

function Solarization:init()
  self.low_addition, self.high_addition = self:read_factor("addition_factor", 0, 1)
  self.low_threshold, self.high_threshold = self:read_factor("threshold_factor", 0, 1)
  self.smallest, self.largest = self:read_range()
end

-- As in Keras the lower ends of factors are not multiplied by 255.
function Solarization:augment(x)
  local addition = self:draw(x, self.low_addition, self.high_addition * 255)
  local threshold = self:draw(x, self.low_threshold, self.high_threshold * 255)
  local y = ops.clip(self:from_range(x, 0, 255) + addition, 0, 255)
  return self:to_range(ops.where(ops.lt(y, threshold), y, 255 - y), 0, 255)
end

return Solarization
