--- ContrastLimitedAdaptiveHistogramEqualization (CLAHE; Pizer et al. 1987).
local core = require "cdl.core"
local histogram = require "cdl.layers.histogram"
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local NAME = "ContrastLimitedAdaptiveHistogramEqualization"
local Clahe = ImageLayer:extend(NAME)
Clahe.doc = "Equalizes the values of each channel in tiles of each image, between whose middles it blends, in "
  .. "training or not. Where a value is frequent its share is limited, so that noise in even parts stays small."
Clahe.signature = {
  ImageLayer.range_row,
  { "clip_limit", "number", 4, doc = "the largest share of a value, 1 being that of all in an even tile; 0: no limit" },
  { "tile_grid_size", "size", { 8, 8 }, axes = 2, doc = "rows and columns of tiles" },
  ImageLayer.format_row,
}
Clahe.any_dtype = true

function Clahe:init() self.smallest, self.largest = self:read_range() end

local VALUES = 256

-- Along an axis of n pixels with tiles of `size`: for each pixel the two tiles (from 0) between whose middles it lies,
-- int64, and the share of the second one; lists that are shaped along the axis.
local function between(n, size, tiles, axis)
  local first, second, share, shape = {}, {}, {}, { 1, 1, 1, 1 }
  shape[axis] = n
  for i = 0, n - 1 do
    local place = (i - size / 2) / size
    local tile = math.floor(place)
    first[i + 1] = math.max(0, math.min(tile, tiles - 1))
    second[i + 1] = math.max(0, math.min(tile + 1, tiles - 1))
    share[i + 1] = place - tile
  end
  local function column(list, dtype) return ops.reshape(core.tensor(list, dtype), shape) end
  return column(first, "int64"), column(second, "int64"), column(share)
end

-- What each of 256 values becomes in each tile: {batch, rows of tiles * columns of tiles * channels * 256}.
local function tables_of(pixels, grid, size, clip_limit)
  local shape = pixels.shape
  local tiles = ops.reshape(pixels, { shape[1], grid[1], size[1], grid[2], size[2], shape[4] })
  local count = size[1] * size[2]
  tiles = ops.reshape(ops.permute(tiles, { 1, 2, 4, 6, 3, 5 }), { shape[1] * grid[1] * grid[2] * shape[4], count })
  local counts = histogram.counts(tiles, VALUES)
  if clip_limit > 0 then
    local limited = ops.minimum(counts, clip_limit * count / VALUES)
    counts = limited + ops.sum(counts - limited, 2, true) / VALUES
  end
  local below = ops.cumsum(counts, 2)
  local first = ops.min(below, 2, true)
  local rest = count - first
  rest = ops.where(ops.eq(rest, 0), 1, rest)
  local target = ops.clip((below - first) * 255 / rest, 0, 255)
  return ops.reshape(target, { shape[1], grid[1] * grid[2] * shape[4] * VALUES })
end

function Clahe:keep(x)
  local grid, shape = self.args.tile_grid_size, x.shape
  local batch, rows, columns, channels = table.unpack(shape)
  if rows < 1 or columns < 1 then return x end
  local size = { -(-rows // grid[1]), -(-columns // grid[2]) }
  local pixels = histogram.places(self:from_range(ops.astype(x, "float32"), 0, 255), 255)
  local padded = ops.pad(pixels, { { 0, 0 }, { 0, size[1] * grid[1] - rows }, { 0, size[2] * grid[2] - columns },
    { 0, 0 } }, "symmetric")
  local tables = tables_of(padded, grid, size, self.args.clip_limit)
  local up, down, share_down = between(rows, size[1], grid[1], 2)
  local left, right, share_right = between(columns, size[2], grid[2], 3)
  local channel = ops.reshape(core.arange(0, channels, 1, "int64"), { 1, 1, 1, channels })
  local function seen(row, column)
    local places = pixels + channel * VALUES + column * (channels * VALUES) + row * (grid[2] * channels * VALUES)
    return ops.reshape(ops.take_along_axis(tables, ops.reshape(places, { batch, rows * columns * channels }), 2), shape)
  end
  local above = seen(up, left) * (1 - share_right) + seen(up, right) * share_right
  local under = seen(down, left) * (1 - share_right) + seen(down, right) * share_right
  return ops.astype(self:to_range(above * (1 - share_down) + under * share_down, 0, 255), x.dtype)
end
Clahe.augment = Clahe.keep

return Clahe
