--- Average: the mean of a list of tensors.
local Merge = require "cdl.layers.merge"
local ops = require "cdl.ops"

local Average = Merge:extend "Average"
Average.doc = "The elementwise mean of a list of tensors; shapes broadcast."

function Average.combine(a, b) return ops.add(a, b) end

function Average:call(x) return Merge.call(self, x) / #x end

return Average
