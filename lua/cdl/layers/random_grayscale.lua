--- RandomGrayscale.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local RandomGrayscale = ImageLayer:extend "RandomGrayscale"
RandomGrayscale.doc = "While training, takes the colours from some of the images (RGB)."
RandomGrayscale.signature = {
  { "factor", "number", 0.5, min = 0, max = 1, doc = "share of the images" },
  ImageLayer.format_row, ImageLayer.seed_row,
}

function RandomGrayscale:augment(x)
  self:check_colours(x, true)
  return ops.where(ops.lt(self:draw(x, 0, 1), self.args.factor), ops.rgb_to_grayscale(x), x)
end

return RandomGrayscale
