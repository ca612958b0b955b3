--- Word indexes: JSON files that give each word its rank, 1 being the most frequent.
local core = require "cdl.core"
local find = require "cdl.datasets.find"
local json = require "cdl.json"
local signature = require "cdl.signature"

local M = {}

local function read(name, path)
  local file, message = io.open(path, "rb")
  local index
  if file then
    index, message = json.decode(file:read "a")
    file:close()
    if index == nil then message = path .. ": " .. message end
  end
  if index == nil then core.raise(("%s: %s"):format(name, message)) end
  for word, rank in pairs(type(index) == "table" and index or { "?" }) do
    if type(word) ~= "string" or math.type(rank) ~= "integer" then
      core.raise(("%s: %s: wanted an object with a number for each word"):format(name, path))
    end
  end
  return index
end

--- The function get_word_index of the data set of that name.
function M.loader(name, file, get)
  return signature.fn("get_word_index", {
    { "path", "string", file, doc = "name of the file" },
  }, "The ranks of words by word. The numbers in the texts are higher by index_from, which is 3.", function(path)
    local paths = find.paths { name = name, folders = { name }, flat = function() return true end, get = get,
      forms = { { files = { path } } } }
    return read(name, paths[1])
  end)
end

return M
