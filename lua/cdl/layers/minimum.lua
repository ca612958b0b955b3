--- Minimum: the smallest of a list of tensors.
local Merge = require "cdl.layers.merge"
local ops = require "cdl.ops"

local Minimum = Merge:extend "Minimum"
Minimum.doc = "The elementwise minimum of a list of tensors; shapes broadcast."

function Minimum.combine(a, b) return ops.minimum(a, b) end

return Minimum
