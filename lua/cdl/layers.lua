--- The layers (`cdl.layers`): one file and one row each, loaded when first used.
local M = {}

local files = {
  Activation = "activation",
  BatchNormalization = "batch_normalization",
  Dense = "dense",
  Dropout = "dropout",
  Flatten = "flatten",
  Lambda = "lambda",
  Reshape = "reshape",
}

--- Names of all layers, in alphabetical order.
function M.names()
  local names = { "Input", "Layer" }
  for name in pairs(files) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function find(_, name)
  local value
  if files[name] then value = require("cdl.layers." .. files[name])
  elseif name == "Input" then value = require "cdl.input".Input
  elseif name == "InputLayer" then value = require "cdl.input".InputLayer
  elseif name == "Layer" then value = require "cdl.layer"
  end
  M[name] = value
  return value
end

local function each(t, key)
  local names = M.names()
  local index = 1
  if key then
    while names[index] ~= key do index = index + 1 end
    index = index + 1
  end
  if names[index] then return names[index], t[names[index]] end
end

return setmetatable(M, { __index = find, __pairs = function(t) return each, t end })
