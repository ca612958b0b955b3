--- Subtract: the difference of two tensors.
local Merge = require "cdl.layers.merge"
local ops = require "cdl.ops"

local Subtract = Merge:extend "Subtract"
Subtract.doc = "The difference of two tensors, first minus second; shapes broadcast."

Subtract.least, Subtract.most = 2, 2

function Subtract.combine(a, b) return ops.sub(a, b) end

return Subtract
