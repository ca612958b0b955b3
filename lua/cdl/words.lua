--- Words for messages: what a value is, how it is written, which name was probably meant.
local class = require "cdl.class"
local core = require "cdl.core"

local M = {}

--- "Explicitly none", where leaving an argument out means its default. JSON's null.
M.null = setmetatable({}, {
  __tostring = function() return "null" end,
  __name = "cdl.null",
})

--- True for a table without a metatable: a list, a dict, named arguments.
function M.is_plain(x)
  return type(x) == "table" and getmetatable(x) == nil
end

--- The string keys of a table in alphabetical order.
function M.sorted_keys(t)
  local keys = {}
  for key in pairs(t) do
    if type(key) == "string" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  return keys
end

--- "{2, 3}", from a list of numbers.
function M.braces(list) return "{" .. table.concat(list, ", ") .. "}" end

--- The same for a shape whose unknown sizes are -1: "{?, 3}".
function M.shape(shape)
  local sizes = {}
  for i, n in ipairs(shape) do sizes[i] = n < 0 and "?" or tostring(n) end
  return M.braces(sizes)
end

--- True for every kind of tensor: the C userdata, and Lua objects that say so with a field
-- `__tensor` in their metatable (symbols, variables).
function M.is_tensor(x)
  if type(x) == "table" then
    local meta = getmetatable(x)
    return type(meta) == "table" and meta.__tensor == true
  end
  return core.is_tensor(x) and true or false
end

local function literal_list(list, depth)
  local parts = {}
  for i = 1, math.min(#list, 8) do parts[i] = M.literal(list[i], depth) end
  if #list > 8 then parts[9] = "..." end
  return parts
end

--- A value as one would write it in Lua; long or deep ones are cut.
function M.literal(value, depth)
  depth = depth or 2
  if type(value) == "string" then
    return #value <= 40 and ("%q"):format(value) or ("%q..."):format(value:sub(1, 37))
  elseif M.is_plain(value) then
    if depth == 0 then return "{...}" end
    local parts = literal_list(value, depth - 1)
    local names = {}
    for key in pairs(value) do
      if type(key) == "string" then names[#names + 1] = key end
    end
    table.sort(names)
    for i = 1, math.min(#names, 4) do
      parts[#parts + 1] = names[i] .. " = " .. M.literal(value[names[i]], depth - 1)
    end
    if #names > 4 then parts[#parts + 1] = "..." end
    return "{" .. table.concat(parts, ", ") .. "}"
  elseif type(value) == "number" then
    return ("%.14g"):format(value)
  end
  return M.describe(value)
end

--- What was given, for "..., got X": `3.5`, `"abc" (a string)`, `a float32 tensor {2, 3}`.
function M.describe(value)
  local kind = type(value)
  if kind == "number" then return M.literal(value) end
  if kind == "nil" or kind == "boolean" then return tostring(value) end
  if kind == "string" then return M.literal(value) .. " (a string)" end
  if class.is_class(value) then return "the class " .. value.__name end
  if M.is_tensor(value) then
    return ("a %s tensor {%s}"):format(value.dtype, table.concat(value.shape, ", "))
  end
  if M.is_plain(value) then return M.literal(value) .. " (a table)" end
  local name = class.name_of(value)
  if name then return "an instance of " .. name end
  return "a " .. kind
end

--- The public names of a module, in alphabetical order; also of one that loads its parts late
-- and tells their names by a function `names` or by __pairs.
function M.public_names(module)
  local names = {}
  local is_lazy = getmetatable(module) ~= nil and not class.is_class(module)
  if is_lazy and type(rawget(module, "names")) == "function" then
    names = module.names()
  else
    for name in pairs(module) do names[#names + 1] = name end
  end
  local public = {}
  for _, name in ipairs(names) do
    if type(name) == "string" and name:find "^%a[%w_]*$" then public[#public + 1] = name end
  end
  table.sort(public)
  return public
end

--- How many insertions, deletions, replacements and swaps of neighbours turn a into b.
function M.distance(a, b)
  local before
  local previous, row = {}, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    before, previous, row = previous, row, { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

--- The candidate that was probably meant by a name that is none of them, or nil. A candidate is
-- near when at most a third of the name differs, or when one is the beginning of the other.
function M.nearest(name, candidates)
  local best, best_distance
  local lower = name:lower()
  for _, candidate in ipairs(candidates) do
    local other = candidate:lower()
    local distance = M.distance(lower, other)
    local is_start = #lower >= 3 and #other >= 3
      and (other:sub(1, #lower) == lower or lower:sub(1, #other) == other)
    if distance <= math.max(1, #name // 3) or is_start then
      if not best or distance < best_distance then best, best_distance = candidate, distance end
    end
  end
  return best
end

--- " (did you mean 'x'?)" or "".
function M.suggestion(name, candidates)
  local nearest = type(name) == "string" and M.nearest(name, candidates)
  return nearest and (" (did you mean '%s'?)"):format(nearest) or ""
end

return M
