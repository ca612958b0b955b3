--- What layers that move, turn or stretch images share: transform(x) gives the numbers of
-- ops.affine_transform for each image, eight columns {batch, 1} or plain numbers.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"
local random = require "cdl.random"

local RandomAffine = ImageLayer:extend "RandomAffine"

RandomAffine.fill_mode_row = { "fill_mode", { "reflect", "wrap", "constant", "nearest" }, "reflect",
  doc = "what lies beyond the borders: the image back and forth, again and again, fill_value, or its edge" }
RandomAffine.interpolation_row = { "interpolation", { "bilinear", "nearest" }, "bilinear",
  doc = "how values between pixels are found" }
RandomAffine.fill_value_row = { "fill_value", "number", 0, doc = "the value for constant" }

--- The rows behind the factors, in the order of most of these layers.
RandomAffine.rows = { RandomAffine.fill_mode_row, RandomAffine.interpolation_row, ImageLayer.seed_row,
  RandomAffine.fill_value_row, ImageLayer.format_row }

--- A number from low to high for each image, as {batch, 1}.
function RandomAffine:column(x, low, high)
  return random.of_shape("uniform", { x.shape[1], 1 }, { low, high }, self.args.seed)
end

function RandomAffine:augment(x)
  local args, columns = self.args, { self:transform(x) }
  for i = 1, 8 do
    local value = columns[i] or 0
    columns[i] = type(value) == "number" and ops.full({ x.shape[1], 1 }, value) or value
  end
  return ops.affine_transform(x, ops.concat(columns, 2), args.interpolation, args.fill_mode, args.fill_value)
end

return RandomAffine
