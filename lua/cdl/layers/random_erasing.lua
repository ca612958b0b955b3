--- RandomErasing (Zhong et al. 2017).
local core = require "cdl.core"
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"
local random = require "cdl.random"
local words = require "cdl.words"

local RandomErasing = ImageLayer:extend "RandomErasing"
RandomErasing.doc = "While training, paints a rectangle of its own over each of some images."
RandomErasing.signature = {
  ImageLayer.factor_row("factor", "probability for an image, drawn from 0 to this or from {low, high}", 1),
  ImageLayer.factor_row("scale", "share of the image's area, {smallest, largest}", { 0.02, 0.33 }),
  { "fill_value", "number|list", of = "number",
    doc = "the colour: one value, or one for each channel; noise if left out" },
  ImageLayer.range_row, ImageLayer.seed_row, ImageLayer.format_row,
}

function RandomErasing:init()
  self.low, self.high = self:read_factor("factor", 0, 1)
  self.low_scale, self.high_scale = self:read_factor("scale", 0, 1)
  self.smallest, self.largest = self:read_range()
end

function RandomErasing:colour(x)
  local value = self.args.fill_value
  if value == nil then
    value = random.of_shape("normal", x.shape, { 0, 1, 0 }, self.args.seed) * self.largest
  elseif type(value) == "table" then
    if #value ~= x.shape[4] then
      core.raise(("layer '%s': fill_value %s for images with %d channels"):format(self.name, words.literal(value),
        x.shape[4]))
    end
    value = core.tensor(value)
  else
    value = core.tensor(value)
  end
  return self:clip(value)
end

function RandomErasing:augment(x)
  local function length(axis) return ops.sqrt(self:draw(x, self.low_scale, self.high_scale)) * x.shape[axis] end
  local inside = ops.logical_and(self:within(x, 2, length(2)), self:within(x, 3, length(3)))
  inside = ops.logical_and(inside, self:decide(x, self.low, self.high))
  return ops.where(inside, self:colour(x), x)
end

return RandomErasing
