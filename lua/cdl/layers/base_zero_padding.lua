--- ZeroPadding1D, ZeroPadding2D and ZeroPadding3D: the class for a number of axes.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local spatial = require "cdl.spatial"

local pad = core.row "pad"

return function(name, axes)
  local ZeroPadding = Layer:extend(name)
  ZeroPadding.one_input = true
  ZeroPadding.doc = ("Zeros around inputs %s."):format(spatial.wanted(axes))
  ZeroPadding.signature = {
    { "padding", "padding", 1, axes = axes,
      doc = "places at both ends of all axes, of each, or pairs {before, after}" },
    { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
  }

  function ZeroPadding:call(x)
    spatial.check_shape(("layer '%s'"):format(self.name), x.shape, axes)
    local list = { 0, 0 }
    for _, pair in ipairs(self.args.padding) do
      list[#list + 1], list[#list + 2] = pair[1], pair[2]
    end
    list[#list + 1], list[#list + 2] = 0, 0
    return pad(list, { 0 }, x)
  end

  return ZeroPadding
end
