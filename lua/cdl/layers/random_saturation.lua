--- RandomSaturation.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local RandomSaturation = ImageLayer:extend "RandomSaturation"
RandomSaturation.doc = "While training, makes the colours (RGB) of each image paler or stronger: multiplies their "
  .. "saturation by f / (1 - f), with an f of its own."
RandomSaturation.signature = {
  ImageLayer.factor_row("factor", "f is from -factor to factor, or from {low, high}: 0 leaves grey, 0.5 the image, 1 "
    .. "is as strong as can be; from -1 to 1"),
  ImageLayer.range_row, ImageLayer.format_row, ImageLayer.seed_row,
}

function RandomSaturation:init()
  self.low, self.high = self:read_factor("factor", -1, 1)
  self.smallest, self.largest = self:read_range()
end

-- The saturation is limited to value_range, as in Keras.
function RandomSaturation:augment(x)
  self:check_colours(x)
  local f = self:draw(x, self.low, self.high)
  local colours = ops.split(ops.rgb_to_hsv(x), 3, -1)
  local saturation = self:clip(colours[2] * (f / (1 - f + 1e-7)))
  return ops.hsv_to_rgb(ops.concat({ colours[1], saturation, colours[3] }, -1))
end

return RandomSaturation
