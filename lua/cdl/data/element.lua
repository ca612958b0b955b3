--- Elements of a dataset: up to three values, x, y and sample weights, each a structure of eager
-- tensors.
local core = require "cdl.core"
local tree = require "cdl.tree"
local words = require "cdl.words"

local M = {}

local names = { "x", "y", "the third value" }

local function is_eager(x) return core.is_tensor(x) and x.kind == "eager" end

local function read_leaf(leaf, where)
  if is_eager(leaf) then return leaf end
  local kind = type(leaf)
  if kind == "number" or kind == "boolean" then return core.tensor(leaf) end
  core.raise(("%s: wanted a tensor, a number, or a list or dict of tensors, got %s"):format(where,
    words.describe(leaf)))
end

local function read_value(value, where)
  if is_eager(value) then return value end
  return tree.map(function(leaf) return read_leaf(leaf, where) end, value, nil, where)
end

--- An element as a function of the user gave it, with numbers made into tensors; nothing for nil.
-- what begins the messages ("Dataset:map").
function M.read(what, x, y, w, more)
  if x == nil then
    if y ~= nil then core.raise(what .. ": x is nil, but there is a y") end
    return nil
  elseif more ~= nil then
    core.raise(what .. ": an element is x, y and sample weights at most, got four values or more")
  elseif w ~= nil and y == nil then
    core.raise(what .. ": there are sample weights, but y is nil")
  end
  x = read_value(x, what .. ": x")
  if y ~= nil then y = read_value(y, what .. ": y") end
  if w ~= nil then w = read_value(w, what .. ": sample weights") end
  return x, y, w
end

--- The same structure with f(leaf) in place of each leaf; nil stays nil.
function M.map_leaves(f, value)
  if value == nil or is_eager(value) then return value and f(value) end
  return tree.map(f, value)
end

--- The leaves of all values of an element, with the spec of each value.
function M.flatten(x, y, w)
  local leaves, specs = {}, {}
  for i, value in ipairs { x, y, w } do
    local own, spec = tree.flatten(value, nil, names[i])
    specs[i] = spec
    table.move(own, 1, #own, #leaves + 1, leaves)
  end
  return leaves, specs
end

--- The values again, from leaves in that order.
function M.pack(specs, leaves)
  local values, at = {}, 0
  for i, spec in ipairs(specs) do
    local count = spec.kind == "leaf" and 1 or spec.count or #spec.names
    values[i] = tree.pack(spec, table.move(leaves, at + 1, at + count, 1, {}))
    at = at + count
  end
  return table.unpack(values, 1, 3)
end

local function spec_text(spec)
  if spec == nil then return "nothing" end
  if spec.kind == "leaf" then return "one tensor" end
  if spec.kind == "list" then return ("a list of %d"):format(spec.count) end
  return "a dict of '" .. table.concat(spec.names, "', '") .. "'"
end

--- nil when both specs describe the same structure, else words: "a list of 2", "one tensor".
function M.difference(first, other)
  if first and other and first.kind == "leaf" and other.kind == "leaf" then return nil end
  local a, b = spec_text(first), spec_text(other)
  if a ~= b then return a, b end
end

--- Names of the leaves for messages: "x", "y[2]", "y['age']".
function M.leaf_names(specs)
  local list = {}
  for i, spec in ipairs(specs) do
    if spec.kind == "leaf" then list[#list + 1] = names[i] end
    for k = 1, spec.kind == "list" and spec.count or 0 do
      list[#list + 1] = ("%s[%d]"):format(names[i], k)
    end
    for _, name in ipairs(spec.names or {}) do list[#list + 1] = ("%s['%s']"):format(names[i], name) end
  end
  return list
end

--- x, y and w are what names[i] calls them.
M.names = names

return M
