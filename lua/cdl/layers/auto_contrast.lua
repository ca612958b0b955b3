--- AutoContrast.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local AutoContrast = ImageLayer:extend "AutoContrast"
AutoContrast.doc = "Stretches each channel of each image to the whole range of values, in training or not."
AutoContrast.signature = { ImageLayer.range_row, ImageLayer.format_row }

function AutoContrast:init() self.smallest, self.largest = self:read_range() end

function AutoContrast:keep(x)
  local y = self:from_range(x, 0, 255)
  local low, high = ops.min(y, { 2, 3 }, true), ops.max(y, { 2, 3 }, true)
  local scale = 255 / (high - low)
  y = self:to_range(ops.clip(y * scale - low * scale, 0, 255), 0, 255)
  return ops.where(ops.eq(high, low), x, y)
end
AutoContrast.augment = AutoContrast.keep

return AutoContrast
