--- RandomColorJitter.
local ImageLayer = require "cdl.layers.base_image"

local RandomColorJitter = ImageLayer:extend "RandomColorJitter"
RandomColorJitter.doc = "While training, does what RandomBrightness, RandomContrast, RandomSaturation and RandomHue "
  .. "do, one after the other: those whose factors are given."

local PARTS = { "brightness", "contrast", "saturation", "hue" }

RandomColorJitter.signature = { ImageLayer.range_row }
for i, part in ipairs(PARTS) do
  RandomColorJitter.signature[1 + i] = { part .. "_factor", "factor",
    doc = ("as the factor of Random%s; without it the %s stays"):format(part:gsub("^%l", string.upper), part) }
end
table.move({ ImageLayer.seed_row, ImageLayer.format_row }, 1, 2, #PARTS + 2, RandomColorJitter.signature)

function RandomColorJitter:init(args)
  self:read_range()
  local parts = {}
  for _, part in ipairs(PARTS) do
    local factor = args[part .. "_factor"]
    if factor ~= nil then
      parts[#parts + 1] = require("cdl.layers.random_" .. part) { factor = factor, value_range = args.value_range,
        seed = args.seed }
    end
  end
  rawset(self, "_parts", parts)
end

function RandomColorJitter:augment(x)
  for _, part in ipairs(self._parts) do x = part:augment(x) end
  return x
end

return RandomColorJitter
