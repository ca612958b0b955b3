--- What RandAugment and AugMix choose from: layers that change images, one of which is drawn for a batch.
local ops = require "cdl.ops"
local random = require "cdl.random"
local signature = require "cdl.signature"

local M = {}

--- Layers for factors from low to high, each made as the layer `owner` says: geometry and histograms, then, with
-- `all`, colours.
function M.layers(owner, low, high, all)
  local args, factor = owner.args, { low, high }
  local function make(file, own)
    local layer = require("cdl.layers." .. file)
    for _, name in ipairs { "value_range", "interpolation", "seed" } do
      if signature.of(layer).by_name[name] then own[name] = args[name] end
    end
    return layer(own)
  end
  local list = {
    make("random_shear", { x_factor = factor, y_factor = factor }),
    make("random_translation", { height_factor = factor, width_factor = factor }),
    make("random_rotation", { factor = factor }),
    make("random_posterization", { factor = math.max(1, math.floor(8 * high)) }),
    make("solarization", { addition_factor = factor, threshold_factor = factor }),
    make("auto_contrast", {}),
    make("equalization", {}),
  }
  if all then
    for _, file in ipairs { "random_brightness", "random_color_degeneration", "random_contrast", "random_sharpness" } do
      list[#list + 1] = make(file, { factor = factor })
    end
  end
  return list
end

--- x changed by one of the layers, or, with `none`, perhaps not at all. Outside of a trace only the layer that is
-- drawn computes anything; in a trace all do, for what is drawn is not known yet.
function M.change(x, list, seed, none)
  local choices = #list + (none and 1 or 0)
  local drawn = ops.floor(random.of_shape("uniform", {}, { 0, choices }, seed))
  if drawn.kind == "eager" then
    local layer = list[math.tointeger(math.min(drawn:item() + 1, choices))]
    return layer and (layer:augment(x)) or x
  end
  local y = x
  for i, layer in ipairs(list) do y = ops.where(ops.eq(drawn, i - 1), (layer:augment(x)), y) end
  return y
end

return M
