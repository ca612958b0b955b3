--- UpSampling3D.
local base = require "cdl.layers.base_up_sampling"
local Layer = require "cdl.layer"

local UpSampling3D = Layer:extend "UpSampling3D"
UpSampling3D.one_input = true
UpSampling3D.doc = "Planes, rows and columns of inputs {batch, planes, rows, columns, channels} repeated."
UpSampling3D.signature = {
  { "size", "size", 2, axes = 3, doc = "how many times along each axis" },
  { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
}

function UpSampling3D:call(x) return base.repeated(self, x, self.args.size) end

return UpSampling3D
