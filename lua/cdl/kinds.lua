--- The kinds of arguments that a signature can ask for.
--
-- A kind has `wants` (the words of "must be ..."), `read(value, param)` which gives true and the
-- value in its final form, or false and, where it knows better, other words for "must be ...";
-- `list` when its value is written as a list; `fast(value)`, true for the common values that
-- need no treatment at all (and never for a plain table, which may hold named arguments).
--
--     integer number string boolean function tensor operand table any data
--     choice   one of param.choices (written {"valid", "same"} in place of a kind's name)
--     dtype    a dtype's name
--     shape    a list of sizes; -1, "?", null and nil before a later entry are unknown sizes (-1)
--     size     a number or a list; with param.axes a list of that length comes out
--     padding  a number, a list of numbers or of pairs; with param.axes a list of pairs
--     axes     an axis or a list of them, from 1 or negative from the end; unchanged
--     axis     one axis
--     factor   a number or a list of two, lowest and highest
--     list     a list; param.of is the kind of its entries
--
-- param.min, .max, .above, .below limit numbers and sizes. Several kinds: "string|function".
local core = require "cdl.core"
local words = require "cdl.words"

local M = {}

local is_plain, is_tensor = words.is_plain, words.is_tensor
local DTYPES = { "float32", "float64", "int32", "int64", "uint8", "bool" }
local SHAPE_MAX = 8

local function integer(value)
  return math.type(value) and math.tointeger(value)
end

local limits = {
  { "min", "at least %s", function(value, limit) return value >= limit end },
  { "max", "at most %s", function(value, limit) return value <= limit end },
  { "above", "greater than %s", function(value, limit) return value > limit end },
  { "below", "less than %s", function(value, limit) return value < limit end },
}

-- nan is in no limits. `least` is the kind's own minimum.
local function in_limits(value, param, least)
  for _, row in ipairs(limits) do
    local limit = param[row[1]] or (row[1] == "min" and least)
    if limit and not row[3](value, limit) then
      return false, row[2]:format(words.literal(limit))
    end
  end
  return true, value
end

-- The length of the list, or nil and the words when x is not a list without holes.
local function list_length(list)
  local count = 0
  for key in pairs(list) do
    if math.type(key) ~= "integer" or key < 1 then
      return nil, ("a list (it has the key %s)"):format(words.literal(key))
    end
    count = count + 1
  end
  for i = 1, count do
    if list[i] == nil then return nil, ("a list without holes (entry %d is nil)"):format(i) end
  end
  return count
end

local function is_callable(value)
  if type(value) == "function" then return true end
  local meta = type(value) == "table" and getmetatable(value)
  return type(meta) == "table" and meta.__call ~= nil
end

local function basic(wants, accepts)
  local function read(value)
    if accepts(value) then return true, value end
    return false
  end
  return { wants = wants, fast = accepts, read = read }
end

M.string = basic("a string", function(value) return type(value) == "string" end)
M.boolean = basic("true or false", function(value) return type(value) == "boolean" end)
M["function"] = basic("a function", is_callable)
M.tensor = basic("a tensor", is_tensor)

-- What an op computes with: tensors of every kind, variables, numbers; nested tables of numbers
-- become tensors.
M.operand = { wants = "a tensor, a variable or a number", list = true }
function M.operand.fast(value)
  local kind = type(value)
  return kind == "userdata" or kind == "number" or (kind == "table" and is_tensor(value))
end
function M.operand.read(value)
  if is_plain(value) then return true, core.tensor(value) end
  local kind = type(value)
  if kind == "number" or kind == "boolean" or is_tensor(value) or core.is_variable(value) then
    return true, value
  end
  return false
end

M.integer = { wants = "an integer" }
function M.integer.fast(value) return math.type(value) == "integer" end
function M.integer.read(value, param)
  local whole = integer(value)
  if not whole then return false end
  return in_limits(whole, param)
end

M.number = { wants = "a number" }
function M.number.fast(value) return type(value) == "number" end
function M.number.read(value, param)
  if type(value) ~= "number" then return false end
  return in_limits(value, param)
end

M.factor = { wants = "a number or {lowest, highest}" }
function M.factor.read(value)
  if type(value) == "number" then return true, value end
  local is_pair = is_plain(value) and list_length(value) == 2 and type(value[1]) == "number"
    and type(value[2]) == "number"
  return is_pair and true or false, is_pair and { value[1], value[2] } or nil
end

M.table = { wants = "a table" }
function M.table.fast(value) return type(value) == "table" and not is_plain(value) end
function M.table.read(value)
  if type(value) == "table" then return true, value end
  return false
end

M.any = { wants = "given" }
function M.any.fast(value) return not is_plain(value) end
function M.any.read(value) return true, value end

M.data = { wants = "given", data = true, fast = M.any.fast, read = M.any.read }

M.choice = { wants = "one of the names" }
function M.choice.read(value, param)
  local names = {}
  for i, choice in ipairs(param.choices) do
    if choice == value then return true, value end
    names[i] = ("'%s'"):format(choice)
  end
  return false, "one of " .. table.concat(names, ", ") .. words.suggestion(value, param.choices)
end

M.dtype = { wants = "a dtype" }
function M.dtype.read(value) return M.choice.read(value, { choices = DTYPES }) end

M.shape = { wants = "a list of sizes", list = true }
function M.shape.read(value, param)
  if not is_plain(value) then return false end
  local last = 0
  for key in pairs(value) do
    if math.type(key) ~= "integer" or key < 1 then
      return false, ("a list of sizes (it has the key %s)"):format(words.literal(key))
    end
    last = math.max(last, key)
  end
  if last > SHAPE_MAX then return false, ("a list of at most %d sizes"):format(SHAPE_MAX) end
  if last == 0 and param.nonempty then
    return false, "a list of at least one size; write {-1} for an unknown length"
  end
  local shape = {}
  for i = 1, last do
    local size = value[i]
    if size == nil or size == "?" or size == words.null then size = -1 end
    size = integer(size)
    if not size or size < -1 then
      return false, ("a list of sizes (entry %d is %s)"):format(i, words.literal(value[i]))
    elseif size == -1 and param.unknown == false then
      return false, ("a list of known sizes (entry %d is unknown)"):format(i)
    end
    shape[i] = size
  end
  return true, shape
end

M.size = { wants = "an integer or a list of integers", list = true }
function M.size.read(value, param)
  local axes = param.axes
  local single = integer(value)
  if not single and is_plain(value) and #value == 1 and axes then single = integer(value[1]) end
  if single then
    local ok, want = in_limits(single, param, 1)
    if not ok or not axes then return ok, want end
    local sizes = {}
    for i = 1, axes do sizes[i] = single end
    return true, sizes
  end
  if not is_plain(value) then return false, axes and M.size_words(axes) end
  local length, problem = list_length(value)
  if not length then return false, problem end
  if axes and length ~= axes then return false, M.size_words(axes) end
  local sizes = {}
  for i = 1, length do
    sizes[i] = integer(value[i])
    if not sizes[i] then return false, axes and M.size_words(axes) end
    local ok, want = in_limits(sizes[i], param, 1)
    if not ok then return false, want end
  end
  return true, sizes
end
function M.size_words(axes)
  return axes == 1 and "an integer" or ("an integer or a list of %d integers"):format(axes)
end

local function pad_pair(value)
  local single = integer(value)
  if single then return single >= 0 and { single, single } or nil end
  if not is_plain(value) or list_length(value) ~= 2 then return nil end
  local before, after = integer(value[1]), integer(value[2])
  return before and after and before >= 0 and after >= 0 and { before, after } or nil
end

M.padding = { wants = "a number, a list of numbers or a list of pairs {before, after}", list = true }
function M.padding.read(value, param)
  local axes = param.axes
  local single = integer(value)
  if is_plain(value) and #value == 1 and axes and axes > 1 then single = integer(value[1]) end
  if single then
    if single < 0 then return false, "at least 0" end
    if not axes then return true, single end
    local pads = {}
    for i = 1, axes do pads[i] = { single, single } end
    return true, pads
  end
  if not is_plain(value) then return false end
  -- One axis: {1, 2} is the pair itself.
  if axes == 1 and #value == 2 and pad_pair(value) then return true, { pad_pair(value) } end
  local length, problem = list_length(value)
  if not length then return false, problem end
  if axes and length ~= axes then
    return false, ("a number, or a list of %d numbers or pairs {before, after}"):format(axes)
  end
  local pads = {}
  for i = 1, length do
    pads[i] = pad_pair(value[i])
    if not pads[i] then
      return false, ("%s, none below 0 (entry %d is %s)"):format(M.padding.wants, i,
        words.literal(value[i]))
    end
  end
  return true, pads
end

M.axis = { wants = "an axis, from 1, or from the end, -1" }
function M.axis.fast(value) return math.type(value) == "integer" and value ~= 0 end
function M.axis.read(value)
  local axis = integer(value)
  return axis ~= nil and axis ~= false and axis ~= 0, axis or nil
end

M.axes = { wants = "an axis or a list of axes, from 1, or from the end, -1", list = true }
M.axes.fast = M.axis.fast
function M.axes.read(value)
  if not is_plain(value) then return M.axis.read(value) end
  local length, problem = list_length(value)
  if not length then return false, problem end
  local axes = {}
  for i = 1, length do
    local ok, axis = M.axis.read(value[i])
    if not ok then return false end
    axes[i] = axis
  end
  return true, axes
end

M.list = { wants = "a list", list = true }
function M.list.read(value, param)
  if not is_plain(value) then return false end
  local length, problem = list_length(value)
  if not length then return false, problem end
  if not param.of then return true, value end
  local kind, list = M.find(param.of), {}
  for i = 1, length do
    local ok, entry = kind.read(value[i], param)
    if not ok then
      local want = type(entry) == "string" and entry or kind.wants
      return false, ("a list; entry %d must be %s, got %s"):format(i, want, words.describe(value[i]))
    end
    list[i] = entry
  end
  return true, list
end

-- Several kinds in one: the first that accepts wins.
local function union(name)
  local members, wants = {}, {}
  local all = { list = false, data = false }
  for part in name:gmatch "[^|]+" do
    local kind = M.find(part)
    members[#members + 1], wants[#wants + 1] = kind, kind.wants
    all.list, all.data = all.list or kind.list, all.data or kind.data
  end
  all.wants = table.concat(wants, " or ")
  function all.read(value, param)
    for _, kind in ipairs(members) do
      local ok, result = kind.read(value, param)
      if ok then return true, result end
    end
    return false
  end
  function all.fast(value)
    for _, kind in ipairs(members) do
      if kind.fast and kind.fast(value) then return true end
    end
    return false
  end
  return all
end

local unions = {}

--- The kind of that name ("integer", "string|function"), or nil when there is none.
function M.find(name)
  if type(name) ~= "string" then return nil end
  if name:find("|", 1, true) then
    unions[name] = unions[name] or union(name)
    return unions[name]
  end
  local kind = M[name]
  return type(kind) == "table" and kind or nil
end

return M
