--- Maximum: the largest of a list of tensors.
local Merge = require "cdl.layers.merge"
local ops = require "cdl.ops"

local Maximum = Merge:extend "Maximum"
Maximum.doc = "The elementwise maximum of a list of tensors; shapes broadcast."

function Maximum.combine(a, b) return ops.maximum(a, b) end

return Maximum
