--- RandomSharpness.
local core = require "cdl.core"
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local RandomSharpness = ImageLayer:extend "RandomSharpness"
RandomSharpness.doc = "While training, sharpens or softens each image: x + (1 - 2 f) (soft - x), with an f of its "
  .. "own, where soft is the image with each pixel averaged with its neighbours."
RandomSharpness.signature = {
  ImageLayer.factor_row("factor", "f is from 0 to this, or from {low, high}: 0 softens, 0.5 leaves the image, 1 "
    .. "sharpens"),
  ImageLayer.range_row, ImageLayer.format_row, ImageLayer.seed_row,
}

function RandomSharpness:init()
  self.low, self.high = self:read_factor("factor", 0, 1)
  self.smallest, self.largest = self:read_range()
end

function RandomSharpness:augment(x)
  local channels = x.shape[4]
  local kernel = core.tensor { 1, 1, 1, 1, 5, 1, 1, 1, 1 } / 13
  kernel = ops.broadcast_to(ops.reshape(kernel, { 3, 3, 1, 1 }), { 3, 3, channels, 1 })
  local soft = ops.depthwise_conv(x, kernel, 1, "same")
  return self:clip(x + (1 - 2 * self:draw(x, self.low, self.high)) * (soft - x))
end

return RandomSharpness
