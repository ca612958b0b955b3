--- Equalization.
local histogram = require "cdl.layers.histogram"
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local Equalization = ImageLayer:extend "Equalization"
Equalization.doc = "While training, gives the values of each channel other values, in the same order, so that all "
  .. "are about equally frequent in the batch."
Equalization.signature = {
  ImageLayer.range_row,
  { "bins", "integer", 256, min = 2, max = 65536, doc = "how many values are told apart" },
  ImageLayer.format_row,
}

function Equalization:init() self.smallest, self.largest = self:read_range() end

function Equalization:augment(x)
  local bins, shape = self.args.bins, x.shape
  local channels = ops.permute(self:from_range(x, 0, 255), { 4, 1, 2, 3 })
  local values = ops.reshape(channels, { shape[4], shape[1] * shape[2] * shape[3] })
  local places = histogram.places(values * (bins - 1) / 255, bins - 1)
  local below = ops.cumsum(histogram.counts(places, bins), 2)
  local first, all = ops.min(ops.where(ops.gt(below, 0), below, math.huge), 2, true), ops.max(below, 2, true)
  local target = ops.round((below - first) * 255 / ops.maximum(all - first, 1))
  local y = ops.where(ops.eq(first, all), values, ops.take_along_axis(target, places, 2))
  return self:to_range(ops.permute(ops.reshape(y, channels.shape), { 2, 3, 4, 1 }), 0, 255)
end

return Equalization
