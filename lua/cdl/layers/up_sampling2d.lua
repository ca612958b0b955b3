--- UpSampling2D.
local base = require "cdl.layers.base_up_sampling"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local spatial = require "cdl.spatial"

local UpSampling2D = Layer:extend "UpSampling2D"
UpSampling2D.doc = "Images {batch, rows, columns, channels} enlarged, by repetition or by lines between the pixels."
UpSampling2D.signature = {
  { "size", "size", 2, axes = 2, doc = "how many times rows and columns" },
  { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
  { "interpolation", { "nearest", "bilinear" }, "nearest", doc = "nearest repeats; bilinear goes in straight lines" },
}

-- Along an axis: pixels have their values at their centres, and beyond the outer centres the outer
-- pixels go on.
local function interpolate(x, axis, times)
  local n, below, above, share = x.shape[axis], {}, {}, {}
  for i = 0, n * times - 1 do
    local at = math.max(0, math.min(n - 1, (i + 0.5) / times - 0.5))
    local low = math.floor(at)
    below[i + 1], above[i + 1], share[i + 1] = low, math.min(low + 1, n - 1), at - low
  end
  local shape = { 1, 1, 1, 1 }
  shape[axis] = n * times
  local a = ops.gather(x, core.tensor(below, "int64"), axis)
  local b = ops.gather(x, core.tensor(above, "int64"), axis)
  return a + (b - a) * core.tensor(share):reshape(shape)
end

function UpSampling2D:call(x)
  local size = self.args.size
  if self.args.interpolation == "nearest" then return base.repeated(self, x, size) end
  spatial.check_shape(("layer '%s'"):format(self.name), x.shape, 2)
  return interpolate(interpolate(x, 2, size[1]), 3, size[2])
end

return UpSampling2D
