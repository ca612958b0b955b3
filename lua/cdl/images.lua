--- Pictures and their files: `cdl.io.read_image`, `cdl.io.write_png`, `cdl.utils.image_grid`.
--
--     local x = cdl.io.read_image("cat.jpg", { target_size = {150, 150} })   -- uint8 {150, 150, 3}
--     cdl.io.write_png("samples.png", images)                                -- a grid of a batch
local core = require "cdl.core"
local ops = require "cdl.ops"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

--- The number of channels by color_mode.
M.CHANNELS = { grayscale = 1, rgb = 3, rgba = 4 }

-- The numbers of the ways to resize, in C.
M.RESIZE = { bilinear = 0, bicubic = 1, lanczos3 = 2, lanczos5 = 3, nearest = 4, lanczos = 2 }

M.color_row = { "color_mode", { "rgb", "grayscale", "rgba" }, "rgb", doc = "the channels of the result" }

M.read_image = signature.fn("read_image", {
  { "path", "string", required = true, doc = "name of a PNG or JPEG file" },
  M.color_row,
  { "target_size", "size", axes = 2, doc = "rows and columns of the result; left out: the picture's own" },
  { "interpolation", { "nearest", "bilinear", "bicubic", "lanczos" }, "nearest",
    doc = "how pixels are found when the size changes; all but nearest see to it that none is passed over" },
  { "keep_aspect_ratio", "boolean", false, doc = "cut off what does not fit the ratio of target_size" },
  { "dtype", { "uint8", "float32" }, "uint8", doc = "element type; values are 0 to 255 in both" },
}, "A picture {rows, columns, channels}.",
  function(path, color_mode, target_size, interpolation, keep_aspect_ratio, dtype)
    local size = target_size or {}
    local x, message = core.image_load(path, { channels = M.CHANNELS[color_mode], height = size[1], width = size[2],
      resize = M.RESIZE[interpolation], antialias = true, whole = true, fit = keep_aspect_ratio and 1 or 0 })
    if not x then return core.raise("read_image: " .. message) end
    return dtype == "uint8" and ops.astype(x, "uint8") or x
  end)

--- Values as bytes: 0 .. 1 of floats become 0 .. 255, integers are these already; what is beyond is cut.
function M.to_bytes(x)
  if x.dtype == "uint8" then return x end
  if x.dtype == "float32" or x.dtype == "float64" then
    return ops.astype(ops.round(ops.clip(x, 0, 1) * 255), "uint8")
  elseif x.dtype == "bool" then
    return ops.astype(x, "uint8") * 255
  end
  return ops.astype(ops.clip(x, 0, 255), "uint8")
end

M.image_grid = signature.fn("image_grid", {
  { "images", "operand", required = true, doc = "{n, rows, columns, channels}" },
  { "columns", "integer", min = 1, doc = "pictures side by side; left out: about as many as above each other" },
  { "padding", "integer", 2, min = 0, doc = "pixels between pictures" },
  { "value", "number", 0, doc = "of these pixels" },
}, "One picture in which all pictures of a batch stand, row by row.", function(images, columns, padding, value)
  if not core.is_tensor(images) or images.ndim ~= 4 then
    core.raise(("image_grid: images must be {n, rows, columns, channels}, got %s"):format(words.describe(images)))
  end
  local n, high, wide, channels = table.unpack(images.shape)
  columns = math.min(n, columns or math.ceil(math.sqrt(n)))
  local rows = (n + columns - 1) // columns
  local grid = core.full({ rows * (high + padding) - padding, columns * (wide + padding) - padding, channels }, value,
    images.dtype)
  for i = 0, n - 1 do
    local top, left = i // columns * (high + padding), i % columns * (wide + padding)
    grid[{ { top + 1, top + high }, { left + 1, left + wide } }] = images[i + 1]
  end
  return grid
end)

M.write_png = signature.fn("write_png", {
  { "path", "string", required = true, doc = "name of the file" },
  { "image", "operand", required = true, doc = "{rows, columns}, {rows, columns, 1 to 4 channels}, or a batch "
    .. "of such, which becomes a grid; floats from 0 to 1, or integers from 0 to 255" },
}, "Writes a picture to a PNG file, all or nothing. Values outside the range are cut to it.", function(path, image)
  if not core.is_tensor(image) or image.kind ~= "eager" then
    core.raise(("write_png: the picture must be a tensor with values, got %s"):format(words.describe(image)))
  end
  local x = image
  if x.ndim == 4 then x = M.image_grid(x) elseif x.ndim == 2 then x = ops.expand_dims(x, -1) end
  local channels = x.ndim == 3 and x.shape[3] or 0
  if channels < 1 or channels > 4 or x.size == 0 then
    core.raise(("write_png: a picture is {rows, columns} or {rows, columns, 1 to 4 channels}, got %s"):format(
      words.braces(image.shape)))
  end
  if ops.any(ops.ne(x, x)):item() then core.raise "write_png: the picture holds nan" end
  local ok, message = core.png_save(path, ops.contiguous(M.to_bytes(x)))
  if not ok then core.raise("write_png: " .. message) end
end)

return M
