--- RandomPerspective.
local ops = require "cdl.ops"
local RandomAffine = require "cdl.layers.base_random_affine"

local RandomPerspective = RandomAffine:extend "RandomPerspective"
RandomPerspective.doc = "While training, shows some of the images as if seen from the side: three corners of each "
  .. "move by distances of their own, the upper left one stays."
RandomPerspective.signature = {
  RandomAffine.factor_row("factor", "probability for an image, drawn from 0 to this or from {low, high}", 1),
  { "scale", "number", 1, min = 0, max = 1, doc = "corners move by up to half of this share of the sides" },
  RandomAffine.interpolation_row, RandomAffine.fill_value_row, RandomAffine.seed_row, RandomAffine.format_row,
}

function RandomPerspective:init() self.low, self.high = self:read_factor("factor", 0, 1) end

-- The map that takes the moved corners (0, 0), (right, 0), (0, below), (far_x, far_y) back to those of the image,
-- (0, 0), (w, 0), (0, h), (w, h).
function RandomPerspective:transform(x)
  local half, w, h = self.args.scale / 2, math.max(x.shape[3] - 1, 1), math.max(x.shape[2] - 1, 1)
  local function moved(length) return (self:column(x, -half, half) + 1) * length end
  local right, below, far_x, far_y = moved(w), moved(h), moved(w), moved(h)
  local c0, c1 = (far_y / below - 1) / far_x, (far_x / right - 1) / far_y
  return (c0 + 1 / right) * w, 0, 0, 0, (c1 + 1 / below) * h, 0, c0, c1
end

function RandomPerspective:augment(x)
  return ops.where(self:decide(x, self.low, self.high), RandomAffine.augment(self, x), x)
end

return RandomPerspective
