--- Datasets from datasets, element by element: map filter shuffle take skip repeat_ zip prefetch
-- cache. (Batches: cdl/data/batches.lua.)
local core = require "cdl.core"
local element = require "cdl.data.element"
local random = require "cdl.random"
local signature = require "cdl.signature"
local words = require "cdl.words"
local class = require "cdl.class"
local Dataset = require "cdl.data.dataset"

local self_row = { "self", "any", required = true }

local function define(name, rows, doc, body)
  Dataset[name] = signature.method(name, { self_row, table.unpack(rows) }, doc, body)
end

-- A dataset over another one. open(next, key) gets that one's elements.
local function derive(self, open, count)
  local from = self.parts
  return Dataset.make { open = function(key) return open(from.open(key), key) end,
    count = count or from.count, depth = from.depth + 1 }
end

define("map", { { "f", "function", required = true, doc = "f(x, y, w) returns the new x, y, w" } },
  "Every element as f returns it. f runs anew in every pass; before cache() it runs once.", function(self, f)
    return derive(self, function(next)
      return function()
        local x, y, w = next()
        if x == nil then return nil end
        x, y, w = element.read("map", f(x, y, w))
        if x == nil then core.raise "map: the function returned nil; wanted x, y (filter drops elements)" end
        return x, y, w
      end
    end)
  end)

local function is_true(answer)
  if type(answer) == "boolean" then return answer end
  if core.is_tensor(answer) and answer.kind == "eager" and answer.size == 1 then
    local value = answer:item()
    return value ~= false and value ~= 0
  end
  core.raise(("filter: the function must return true or false, got %s"):format(words.describe(answer)))
end

define("filter", { { "f", "function", required = true, doc = "f(x, y, w) tells whether the element stays" } },
  "The elements for which f returns true, or a tensor of one element that is not 0.", function(self, f)
    return derive(self, function(next)
      return function()
        while true do
          local x, y, w = next()
          if x == nil then return nil end
          if is_true(f(x, y, w)) then return x, y, w end
        end
      end
    end, function() return self.parts.count() == 0 and 0 or nil end)
  end)

-- ---- shuffle ----

local BLOCK = 256 -- random numbers drawn at a time

-- A function that gives random integers 0 .. n-1 of the stream of that name.
local function integers(seed, name)
  local block, numbers, at = 0, nil, BLOCK
  return function(n)
    if at == BLOCK then
      block, at = block + 1, 0
      numbers = random.named("uniform", seed, ("%s/%d"):format(name, block), { BLOCK }, "float64", { 0, 1 }):totable()
    end
    at = at + 1
    return math.min(n - 1, math.floor(numbers[at] * n))
  end
end

local function permutation(seed, name, n)
  return random.named("permutation", seed, name, { n }, "int64")
end

