--- Cropping1D, Cropping2D and Cropping3D: the class for a number of axes.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local spatial = require "cdl.spatial"

return function(name, axes, default)
  local Cropping = Layer:extend(name)
  Cropping.one_input = true
  Cropping.doc = ("Inputs %s without places at their ends."):format(spatial.wanted(axes))
  Cropping.signature = {
    { "cropping", "padding", default, axes = axes,
      doc = "places at both ends of all axes, of each, or pairs {before, after}" },
    { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
  }

  function Cropping:call(x)
    local who = ("layer '%s'"):format(self.name)
    spatial.check_shape(who, x.shape, axes)
    local starts, counts, steps = { 0 }, { x.shape[1] }, { 1 }
    for k, pair in ipairs(self.args.cropping) do
      starts[k + 1], counts[k + 1], steps[k + 1] = pair[1], x.shape[k + 1] - pair[1] - pair[2], 1
      if counts[k + 1] < 1 then
        core.raise(("%s: cropping {%d, %d} leaves nothing of axis %d of inputs of shape {%s}"):format(who, pair[1],
          pair[2], k + 1, table.concat(x.shape, ", ")))
      end
    end
    starts[axes + 2], counts[axes + 2], steps[axes + 2] = 0, x.shape[axes + 2], 1
    return core.slice(x, starts, counts, steps)
  end

  return Cropping
end
