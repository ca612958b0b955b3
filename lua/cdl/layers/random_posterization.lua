--- RandomPosterization.
local core = require "cdl.core"
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"
local words = require "cdl.words"

local RandomPosterization = ImageLayer:extend "RandomPosterization"
RandomPosterization.doc = "While training, keeps only the first bits of each pixel, as many for each image as are "
  .. "drawn for it."
RandomPosterization.signature = {
  ImageLayer.factor_row("factor", "bits that are kept, integers from 1 to 8: from 1 to below this, from low to below "
    .. "high with {low, high}; low = high is that number"),
  ImageLayer.range_row, ImageLayer.format_row, ImageLayer.seed_row,
}

function RandomPosterization:init(args)
  self.low, self.high = self:read_factor("factor", 1, 8)
  if not (math.tointeger(self.low) and math.tointeger(self.high)) then
    core.raise(("RandomPosterization: factor must be integers, got %s"):format(words.literal(args.factor)))
  end
  self.smallest, self.largest = self:read_range()
end

function RandomPosterization:augment(x)
  local bits = self.low
  if self.low < self.high then
    bits = ops.minimum(ops.floor(self:draw(x, self.low, self.high)), self.high - 1)
  end
  local step = 2 ^ (8 - bits)
  local y = ops.floor(ops.floor(ops.clip(self:from_range(x, 0, 255), 0, 255)) / step) * step
  return self:to_range(y, 0, 255)
end

return RandomPosterization
