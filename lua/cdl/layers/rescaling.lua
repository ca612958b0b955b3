--- Rescaling: x scale + offset.
local Layer = require "cdl.layer"
local ops = require "cdl.ops"

local Rescaling = Layer:extend "Rescaling"
Rescaling.doc = "x * scale + offset in float32: Rescaling(1 / 255) brings images to 0 .. 1."
Rescaling.signature = {
  { "scale", "number", required = true, doc = "factor" },
  { "offset", "number", 0, doc = "added after scaling" },
}
Rescaling.supports_masking = true

function Rescaling:call(x) return ops.astype(x, self.dtype) * self.args.scale + self.args.offset end

return Rescaling
