--- RandomInvert.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local RandomInvert = ImageLayer:extend "RandomInvert"
RandomInvert.doc = "While training, makes negatives of some of the images: the largest value minus x."
RandomInvert.signature = {
  ImageLayer.factor_row("factor", "probability for an image, drawn from 0 to this or from {low, high}", 1),
  ImageLayer.range_row, ImageLayer.seed_row, ImageLayer.format_row,
}

function RandomInvert:init()
  self.low, self.high = self:read_factor("factor", 0, 1)
  self.largest = select(2, self:read_range())
end

function RandomInvert:augment(x)
  return ops.where(self:decide(x, self.low, self.high), self.largest - x, x)
end

return RandomInvert
