--- What layers read that learn from data before training: adapt(data).
local class = require "cdl.class"
local core = require "cdl.core"
local words = require "cdl.words"

local M = {}

local BATCH = 256 -- samples at a time, of a dataset that gives them one by one

local function fail(layer, data)
  core.raise(("layer '%s': adapt wants a tensor, a table of numbers, a list of batches or a Dataset, got %s"):format(
    layer.name, words.describe(data)))
end

--- A function that gives one batch (a tensor) after the other, nil at the end. data: a tensor, tables of
-- numbers, a list of tensors (batches), or a Dataset, of whose elements x counts.
function M.batches(layer, data)
  local Dataset = require "cdl.data.dataset"
  if class.is(data, Dataset) then
    local elements = (data.parts.rows and data:batch(BATCH) or data):iterate()
    return function()
      local x = elements()
      if x ~= nil and not core.is_tensor(x) then fail(layer, x) end
      return x
    end
  end
  local list = { data }
  if words.is_plain(data) then
    if #data == 0 then fail(layer, data) end
    list = core.is_tensor(data[1]) and data or { core.tensor(data) }
  end
  local i = 0
  return function()
    i = i + 1
    if list[i] ~= nil and not (core.is_tensor(list[i]) and list[i].kind == "eager") then fail(layer, list[i]) end
    return list[i]
  end
end

--- Calls f with every string in nested tables; anything else raises.
function M.each_string(layer, data, f)
  if type(data) == "string" then return f(data) end
  if not words.is_plain(data) then
    core.raise(("layer '%s' wants strings, in tables, got %s"):format(layer.name, words.describe(data)))
  end
  for i = 1, #data do M.each_string(layer, data[i], f) end
end

return M
