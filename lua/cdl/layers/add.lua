--- Add: the sum of a list of tensors.
local Merge = require "cdl.layers.merge"
local ops = require "cdl.ops"

local Add = Merge:extend "Add"
Add.doc = "The sum of a list of tensors; shapes broadcast."

function Add.combine(a, b) return ops.add(a, b) end

return Add
