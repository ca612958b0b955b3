--- Values as JSON, and JSON as values.
local core = require "cdl.core"
local signature = require "cdl.signature"
local template = require "cdl.template"
local words = require "cdl.words"

local M = {}

local List = { __name = "json.list" }

--- A list that is written as one even when it is empty; `{}` is written as an object.
function M.list(entries) return setmetatable(entries or {}, List) end

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote(text)
  if not utf8.len(text) then core.raise(("json: %q is not UTF-8 text"):format(text)) end
  return '"' .. text:gsub('[%c"\\\127]', function(c)
    return escapes[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

-- JSON has no word for what is no finite number.
local function number_text(x)
  if x ~= x or math.abs(x) == math.huge then return "null" end
  return template.number(x)
end

--- The JSON text of numbers, strings, booleans, cdl.null, lists, and tables by name, whose names come
-- in alphabetical order. nan and infinite numbers become null.
function M.encode(value)
  local kind = type(value)
  if kind == "number" then return number_text(value) end
  if kind == "string" then return quote(value) end
  if kind == "boolean" then return tostring(value) end
  if value == nil or value == signature.null then return "null" end
  local is_list = kind == "table" and getmetatable(value) == List
  if not is_list and not words.is_plain(value) then
    core.raise(("json: %s has no form in JSON"):format(words.describe(value)))
  end
  local parts = {}
  if is_list or #value > 0 then
    for i, entry in ipairs(value) do parts[i] = M.encode(entry) end
    return "[" .. table.concat(parts, ", ") .. "]"
  end
  for i, name in ipairs(words.sorted_keys(value)) do
    parts[i] = quote(name) .. ": " .. M.encode(value[name])
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

--- The value of a JSON text: null becomes cdl.null. nil and the reason, with line and column, when it is
-- none.
function M.decode(text) return core.json_decode(text, signature.null) end

return M
