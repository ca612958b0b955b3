--- UpSampling2D.
local base = require "cdl.layers.base_up_sampling"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local spatial = require "cdl.spatial"

local UpSampling2D = Layer:extend "UpSampling2D"
UpSampling2D.one_input = true
UpSampling2D.doc = "Images {batch, rows, columns, channels} enlarged."
UpSampling2D.signature = {
  { "size", "size", 2, axes = 2, doc = "how many times rows and columns" },
  { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
  { "interpolation", { "nearest", "bilinear", "bicubic", "lanczos3", "lanczos5" }, "nearest",
    doc = "nearest repeats; the others find values between the pixels" },
}

function UpSampling2D:call(x)
  local size = self.args.size
  if self.args.interpolation == "nearest" then return base.repeated(self, x, size) end
  spatial.check_shape(("layer '%s'"):format(self.name), x.shape, 2)
  return ops.resize(x, { x.shape[2] * size[1], x.shape[3] * size[2] }, self.args.interpolation)
end

return UpSampling2D
