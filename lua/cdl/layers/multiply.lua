--- Multiply: the product of a list of tensors.
local Merge = require "cdl.layers.merge"
local ops = require "cdl.ops"

local Multiply = Merge:extend "Multiply"
Multiply.doc = "The elementwise product of a list of tensors; shapes broadcast."

function Multiply.combine(a, b) return ops.mul(a, b) end

return Multiply
