--- RandomCrop.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"
local random = require "cdl.random"

local RandomCrop = ImageLayer:extend "RandomCrop"
RandomCrop.doc = "While training, cuts a window out of the images, the same for a batch. Else, and where an image is "
  .. "too small, the largest window in the middle with that ratio of sides is brought to the size."
RandomCrop.signature = {
  { "height", "integer", required = true, min = 1, doc = "rows of the result" },
  { "width", "integer", required = true, min = 1, doc = "columns of the result" },
  ImageLayer.seed_row, ImageLayer.format_row,
}

-- `size` places of n along an axis, from a random one on.
local function window(self, x, axis, size)
  local n = x.shape[axis]
  local first = ops.floor(random.of_shape("uniform", {}, { 0, n - size + 1 }, self.args.seed))
  local places = ops.arange(0, size - 1) + ops.minimum(first, n - size)
  return ops.gather(x, ops.astype(places, "int64"), axis)
end

function RandomCrop:augment(x)
  local height, width = self.args.height, self.args.width
  if x.shape[2] <= height or x.shape[3] <= width then return self:keep(x) end
  return window(self, window(self, x, 2, height), 3, width)
end

function RandomCrop:keep(x)
  return ops.resize(x, { self.args.height, self.args.width }, { crop_to_aspect_ratio = true })
end

return RandomCrop
