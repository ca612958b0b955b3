--- What compile is given for one or several outputs: a single entry, a list, or a dict by output.
local class = require "cdl.class"
local core = require "cdl.core"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

local function is_identifier(x)
  return type(x) == "string" or type(x) == "function" or class.is_class(x) or class.of(x) ~= nil
end

--- A list or dict by output as a list in the order of the outputs; a single entry is for every
-- output. cdl.null and false stand for nothing.
function M.entries(x, names, what)
  local result = {}
  if x == nil then return result end
  if is_identifier(x) or type(x) == "number" then
    for i = 1, #names do result[i] = x end
    return result
  end
  if not words.is_plain(x) then
    core.raise(("compile: %s must be a name, a function, an object, a list or a dict, got %s"):format(what,
      words.describe(x)))
  end
  local is_dict = type(next(x)) == "string"
  if not is_dict then
    if #x > #names then
      core.raise(("compile: %s has %d entries, the model has %d outputs"):format(what, #x, #names))
    end
    for i = 1, #names do
      if x[i] ~= signature.null then result[i] = x[i] or nil end
    end
    return result
  end
  local place = {}
  for i, name in ipairs(names) do place[name] = i end
  for key, entry in pairs(x) do
    if not place[key] then
      core.raise(("compile: %s names the output '%s', which there is not%s; outputs: %s"):format(what,
        tostring(key), words.suggestion(key, names), table.concat(names, ", ")))
    end
    if entry ~= signature.null then result[place[key]] = entry end
  end
  return result
end

--- Metrics by output: a flat list is for the one output, or for every one.
function M.metrics(x, names, what)
  if is_identifier(x) then
    core.raise(("compile: %s must be a list or dict, got %s; write {%s}"):format(what, words.describe(x),
      words.literal(x)))
  end
  local flat = words.is_plain(x) and (x[1] == nil or is_identifier(x[1])) and type(next(x)) ~= "string"
  if flat then
    local result = {}
    for i = 1, #names do result[i] = x end
    if #names > 1 and #x == #names then
      for i = 1, #names do result[i] = { x[i] } end
    end
    return result
  end
  local result = M.entries(x, names, what)
  for i, entry in pairs(result) do
    if is_identifier(entry) then result[i] = { entry } end
  end
  return result
end

return M
