--- RandomHue.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local RandomHue = ImageLayer:extend "RandomHue"
RandomHue.doc = "While training, turns the colours (RGB) of each image around the circle of hues by an angle of its "
  .. "own, one way or the other."
RandomHue.signature = {
  ImageLayer.factor_row("factor", "angles, as shares of half a turn, from 0 to 1"),
  ImageLayer.range_row, ImageLayer.format_row, ImageLayer.seed_row,
}

function RandomHue:init()
  self.low, self.high = self:read_factor("factor", 0, 1)
  self.smallest, self.largest = self:read_range()
end

function RandomHue:augment(x)
  self:check_colours(x)
  local side = ops.where(ops.gt(self:draw(x, 0, 1), 0.5), -0.5, 0.5)
  local turn = self:draw(x, self.low, self.high) * side
  local colours = ops.split(ops.rgb_to_hsv(self:from_range(x, 0, 1)), { 1 }, -1)
  local y = ops.hsv_to_rgb(ops.concat({ colours[1] + turn, colours[2] }, -1))
  return self:to_range(ops.clip(y, 0, 1), 0, 1)
end

return RandomHue
