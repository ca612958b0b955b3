--- Resizing.
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local Resizing = ImageLayer:extend "Resizing"
Resizing.doc = "Images of another size, in the dtype that they had; integers are rounded."
Resizing.signature = {
  { "height", "integer", required = true, min = 1, doc = "rows of the result" },
  { "width", "integer", required = true, min = 1, doc = "columns of the result" },
  { "interpolation", { "bilinear", "nearest", "bicubic", "lanczos3", "lanczos5" }, "bilinear",
    doc = "how values between pixels are found" },
  { "crop_to_aspect_ratio", "boolean", false, doc = "cut off what does not fit the new ratio of the sides" },
  { "pad_to_aspect_ratio", "boolean", false, doc = "fill up to the new ratio of the sides" },
  { "fill_mode", { "constant" }, "constant", doc = "what it is filled with" },
  { "fill_value", "number", 0, doc = "the constant" },
  { "antialias", "boolean", false, doc = "whether all pixels count where an image gets smaller" },
  ImageLayer.format_row,
}
Resizing.any_dtype = true

function Resizing:keep(x)
  local args, dtype = self.args, x.dtype
  local y = ops.resize(x, { args.height, args.width }, { interpolation = args.interpolation,
    antialias = args.antialias, crop_to_aspect_ratio = args.crop_to_aspect_ratio,
    pad_to_aspect_ratio = args.pad_to_aspect_ratio, fill_value = args.fill_value })
  if y.dtype == dtype then return y end
  y = ops.round(y)
  return ops.astype(dtype == "uint8" and ops.clip(y, 0, 255) or y, dtype)
end
Resizing.augment = Resizing.keep

return Resizing
