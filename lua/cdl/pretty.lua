--- Values as the prompt shows them: readable, and bounded whatever is in them.
local class = require "cdl.class"
local words = require "cdl.words"

local M = {}

local WIDTH, DEPTH, ENTRIES, TEXT = 88, 4, 40, 2000

local function is_identifier(key)
  return type(key) == "string" and key:find "^[%a_][%w_]*$" ~= nil
end

-- Numbers first, then strings, then the rest by their text.
local ranks = { number = 1, string = 2 }
local function comes_before(a, b)
  local rank_a, rank_b = ranks[type(a)] or 3, ranks[type(b)] or 3
  if rank_a ~= rank_b then return rank_a < rank_b end
  if rank_a < 3 then return a < b end
  return tostring(a) < tostring(b)
end

local function cut(text, length)
  if #text <= length then return text end
  return ("%s... (%d more bytes)"):format(text:sub(1, length), #text - length)
end

-- One line if it fits. Else the list's entries, if they are short, fill lines, and each of the
-- others has its own.
local function layout(parts, listed, indent)
  local longest, width, inner = 0, #indent, indent .. "  "
  for i, part in ipairs(parts) do
    local length = part:find("\n", 1, true) and WIDTH or #part
    width = width + length + 2
    if i <= listed then longest = math.max(longest, length) end
  end
  if width <= WIDTH then return "{" .. table.concat(parts, ", ") .. "}" end
  local lines, filled = {}, 0
  for i, part in ipairs(parts) do
    local fits = i > 1 and i <= listed and longest <= 24 and filled + #part + 3 <= WIDTH
    if fits then
      lines[#lines] = lines[#lines] .. " " .. part .. ","
      filled = filled + #part + 2
    else
      lines[#lines + 1] = inner .. part .. ","
      filled = #inner + #part + 1
    end
  end
  lines[#lines] = lines[#lines]:sub(1, -2)
  return "{\n" .. table.concat(lines, "\n") .. "\n" .. indent .. "}"
end

local write

local function write_table(value, depth, indent, seen)
  if next(value) == nil then return "{}" end
  if seen[value] then return "{... itself}" end
  if depth == 0 then return "{...}" end
  seen[value] = true
  local keys, parts, listed = {}, {}, #value
  for key in pairs(value) do
    if not (math.type(key) == "integer" and key >= 1 and key <= listed) then keys[#keys + 1] = key end
  end
  table.sort(keys, comes_before)
  local inner = indent .. "  "
  for i = 1, math.min(listed, ENTRIES) do parts[i] = write(value[i], depth - 1, inner, seen) end
  for i = 1, math.min(#keys, ENTRIES - #parts) do
    local key = keys[i]
    local name = is_identifier(key) and key or ("[%s]"):format(write(key, 1, inner, seen))
    parts[#parts + 1] = name .. " = " .. write(value[key], depth - 1, inner, seen)
  end
  local left = listed + #keys - #parts
  if left > 0 then parts[#parts + 1] = ("... (%d more)"):format(left) end
  seen[value] = nil
  return layout(parts, math.min(listed, ENTRIES), indent)
end

function write(value, depth, indent, seen)
  if type(value) == "string" then
    return cut((("%q"):format(value):gsub("\\\n", "\\n")), 200)
  elseif words.is_plain(value) then
    return write_table(value, depth, indent, seen)
  end
  return (tostring(value):gsub("\n", "\n" .. indent))
end

--- The text of one value: strings as they are, tables by their contents, the rest by tostring.
function M.show(value)
  if type(value) == "string" then return cut(value, TEXT) end
  if words.is_plain(value) then return write_table(value, DEPTH, "", {}) end
  local text = tostring(value)
  local owner = class.of(value)
  if owner and type(owner.summary) == "function" then
    text = text .. "  (its :summary() shows the layers)"
  end
  return text
end

return M
