--- Batches of a dataset's elements, and their undoing.
local core = require "cdl.core"
local element = require "cdl.data.element"
local ops = require "cdl.ops"
local signature = require "cdl.signature"
local Dataset = require "cdl.data.dataset"
local words = require "cdl.words"

local self_row = { "self", "any", required = true }

local shape_text = words.braces

local function same_shape(a, b)
  if #a ~= #b then return false end
  for i, n in ipairs(a) do
    if n ~= b[i] then return false end
  end
  return true
end

-- Raises unless element i of a batch has the structure of the first one.
local function check_structure(first, specs, i)
  for k = 1, 3 do
    local was, is = element.difference(first[k], specs[k])
    if was then
      core.raise(("batch: in element %d of a batch %s is %s, in element 1 it is %s"):format(i,
        element.names[k], is, was))
    end
  end
end

-- Raises unless all leaves of a column have the dtype and shape of the first.
local function check_column(column, name)
  local dtype, shape = column[1].dtype, column[1].shape
  for i = 2, #column do
    local leaf = column[i]
    if leaf.dtype ~= dtype or not same_shape(leaf.shape, shape) then
      core.raise(("batch: elements must be alike: %s is %s %s in element %d of a batch and %s %s in element 1 "
        .. "(map can pad them to one length)"):format(name, leaf.dtype, shape_text(leaf.shape), i, dtype,
        shape_text(shape)))
    end
  end
end

-- Draws up to `size` elements: the lists of their leaves, leaf by leaf, and their specs.
local function collect(next, size)
  local columns, first, count = {}, nil, 0
  while count < size do
    local x, y, w = next()
    if x == nil then break end
    local leaves, specs = element.flatten(x, y, w)
    count = count + 1
    if first then check_structure(first, specs, count) else first = specs end
    for k, leaf in ipairs(leaves) do
      columns[k] = columns[k] or {}
      columns[k][count] = leaf
    end
  end
  return columns, first, count
end

local function stack(columns, specs)
  local leaves, names = {}, element.leaf_names(specs)
  for k, column in ipairs(columns) do
    check_column(column, names[k])
    leaves[k] = ops.stack(column)
  end
  return element.pack(specs, leaves)
end

local function batch_count(all, size, drop_remainder)
  if not all or all == math.huge then return all end
  return drop_remainder and all // size or (all + size - 1) // size
end

Dataset.batch = signature.method("batch", { self_row,
  { "size", "integer", required = true, min = 1, doc = "elements in a batch" },
  { "drop_remainder", "boolean", false, doc = "true: a last batch of fewer elements is left out" },
}, "Stacks elements along a new first axis. Elements of a batch must have the same shapes.",
  function(self, size, drop_remainder)
    local from = self.parts
    local function open(key)
      if from.rows then return from.rows:batches(key, size, drop_remainder) end
      local next, ended = from.open(key), false
      return function()
        if ended then return nil end
        local columns, specs, count = collect(next, size)
        ended = count < size
        if count == 0 or (drop_remainder and ended) then return nil end
        return stack(columns, specs)
      end
    end
    return Dataset.make { open = open, depth = from.depth + 1,
      batched = from.rows and { rows = from.rows, size = size, drop_remainder = drop_remainder },
      count = function() return batch_count(from.count(), size, drop_remainder) end }
  end)

-- The rows of one batch as leaves, checked to be as many in all of them.
local function read_batch(x, y, w)
  local leaves, specs = element.flatten(x, y, w)
  local rows
  for k, leaf in ipairs(leaves) do
    local name = element.leaf_names(specs)[k]
    if leaf.ndim == 0 then core.raise(("unbatch: %s is a scalar; a batch has rows"):format(name)) end
    rows = rows or #leaf
    if #leaf ~= rows then
      core.raise(("unbatch: %s has %d rows, %s has %d"):format(name, #leaf, element.leaf_names(specs)[1], rows))
    end
  end
  return leaves, specs, rows
end

Dataset.unbatch = signature.method("unbatch", { self_row },
  "The rows (first axis) of every element as elements of their own.", function(self)
    local from = self.parts
    if from.batched and not from.batched.drop_remainder then
      return Dataset.from_rows(from.batched.rows, from.depth + 1)
    end
    local Rows = require "cdl.data.rows"
    local function open(key)
      local next, row = from.open(key), function() return nil end
      return function()
        local x, y, w = row()
        while x == nil do
          local bx, by, bw = next()
          if bx == nil then return nil end
          row = Rows.new(read_batch(bx, by, bw)):singles(key)
          x, y, w = row()
        end
        return x, y, w
      end
    end
    return Dataset.make { open = open, depth = from.depth + 1,
      count = function() return from.count() == math.huge and math.huge or nil end }
  end)
