--- RandomContrast.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local RandomContrast = ImageLayer:extend "RandomContrast"
RandomContrast.doc = "While training, stretches each image's values about the mean of each channel: "
  .. "(x - mean) c + mean, with a c of its own."
RandomContrast.signature = {
  ImageLayer.factor_row("factor", "c is from 1 to 1 + factor; with {low, high} from 1 - low to 1 + high"),
  ImageLayer.range_row, ImageLayer.seed_row, ImageLayer.format_row,
}

function RandomContrast:init()
  self.low, self.high = self:read_factor("factor", 0, 1)
  self.smallest, self.largest = self:read_range()
end

function RandomContrast:augment(x)
  local mean = ops.mean(x, { 2, 3 }, true)
  local y = (x - mean) * self:draw(x, 1 - self.low, 1 + self.high) + mean
  return self:clip(y)
end

return RandomContrast
