--- Rows of tensors in memory, and the order in which a pass visits them.
--
-- A dataset that is still nothing but rows (from_tensors, shuffle, take, skip, repeat_) is kept in
-- this form, so that shuffling moves numbers and not data, and a batch is one gather; fit reads
-- such batches straight from the tensors.
local core = require "cdl.core"
local element = require "cdl.data.element"

local Rows = {}
Rows.__index = Rows

local gather, concat = core.row "gather", core.row "concat"

-- A function that gives rows first .. first + count - 1 (from 0) of a tensor: a view.
local function slicer(tensor)
  local starts, counts, steps = {}, {}, {}
  for i, size in ipairs(tensor.shape) do starts[i], counts[i], steps[i] = 0, size, 1 end
  return function(first, count)
    starts[1], counts[1] = first, count
    return core.slice(tensor, starts, counts, steps)
  end
end

local function slice(tensor, first, count) return slicer(tensor)(first, count) end

local function slicers(leaves)
  local list = {}
  for i, leaf in ipairs(leaves) do list[i] = slicer(leaf) end
  return list
end

--- leaves: of x, then y, then weights, which specs describe; count: how many rows a pass has;
-- order(key): their numbers from 0, an int64 tensor {count}; without one all rows come in order.
function Rows.new(leaves, specs, count, order)
  return setmetatable({ leaves = leaves, specs = specs, count = count, order = order }, Rows)
end

local function with_order(self, count, order) return Rows.new(self.leaves, self.specs, count, order) end

-- The order of a pass also where it is the natural one.
local function numbers(self, key)
  return self.order and self.order(key) or core.arange(0, self.count, 1, "int64")
end

--- `count` rows of each pass, from the one numbered `first` (from 0).
function Rows:part(first, count)
  if self.order then
    return with_order(self, count, function(key) return slice(self.order(key), first, count) end)
  end
  local leaves = {}
  for i, leaf in ipairs(self.leaves) do leaves[i] = slice(leaf, first, count) end
  return Rows.new(leaves, self.specs, count)
end

--- The passes with the keys that keys(key) lists, one after the other.
function Rows:chain(times, keys)
  return with_order(self, self.count * times, function(key)
    local orders = {}
    for i, own in ipairs(keys(key)) do orders[i] = numbers(self, own) end
    while #orders > 1 do -- a node joins a limited number
      local joined = {}
      for i = 1, #orders, 32 do
        joined[#joined + 1] = concat({ 0 }, nil, table.unpack(orders, i, math.min(i + 31, #orders)))
      end
      orders = joined
    end
    return orders[1]
  end)
end

--- The order permuted: permutation(key) gives the places (from 0), an int64 tensor {count}.
function Rows:permuted(permutation)
  return with_order(self, self.count, function(key)
    local places = permutation(key)
    return self.order and gather({ 0 }, nil, self.order(key), places) or places
  end)
end

--- A function that gives so many rows at a time, stacked, as x, y, w; nil at the end.
function Rows:batches(key, size, drop_remainder)
  local order, at, views = self.order and self.order(key), 0, slicers(self.leaves)
  return function()
    local count = math.min(size, self.count - at)
    if count < 1 or (drop_remainder and count < size) then return nil end
    local leaves, places = {}, order and slice(order, at, count)
    for i, leaf in ipairs(self.leaves) do
      leaves[i] = places and gather({ 0 }, nil, leaf, places) or views[i](at, count)
    end
    at = at + count
    return element.pack(self.specs, leaves)
  end
end

--- A function that gives one row after the other, views without the first axis.
function Rows:singles(key)
  local order, at, views = self.order and self.order(key):totable(), 0, slicers(self.leaves)
  return function()
    if at >= self.count then return nil end
    local row = order and order[at + 1] or at
    at = at + 1
    local leaves = {}
    for i, view in ipairs(views) do leaves[i] = core.drop_axis(view(row, 1), 0) end
    return element.pack(self.specs, leaves)
  end
end

return Rows
