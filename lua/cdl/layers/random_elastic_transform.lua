--- RandomElasticTransform (Simard et al. 2003).
local core = require "cdl.core"
local gaussian_blur = require "cdl.layers.gaussian_blur"
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"
local random = require "cdl.random"
local RandomAffine = require "cdl.layers.base_random_affine"

local RandomElasticTransform = ImageLayer:extend "RandomElasticTransform"
RandomElasticTransform.doc = "While training, moves each pixel of some of the images by a smooth field of random "
  .. "distances."
RandomElasticTransform.signature = {
  ImageLayer.factor_row("factor", "probability for an image, drawn from 0 to this or from {low, high}", 1),
  ImageLayer.factor_row("scale", "how far and how smoothly, for each batch from 0 to this or from {low, high}; from "
    .. "0 to 1", 1),
  RandomAffine.interpolation_row,
  { "fill_mode", { "reflect", "wrap", "constant", "nearest", "mirror" }, "reflect",
    doc = "what lies beyond the borders: the image back and forth, again and again, fill_value, its edge, or back and "
      .. "forth with the edge once" },
  RandomAffine.fill_value_row, ImageLayer.range_row, ImageLayer.seed_row, ImageLayer.format_row,
}

function RandomElasticTransform:init()
  self.low, self.high = self:read_factor("factor", 0, 1)
  self.low_scale, self.high_scale = self:read_factor("scale", 0, 1)
  self.smallest, self.largest = self:read_range()
end

-- Places (int64) along an axis of n pixels, those beyond its ends brought in.
local folds = {
  nearest = function(i, n) return ops.clip(i, 0, n - 1) end,
  wrap = function(i, n) return i % n end,
  reflect = function(i, n)
    local at = i % (2 * n)
    return ops.minimum(at, 2 * n - 1 - at)
  end,
  mirror = function(i, n)
    if n == 1 then return i * 0 end
    local at = i % (2 * n - 2)
    return ops.minimum(at, 2 * n - 2 - at)
  end,
}
folds.constant = folds.nearest

-- The pixels of images at whole rows and columns, int64 {batch, rows, columns, 1}.
function RandomElasticTransform:pixels(x, row, column)
  local args, batch, rows, columns, channels = self.args, table.unpack(x.shape)
  local fold = folds[args.fill_mode]
  local places = fold(row, rows) * columns + fold(column, columns)
  places = ops.reshape(places * channels + core.arange(0, channels, 1, "int64"), { batch, rows * columns * channels })
  local y = ops.take_along_axis(ops.reshape(x, { batch, rows * columns * channels }), places, 2)
  y = ops.reshape(y, x.shape)
  if args.fill_mode ~= "constant" then return y end
  local inside = ops.logical_and(ops.logical_and(ops.ge(row, 0), ops.lt(row, rows)),
    ops.logical_and(ops.ge(column, 0), ops.lt(column, columns)))
  return ops.where(inside, y, args.fill_value)
end

-- The same at any places, float {batch, rows, columns, 1}.
function RandomElasticTransform:sample(x, row, column)
  local function whole(place) return ops.astype(place, "int64") end
  if self.args.interpolation == "nearest" then
    return self:pixels(x, whole(ops.round(row)), whole(ops.round(column)))
  end
  local top, left = ops.floor(row), ops.floor(column)
  local down, right = row - top, column - left
  local function mixed(at)
    local y = whole(at)
    return self:pixels(x, y, whole(left)) * (1 - right) + self:pixels(x, y, whole(left + 1)) * right
  end
  return mixed(top) * (1 - down) + mixed(top + 1) * down
end

-- As in Keras: the field is noise with a deviation of 5 percent of the shorter side, blurred by a curve of the same
-- deviation, times 10 percent of the longer one; both times the scale.
function RandomElasticTransform:augment(x)
  local batch, rows, columns = x.shape[1], x.shape[2], x.shape[3]
  local longer, shorter = math.max(rows, columns), math.min(rows, columns)
  local scale = self:draw(x, self.low_scale, self.high_scale, 1)
  local sigma = scale * (0.05 * shorter)
  local size = math.floor(6 * 0.05 * shorter * self.high_scale) | 1
  local function field()
    local noise = random.of_shape("normal", { batch, rows, columns, 1 }, { 0, 1, 0 }, self.args.seed)
    local spread = ops.reshape(sigma, { 1 }) + 1e-6
    return gaussian_blur.blur(noise * sigma, size, spread, size, spread) * scale * (0.1 * longer)
  end
  local row = ops.reshape(ops.arange(0, rows - 1), { 1, rows, 1, 1 }) + field()
  local column = ops.reshape(ops.arange(0, columns - 1), { 1, 1, columns, 1 }) + field()
  return self:clip(ops.where(self:decide(x, self.low, self.high), self:sample(x, row, column), x))
end

return RandomElasticTransform
