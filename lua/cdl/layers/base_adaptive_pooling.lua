--- Adaptive pooling: the class for "max_pool" or "average_pool" and a number of axes.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local spatial = require "cdl.spatial"

local DOCS = { max_pool = "The largest", average_pool = "The mean" }

-- How long a list of places is made for one axis; beyond it the sizes are a mistake.
local MOST_PLACES = 1 << 22

-- The places of n that each of `size` bins covers: bin i (from 0) those from floor(i n / size) on and before
-- ceil((i + 1) n / size). int64 {size, longest}, where shorter bins repeat their last place, and how much each
-- place counts in a mean, likewise a flat list.
local function bins_of(n, size)
  local longest = 0
  local function ends(i) return i * n // size, -(-(i + 1) * n // size) end
  for i = 0, size - 1 do
    local first, past = ends(i)
    longest = math.max(longest, past - first)
  end
  local places, shares = {}, {}
  for i = 0, size - 1 do
    local first, past = ends(i)
    for k = 0, longest - 1 do
      places[#places + 1] = math.min(first + k, past - 1)
      shares[#shares + 1] = first + k < past and 1 / (past - first) or 0
    end
  end
  return ops.reshape(core.tensor(places, "int64"), { size, longest }), shares, longest
end

-- x with `size` bins in place of an axis.
local function pool_axis(x, op, axis, size)
  local places, shares, longest = bins_of(x.shape[axis], size)
  local y = ops.gather(x, places, axis)
  if op == "max_pool" then return ops.max(y, axis + 1) end
  local shape = { size, longest }
  for _ = axis + 1, x.ndim do shape[#shape + 1] = 1 end
  return ops.sum(y * ops.reshape(core.tensor(shares), shape), axis + 1)
end

return function(name, op, axes)
  local AdaptivePooling = Layer:extend(name)
  AdaptivePooling.doc = ("%s of each of output_size bins of inputs %s, channel by channel. Bins cover an axis as "
    .. "evenly as they can; they overlap where it does not divide."):format(DOCS[op], spatial.wanted(axes))
  AdaptivePooling.signature = {
    { "output_size", "size", required = true, axes = axes, doc = "sizes of the result" },
    { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
  }

  function AdaptivePooling:call(x)
    local who, sizes = ("layer '%s'"):format(self.name), self.args.output_size
    spatial.check_shape(who, x.shape, axes)
    local windows = {}
    for k, size in ipairs(sizes) do
      local n = x.shape[k + 1]
      if n < 1 or size * (n // size + 2) > MOST_PLACES then
        core.raise(("%s: axis %d of inputs of shape {%s} does not fall into %d bins"):format(who, k + 1,
          table.concat(x.shape, ", "), size))
      end
      if n % size == 0 then windows[k] = n // size end
    end
    if #windows == axes then return spatial.pool(who, op, x, windows, windows, "valid") end
    for k, size in ipairs(sizes) do x = pool_axis(x, op, k + 1, size) end
    return x
  end

  return AdaptivePooling
end
