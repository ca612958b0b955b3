--- RandomBrightness.
local ImageLayer = require "cdl.layers.base_image"

local RandomBrightness = ImageLayer:extend "RandomBrightness"
RandomBrightness.doc = "While training, adds to each image a number of its own."
RandomBrightness.signature = {
  ImageLayer.factor_row("factor", "what is added, as shares of the range of values, from -1 to 1"),
  ImageLayer.range_row, ImageLayer.seed_row, ImageLayer.format_row,
}

function RandomBrightness:init()
  self.low, self.high = self:read_factor("factor", -1, 1)
  self.smallest, self.largest = self:read_range()
end

function RandomBrightness:augment(x)
  local range = self.largest - self.smallest
  return self:clip(x + self:draw(x, self.low, self.high) * range)
end

return RandomBrightness
