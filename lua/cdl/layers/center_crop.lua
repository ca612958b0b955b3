--- CenterCrop.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local CenterCrop = ImageLayer:extend "CenterCrop"
CenterCrop.doc = "The middle of the images; too small ones are brought to the size, cut to its ratio of sides."
CenterCrop.signature = {
  { "height", "integer", required = true, min = 1, doc = "rows of the result" },
  { "width", "integer", required = true, min = 1, doc = "columns of the result" },
  ImageLayer.format_row,
}

function CenterCrop:keep(x)
  local height, width = self.args.height, self.args.width
  local top, left = x.shape[2] - height, x.shape[3] - width
  if top < 0 or left < 0 then return ops.resize(x, { height, width }, { crop_to_aspect_ratio = true }) end
  top, left = top // 2, left // 2
  return x[{ {}, { top + 1, top + height }, { left + 1, left + width } }]
end
CenterCrop.augment = CenterCrop.keep

return CenterCrop
