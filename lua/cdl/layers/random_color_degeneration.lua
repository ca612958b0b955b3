--- RandomColorDegeneration.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local RandomColorDegeneration = ImageLayer:extend "RandomColorDegeneration"
RandomColorDegeneration.doc = "While training, mixes each image (RGB) with its greys: x + f (grey - x), with an f of "
  .. "its own."
RandomColorDegeneration.signature = {
  ImageLayer.factor_row("factor", "f is from -factor to factor, or from {low, high}: 0 leaves the image, 1 is grey; "
    .. "from -1 to 1"),
  ImageLayer.range_row, ImageLayer.format_row, ImageLayer.seed_row,
}

function RandomColorDegeneration:init()
  self.low, self.high = self:read_factor("factor", -1, 1)
  self.smallest, self.largest = self:read_range()
end

function RandomColorDegeneration:augment(x)
  self:check_colours(x, true)
  return self:clip(x + self:draw(x, self.low, self.high) * (ops.rgb_to_grayscale(x) - x))
end

return RandomColorDegeneration
