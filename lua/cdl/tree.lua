--- Structures of data: a leaf, a list of leaves, or a dict of leaves by name; one level.
--
-- This is the one place that tells them apart. A leaf is anything that is not a plain table, or
-- a nested table of numbers (which becomes a tensor).
--
--     local leaves, spec = tree.flatten({a = x, b = y})   --> {x, y}
--     tree.pack(spec, {u, v})                             --> {a = u, b = v}
local core = require "cdl.core"
local words = require "cdl.words"

local M = {}

local is_plain = words.is_plain

local function fail(where, format, ...)
  return core.raise(("%s: %s"):format(where or "data", format:format(...)))
end

-- A table of numbers or booleans, at any depth; ragged ones are core.tensor's to refuse.
local function is_numbers(x)
  if not is_plain(x) or #x == 0 then return false end
  for i = 1, #x do
    local kind = type(x[i])
    if kind ~= "number" and kind ~= "boolean" and not is_numbers(x[i]) then return false end
  end
  return true
end

--- "leaf", "list" or "dict". Mixed, empty and holed tables raise; `where` begins the message
-- ("fit: x").
function M.kind(x, where)
  if not is_plain(x) then return "leaf" end
  local count, last, names, name = 0, 0, 0, nil
  for key in pairs(x) do
    if type(key) == "string" then
      names, name = names + 1, key
    elseif math.type(key) == "integer" and key >= 1 then
      count, last = count + 1, math.max(last, key)
    else
      fail(where, "a table of data has the key %s; wanted a list or names", words.literal(key))
    end
  end
  if names > 0 and count > 0 then
    fail(where, "a table of data has both list entries and names ('%s'); wanted one or the other",
      name)
  elseif names > 0 then
    return "dict"
  elseif count == 0 then
    fail(where, "an empty table is no data; wanted a tensor, a list or a dict of tensors")
  elseif last ~= count then
    local hole = 1
    while x[hole] ~= nil do hole = hole + 1 end
    fail(where, "entry %d of a list of data is nil but entry %d is not", hole, last)
  end
  return is_numbers(x) and "leaf" or "list"
end

--- True when x is one leaf.
function M.is_leaf(x) return not is_plain(x) or is_numbers(x) end

local function read_leaf(x, where)
  if not is_plain(x) then return x end
  if is_numbers(x) then return core.tensor(x) end
  return fail(where, "structures are one level deep; wanted a tensor, got %s", words.describe(x))
end

local function sorted_names(dict)
  local names = {}
  for name in pairs(dict) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function quoted(names)
  return "'" .. table.concat(names, "', '") .. "'"
end

-- The dict must have exactly the wanted names.
local function check_names(dict, wanted, where)
  local known = {}
  for _, name in ipairs(wanted) do known[name] = true end
  for _, name in ipairs(sorted_names(dict)) do
    if not known[name] then
      fail(where, "there is no '%s'%s; wanted %s", name, words.suggestion(name, wanted),
        quoted(wanted))
    end
  end
  for _, name in ipairs(wanted) do
    if dict[name] == nil then fail(where, "'%s' is missing; wanted %s", name, quoted(wanted)) end
  end
end

--- The leaves of x in order, and a spec from which `pack` makes the structure again. With
-- `names` (of a model's inputs, say) the number of leaves must be theirs and a dict is read in
-- their order; without, a dict is read in alphabetical order.
function M.flatten(x, names, where)
  if x == nil then fail(where, "wanted a tensor, a list or a dict of tensors, got nil") end
  local kind = M.kind(x, where)
  if kind == "dict" then
    if names then check_names(x, names, where) end
    local order, leaves = names and table.move(names, 1, #names, 1, {}) or sorted_names(x), {}
    for i, name in ipairs(order) do
      leaves[i] = read_leaf(x[name], ("%s['%s']"):format(where or "data", name))
    end
    return leaves, { kind = "dict", names = order }
  end
  local leaves = {}
  if kind == "leaf" then
    leaves[1] = read_leaf(x, where)
  else
    for i = 1, #x do leaves[i] = read_leaf(x[i], ("%s[%d]"):format(where or "data", i)) end
  end
  if names and #leaves ~= #names then
    fail(where, "wanted %d (%s), got %d", #names, quoted(names), #leaves)
  end
  return leaves, { kind = kind, count = #leaves }
end

--- The structure that `spec` describes, with these leaves.
function M.pack(spec, leaves)
  if spec.kind == "leaf" then return leaves[1] end
  if spec.kind == "list" then return table.move(leaves, 1, spec.count, 1, {}) end
  local dict = {}
  for i, name in ipairs(spec.names) do dict[name] = leaves[i] end
  return dict
end

--- The same structure with f(leaf, index) in place of each leaf.
function M.map(f, x, names, where)
  local leaves, spec = M.flatten(x, names, where)
  for i = 1, #leaves do leaves[i] = f(leaves[i], i) end
  return M.pack(spec, leaves)
end

return M
