--- Functions that make a merging layer and call it on a list of tensors: `layers.add{a, b}`.
local M = {}

for _, name in ipairs { "add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract" } do
  local Class = require("cdl.layers." .. name)
  M[name] = function(list, args) return Class(args or {})(list) end
end

return M
