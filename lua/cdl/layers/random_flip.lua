--- RandomFlip.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local RandomFlip = ImageLayer:extend "RandomFlip"
RandomFlip.doc = "While training, flips every other image, by chance; along both axes or along neither."
RandomFlip.signature = {
  { "mode", { "horizontal", "vertical", "horizontal_and_vertical" }, "horizontal_and_vertical",
    doc = "horizontal: left and right change places" },
  ImageLayer.seed_row, ImageLayer.format_row,
}

local AXES = { horizontal = 3, vertical = 2, horizontal_and_vertical = { 2, 3 } }

function RandomFlip:augment(x)
  return ops.where(ops.le(self:draw(x, 0, 1), 0.5), ops.flip(x, AXES[self.args.mode]), x)
end

return RandomFlip