-- Draws from a buffer of `size` elements, which is kept filled as long as there are more.
local function shuffled(next, size, seed, name)
  local buffer, draw_place, order, at = {}, integers(seed, name), nil, 0
  local function fill()
    while #buffer < size do
      local x, y, w = next()
      if x == nil then return false end
      buffer[#buffer + 1] = { x, y, w }
    end
    return true
  end
  local function give(entry) return entry[1], entry[2], entry[3] end
  return function()
    if not order then
      local more = fill()
      if more then
        local x, y, w = next()
        if x ~= nil then
          local place = draw_place(size) + 1
          local entry = buffer[place]
          buffer[place] = { x, y, w }
          return give(entry)
        end
      end
      order = permutation(seed, name, #buffer):totable()
    end
    at = at + 1
    local place = order[at]
    if not place then return nil end
    local entry = buffer[place + 1]
    buffer[place + 1] = false -- let go of what has been given
    return give(entry)
  end
end

define("shuffle", {
  { "buffer_size", "integer", min = 1, doc = "elements held to draw from; left out: all of them" },
  { "seed", "integer", doc = "left out: cdl.random's" },
  { "reshuffle_each_iteration", "boolean", true, doc = "false: every pass has the same order" },
}, "The elements in random order. The order is a function of the seed and the pass.",
  function(self, buffer_size, seed, reshuffle)
    local from, depth = self.parts, self.parts.depth + 1
    local function name_of(key) return ("dataset/%d/%s"):format(depth, reshuffle and key or "") end
    local function seed_now() return seed or random.get_seed() end
    local count = from.count()
    if not buffer_size and (not count or count == math.huge) then
      core.raise(("shuffle: buffer_size is needed, as the dataset %s"):format(
        count and "has no end" or "does not know its length"))
    end
    if from.rows and (buffer_size or count) >= count then
      return Dataset.from_rows(from.rows:permuted(function(key)
        return permutation(seed_now(), name_of(key), count)
      end), depth)
    end
    return derive(self, function(next, key)
      return shuffled(next, buffer_size or math.max(count, 1), seed_now(), name_of(key))
    end)
  end)

-- ---- parts and repetitions ----

define("take", { { "count", "integer", required = true, min = 0, doc = "how many" } },
  "The first elements.", function(self, count)
    local from = self.parts
    if from.rows and count > 0 then
      return Dataset.from_rows(from.rows:part(0, math.min(count, from.rows.count)), from.depth + 1)
    end
    return derive(self, function(next)
      local left = count
      return function()
        if left == 0 then return nil end
        left = left - 1
        return next()
      end
    end, function()
      local all = from.count()
      if count == 0 then return 0 end
      return all and math.min(all, count)
    end)
  end)

define("skip", { { "count", "integer", required = true, min = 0, doc = "how many" } },
  "All elements but the first ones.", function(self, count)
    local from = self.parts
    if from.rows and count < from.rows.count then
      return Dataset.from_rows(from.rows:part(count, from.rows.count - count), from.depth + 1)
    end
    return derive(self, function(next)
      local left = count
      return function()
        while left > 0 do
          left = left - 1
          if next() == nil then left = 0 end
        end
        return next()
      end
    end, function()
      local all = from.count()
      return all and math.max(all - count, 0)
    end)
  end)

-- The name of repetition i of a pass; the first one is the pass itself.
local function repetition(key, i) return i == 1 and key or ("%s.%d"):format(key, i) end

define("repeat_", { { "count", "integer", min = 0, doc = "how many times; left out: without end" } },
  "The dataset several times over, or without end.", function(self, count)
    local from = self.parts
    if from.rows and count and count > 0 then
      return Dataset.from_rows(from.rows:chain(count, function(key)
        local keys = {}
        for i = 1, count do keys[i] = repetition(key, i) end
        return keys
      end), from.depth + 1)
    end
    local function open(key)
      local times, next = 0, function() return nil end
      return function()
        local x, y, w = next()
        if x == nil and times ~= count then
          times = times + 1
          next = from.open(repetition(key, times))
          x, y, w = next()
          if x == nil then times = count or 0 end
        end
        return x, y, w
      end
    end
    return Dataset.make { open = open, depth = from.depth + 1, count = function()
      local all = from.count()
      if all == 0 or count == 0 then return 0 end
      return count and all and all * count or not count and math.huge or nil
    end }
  end)

define("zip", { { "others", "any", required = true, rest = true, doc = "further datasets" } },
  "Elements of several datasets side by side: images:zip(labels) has x from the first and y from the second. "
  .. "It ends with the shortest.", function(self, others)
    local all = { self, table.unpack(others) }
    local depth = 0
    for i, dataset in ipairs(all) do
      if not class.is(dataset, Dataset) then
        core.raise(("zip: argument %d must be a Dataset, got %s"):format(i, words.describe(dataset)))
      end
      depth = math.max(depth, dataset.parts.depth)
    end
    local function open(key)
      local draws = {}
      for i, dataset in ipairs(all) do draws[i] = dataset.parts.open(("%s/%d"):format(key, i)) end
      return function()
        local values = {}
        for _, draw in ipairs(draws) do
          local x, y, w = draw()
          if x == nil then return nil end
          for _, value in ipairs { x, y, w } do values[#values + 1] = value end
        end
        return element.read("zip", table.unpack(values))
      end
    end
    return Dataset.make { open = open, depth = depth + 1, count = function()
      local least = math.huge
      for _, dataset in ipairs(all) do
        local count = dataset.parts.count()
        if not count then return nil end
        least = math.min(least, count)
      end
      return least
    end }
  end)

-- ---- keeping elements ----

-- The same elements from memory or ahead of time: what fit reads in place stays that way.
local function pass_through(self)
  local parts = {}
  for name, part in pairs(self.parts) do parts[name] = part end
  parts.depth, parts.make = parts.depth + 1, nil
  return Dataset.make(parts)
end

-- What fills the cache is one pass, the same whichever pass over the whole it is that comes first: a
-- run that was cut short and goes on fills it with the same elements.
define("cache", {}, "Keeps the elements of the first whole pass in memory; later passes give these.", function(self)
  local from, kept = self.parts, nil
  local name = ("cache/%d"):format(from.depth)
  local rows = from.rows or (from.batched and from.batched.rows)
  if rows and not rows.order then return pass_through(self) end -- they are in memory already
  local function open()
    local at, own = 0, kept
    if own then
      return function()
        at = at + 1
        local entry = own[at]
        if entry then return entry[1], entry[2], entry[3] end
      end
    end
    local stream = random.new_stream(name)
    local next = random.within(stream, from.open, name)
    own = {}
    return function()
      local x, y, w = random.within(stream, next)
      if x == nil then
        kept = kept or own
        return nil
      end
      own[#own + 1] = { x, y, w }
      return x, y, w
    end
  end
  return Dataset.make { open = open, depth = from.depth + 1,
    count = function() return kept and #kept or from.count() end }
end)

define("prefetch", { { "count", "integer", required = true, min = 1, doc = "elements kept ready" } },
  "Keeps the next elements ready. Lua code runs between two steps, not beside them: this draws ahead, which evens "
  .. "out a source that gives its elements in bursts. An error in drawing comes when its element is due.",
  function(self, count)
    if self.parts.rows or self.parts.batched then return pass_through(self) end
    return derive(self, function(next)
      local queue, first, last, ended = {}, 1, 0, false
      return function()
        while not ended and last - first + 1 < count do
          local ok, x, y, w = pcall(next)
          ended = not ok or x == nil
          if not (ok and ended) then
            last = last + 1
            queue[last] = { ok, x, y, w }
          end
        end
        local entry = queue[first]
        if not entry then return nil end
        queue[first] = nil
        first = first + 1
        if not entry[1] then error(entry[2], 0) end
        return entry[2], entry[3], entry[4]
      end
    end)
  end)
