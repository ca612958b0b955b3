--- RandomZoom.
local RandomAffine = require "cdl.layers.base_random_affine"
local rows = require "cdl.layers.rows"

local RandomZoom = RandomAffine:extend "RandomZoom"
RandomZoom.doc = "While training, brings each image nearer to the centre or farther away, by numbers of its own."
RandomZoom.signature = rows.join({
  RandomAffine.factor_row("height_factor", "how much more of the height is seen: 0.2 is 20 percent less to 20 percent "
    .. "more, {0.1, 0.3} zooms out"),
  { "width_factor", "factor", doc = "the same of the width; as the height if left out" },
}, RandomAffine.rows)

function RandomZoom:init(args)
  self.low_height, self.high_height = self:read_factor("height_factor", -1, 1)
  if args.width_factor then self.low_width, self.high_width = self:read_factor("width_factor", -1, 1) end
end

function RandomZoom:transform(x)
  local high = self:column(x, 1 + self.low_height, 1 + self.high_height)
  local wide = self.low_width and self:column(x, 1 + self.low_width, 1 + self.high_width) or high
  return wide, 0, (1 - wide) * ((x.shape[3] - 1) / 2), 0, high, (1 - high) * ((x.shape[2] - 1) / 2)
end

return RandomZoom
