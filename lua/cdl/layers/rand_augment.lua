--- RandAugment (Cubuk et al. 2019).
local chosen = require "cdl.layers.chosen"
local ImageLayer = require "cdl.layers.base_image"
local RandomAffine = require "cdl.layers.base_random_affine"

local RandAugment = ImageLayer:extend "RandAugment"
RandAugment.doc = "While training, changes the images of a batch in num_ops ways that are drawn for it from "
  .. "shearing, moving, turning, brightness, paleness, contrast, sharpness, posterization, solarization, "
  .. "auto-contrast and equalization. It is fastest on a dataset's batches: in a model all ways are computed."
RandAugment.signature = {
  ImageLayer.range_row,
  { "num_ops", "integer", 2, min = 1, doc = "how many changes, one after the other" },
  ImageLayer.factor_row("factor", "how strong changes are, from 0 to 1: from 0 to this, or from {low, high}", 0.5),
  RandomAffine.interpolation_row, ImageLayer.seed_row, ImageLayer.format_row,
}

function RandAugment:init()
  self:read_range()
  local low, high = self:read_factor("factor", 0, 1)
  rawset(self, "_ways", chosen.layers(self, low, high, true))
end

function RandAugment:augment(x)
  self:check_colours(x, true)
  for _ = 1, self.args.num_ops do x = chosen.change(x, self._ways, self.args.seed) end
  return x
end

return RandAugment
