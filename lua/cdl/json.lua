--- Values as JSON.
local core = require "cdl.core"
local signature = require "cdl.signature"
local template = require "cdl.template"
local words = require "cdl.words"

local M = {}

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote(text)
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
  if not words.is_plain(value) then
    core.raise(("json: %s has no form in JSON"):format(words.describe(value)))
  end
  local parts = {}
  if #value > 0 then
    for i, entry in ipairs(value) do parts[i] = M.encode(entry) end
    return "[" .. table.concat(parts, ", ") .. "]"
  end
  for i, name in ipairs(words.sorted_keys(value)) do
    parts[i] = quote(name) .. ": " .. M.encode(value[name])
  end
  return "{" .. table.concat(parts, ", ") .. "}"
end

return M
