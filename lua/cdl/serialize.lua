--- Tables as text and back: how a snapshot keeps what is no array. Numbers keep their bits and
-- their kind (3 and 3.0 differ), and reading runs nothing.
--
--     local text = serialize.write({ epoch = 3, best = 0.1, note = "a\n" }, "the state")
--     --> {"best"=0.10000000000000001,"epoch"=3,"note"="a\010"}
--     local value, problem = serialize.read(text)
--
-- A value is a number, a string, a boolean or a table whose keys are such values; what else may
-- stand in it, `keep` decides: it is asked for a name, which is written as @"name", and
-- `find(name)` gives the value when the text is read.
local core = require "cdl.core"
local words = require "cdl.words"

local M = {}

local DEPTH = 64

-- ---- writing ----

local function quote(text)
  return '"' .. text:gsub('[%c"\\\127]', function(c) return ("\\%03d"):format(c:byte()) end) .. '"'
end

local function number_text(x)
  if math.type(x) == "integer" then return ("%d"):format(x) end
  if x ~= x then return "nan" end
  if x == math.huge then return "inf" elseif x == -math.huge then return "-inf" end
  local text = ("%.17g"):format(x)
  return text:find "[.e]" and text or text .. ".0"
end

local scalars = { number = number_text, string = quote, boolean = tostring }

-- Keys in a fixed order: numbers, then strings, then booleans.
local rank = { number = 1, string = 2, boolean = 3 }

local function key_before(a, b)
  local kind_a, kind_b = type(a), type(b)
  if kind_a ~= kind_b then return rank[kind_a] < rank[kind_b] end
  if kind_a == "boolean" then return a and not b end
  return a < b
end

local write

local function write_table(value, state, place, depth)
  if depth > DEPTH then
    core.raise(("%s is nested more than %d deep, or holds itself (%s)"):format(state.what, DEPTH,
      place:sub(1, 40)))
  end
  local keys = {}
  for key in next, value do
    if not rank[type(key)] then
      core.raise(("%s: a key of %s is %s; wanted a number, a string or a boolean"):format(state.what,
        place, words.describe(key)))
    end
    keys[#keys + 1] = key
  end
  table.sort(keys, key_before)
  local out = state.out
  out[#out + 1] = "{"
  for i, key in ipairs(keys) do
    if i > 1 then out[#out + 1] = "," end
    out[#out + 1] = scalars[type(key)](key) .. "="
    local inner = place == "" and tostring(key) or place .. "/" .. tostring(key)
    write(value[key], state, inner, depth + 1)
  end
  out[#out + 1] = "}"
end

function write(value, state, place, depth)
  local scalar = scalars[type(value)]
  if scalar then
    state.out[#state.out + 1] = scalar(value)
  elseif words.is_plain(value) then
    write_table(value, state, place, depth)
  else
    local name = state.keep and state.keep(value, place)
    if not name then
      core.raise(("%s: %s is %s; wanted numbers, strings, booleans, tables and tensors"):format(
        state.what, place, words.describe(value)))
    end
    state.out[#state.out + 1] = "@" .. quote(name)
  end
end

--- The text of a value. what: its name, for messages; keep(value, place): a name for what is
-- neither number, string, boolean nor table (place: its keys, "callbacks/best/1"), or nil.
function M.write(value, what, keep)
  local state = { what = what, keep = keep, out = {} }
  write(value, state, "", 0)
  return table.concat(state.out)
end

-- ---- reading ----

local named_numbers = { nan = 0 / 0, inf = math.huge, ["-inf"] = -math.huge }
local booleans = { ["true"] = true, ["false"] = false }

local function fail(at, wanted) error({ problem = ("%s is wanted at byte %d"):format(wanted, at) }, 0) end

local function read_string(text, at)
  local body, next_at = text:match('^"([^"]*)"()', at)
  if not body then fail(at, "a string") end
  return body:gsub("\\(%d%d%d)", function(code)
    if tonumber(code) > 255 then fail(at, "a string") end
    return string.char(tonumber(code))
  end), next_at
end

local function read_word(text, at)
  local word, next_at = text:match("^([%w.+-]+)()", at)
  if not word then fail(at, "a value") end
  if booleans[word] ~= nil then return booleans[word], next_at end
  local number = named_numbers[word] or (word:find "^-?%d" and tonumber(word))
  if not number then fail(at, "a value") end
  return number, next_at
end

local read

local function read_table(text, at, find, depth)
  if depth > DEPTH then fail(at, "a table that is less deep") end
  local result, first = {}, true
  while true do
    local close = text:match("^}()", at)
    if close then return result, close end
    if not first then
      if text:byte(at) ~= 44 then fail(at, "a comma or }") end
      at = at + 1
    end
    first = false
    local key, value, after
    if text:byte(at) == 34 then key, after = read_string(text, at) else key, after = read_word(text, at) end
    if text:byte(after) ~= 61 or key ~= key then fail(at, "a key and =") end
    value, at = read(text, after + 1, find, depth + 1)
    result[key] = value
  end
end

function read(text, at, find, depth)
  local first = text:byte(at)
  if first == 34 then
    return read_string(text, at)
  elseif first == 123 then
    return read_table(text, at + 1, find, depth)
  elseif first == 64 then
    local name, next_at = read_string(text, at + 1)
    local value = find and find(name)
    if value == nil then fail(at, ("the value named %q, which is missing,"):format(name)) end
    return value, next_at
  end
  return read_word(text, at)
end

--- The value of a text; nil and the reason when it is none.
function M.read(text, find)
  local ok, value, next_at = pcall(read, text, 1, find, 0)
  if not ok then
    if type(value) == "table" and value.problem then return nil, value.problem end
    error(value, 0)
  end
  if next_at <= #text then return nil, ("the text goes on at byte %d"):format(next_at) end
  return value
end

return M
