--- Images {rows, columns, channels} and batches of them: resampling and affine transforms.
local core = require "cdl.core"

return function(kit)
  local define, ops, value_of = kit.define, kit.ops, kit.value_of

  local images_row = { "images", "operand", required = true,
    doc = "{batch, rows, columns, channels}, or one image without the batch" }
  local format_row = { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" }

  -- f on a batch; one image is a batch of one.
  local function as_batch(who, images, f)
    local x = value_of(images)
    if x.ndim == 4 then return f(x) end
    if x.ndim ~= 3 then
      core.raise(("%s wants images of shape {batch, rows, columns, channels}, or one without the batch, got {%s}")
        :format(who, table.concat(x.shape, ", ")))
    end
    return ops.squeeze(f(ops.expand_dims(x, 1)), 1)
  end

  -- The nearest pixel's value is moved, not computed with, so that it keeps its dtype.
  local function nearest(x, axis, size)
    local n, places = x.shape[axis], {}
    for i = 0, size - 1 do places[i + 1] = math.floor((i + 0.5) * n / size) end
    return ops.gather(x, core.tensor(places, "int64"), axis)
  end

  local resize_row = core.row "resize"
  local KERNELS = { bilinear = 0, bicubic = 1, lanczos3 = 2, lanczos5 = 3 }

  local function along(x, axis, size, interpolation, antialias)
    if x.shape[axis] == size then return x end
    if interpolation == "nearest" then return nearest(x, axis, size) end
    return resize_row({ axis - 1, size, KERNELS[interpolation], antialias and 1 or 0 }, nil, x)
  end

  -- The largest window in the middle whose sides have the ratio of `size`.
  local function crop_to_ratio(x, size)
    local rows, columns = x.shape[2], x.shape[3]
    local high = math.max(1, math.min(rows, columns * size[1] // size[2]))
    local wide = math.max(1, math.min(columns, rows * size[2] // size[1]))
    return kit.box(kit.box(x, 1, (rows - high) // 2, high), 2, (columns - wide) // 2, wide)
  end

  -- Borders of one value on the shorter side, so that the sides have the ratio of `size`.
  local function pad_to_ratio(x, size, value)
    local rows, columns = x.shape[2], x.shape[3]
    local top = (math.max(rows, columns * size[1] // size[2]) - rows) // 2
    local left = top == 0 and (math.max(columns, rows * size[2] // size[1]) - columns) // 2 or 0
    return ops.pad(x, { { 0, 0 }, { top, top }, { left, left }, { 0, 0 } }, "constant", value)
  end

  define("resize", { images_row,
    { "size", "size", required = true, axes = 2, doc = "rows and columns of the result" },
    { "interpolation", { "bilinear", "nearest", "bicubic", "lanczos3", "lanczos5" }, "bilinear",
      doc = "how values between pixels are found; nearest keeps the dtype, the others compute with floats" },
    { "antialias", "boolean", false, doc = "whether all pixels count where an image gets smaller" },
    { "crop_to_aspect_ratio", "boolean", false, doc = "cut off what does not fit the new ratio of the sides" },
    { "pad_to_aspect_ratio", "boolean", false, doc = "fill up to the new ratio of the sides" },
    { "fill_mode", { "constant" }, "constant", doc = "what it is filled with" },
    { "fill_value", "number", 0, doc = "the constant" },
    format_row,
  }, "Images of another size. Pixels have their values at their centres.",
    function(images, size, interpolation, antialias, crop, pad, _, fill_value)
      if crop and pad then
        core.raise "resize: only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be true"
      end
      return as_batch("resize", images, function(x)
        if crop then x = crop_to_ratio(x, size) elseif pad then x = pad_to_ratio(x, size, fill_value) end
        return along(along(x, 2, size[1], interpolation, antialias), 3, size[2], interpolation, antialias)
      end)
    end)

  define("rgb_to_grayscale", { images_row, format_row },
    "Red, green and blue weighed 0.2989, 0.5870 and 0.1140 into one channel; images of one channel as they are.",
    function(images)
      local x = value_of(images)
      local channels = x.shape[x.ndim]
      if (x.ndim ~= 3 and x.ndim ~= 4) or (channels ~= 3 and channels ~= 1) then
        core.raise(("rgb_to_grayscale wants images of 3 channels (or 1), got shape {%s}"):format(
          table.concat(x.shape, ", ")))
      end
      if channels == 1 then return x end
      local gray = ops.sum(x * core.tensor { 0.2989, 0.5870, 0.1140 }, -1, true)
      return ops.astype(gray, x.dtype)
    end)

  -- The three channels of float images, {..., 1} each.
  local function channels_of(who, images)
    local x = value_of(images)
    if (x.ndim ~= 3 and x.ndim ~= 4) or x.shape[x.ndim] ~= 3 then
      core.raise(("%s wants images of 3 channels, got shape {%s}"):format(who, table.concat(x.shape, ", ")))
    end
    if not x.dtype:find "^float" then core.raise(("%s wants images of floats, got %s"):format(who, x.dtype)) end
    return ops.split(x, 3, -1)
  end

  define("rgb_to_hsv", { images_row, format_row },
    "Red, green and blue as hue (from 0, red, to below 1), saturation (from 0 to 1) and value, the largest of the "
      .. "three.",
    function(images)
      local parts = channels_of("rgb_to_hsv", images)
      local red, green, blue = parts[1], parts[2], parts[3]
      local value = ops.maximum(ops.maximum(red, green), blue)
      local range = value - ops.minimum(ops.minimum(red, green), blue)
      local is_bright, has_colour = ops.gt(value, 0), ops.gt(range, 0)
      local saturation = ops.where(is_bright, range / ops.where(is_bright, value, 1), 0)
      local unit = ops.where(has_colour, range, 1) * 6
      local hue = ops.where(ops.eq(value, green), (blue - red) / unit + 2 / 6, (red - green) / unit + 4 / 6)
      hue = ops.where(ops.eq(value, red), (green - blue) / unit, hue)
      hue = ops.where(has_colour, ops.where(ops.lt(hue, 0), hue + 1, hue), 0)
      return ops.concat({ hue, saturation, value }, -1)
    end)

  define("hsv_to_rgb", { images_row, format_row }, "Hue, saturation and value as red, green and blue; hues repeat "
    .. "with 1.",
    function(images)
      local parts = channels_of("hsv_to_rgb", images)
      local place, saturation, value = parts[1] % 1 * 6, parts[2], parts[3]
      local function mixed(share) return value * (1 - saturation + saturation * ops.clip(share, 0, 1)) end
      return ops.concat({ mixed(ops.abs(place - 3) - 1), mixed(2 - ops.abs(place - 2)),
        mixed(2 - ops.abs(place - 4)) }, -1)
    end)

  local affine_row = core.row "affine_transform"
  local FILLS = { constant = 0, nearest = 1, reflect = 2, wrap = 3, mirror = 4 }

  define("affine_transform", { images_row,
    { "transform", "operand", required = true,
      doc = "{8} or {batch, 8} numbers a0 a1 a2 b0 b1 b2 c0 c1" },
    { "interpolation", { "nearest", "bilinear" }, "bilinear", doc = "how values between pixels are found" },
    { "fill_mode", { "constant", "nearest", "reflect", "wrap", "mirror" }, "constant",
      doc = "what lies beyond the borders: one value, the edge, the image back and forth with the edge twice, "
        .. "the image again, or back and forth with the edge once" },
    { "fill_value", "number", 0, doc = "the value for constant" },
    format_row,
  }, "Images whose pixel at column x and row y (from 0) is the one at column (a0 x + a1 y + a2) / k and row "
    .. "(b0 x + b1 y + b2) / k, with k = c0 x + c1 y + 1. Differentiable with respect to the images.",
    function(images, transform, interpolation, fill_mode, fill_value)
      local numbers = value_of(transform)
      if numbers.ndim == 1 then numbers = ops.expand_dims(numbers, 1) end
      return as_batch("affine_transform", images, function(x)
        return affine_row({ interpolation == "bilinear" and 1 or 0, FILLS[fill_mode] }, { fill_value }, x, numbers)
      end)
    end)
end
