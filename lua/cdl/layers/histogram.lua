--- Histograms of whole numbers, and what equalization makes of them.
local core = require "cdl.core"
local ops = require "cdl.ops"

local M = {}

local put_along = core.row "put_along"

--- How often each number from 0 below bins stands in each row of places {rows, n} (int64): float32 {rows, bins}.
-- Counted with integers, since float32 ends at 2^24.
function M.counts(places, bins)
  local ones = ops.astype(ops.ge(places, 0), "int64")
  return ops.astype(put_along({ 1, bins }, nil, ones, places), "float32")
end

--- Numbers from 0 to `largest` as places: the parts behind the point are cut off, what lies outside is brought in.
function M.places(x, largest) return ops.astype(ops.floor(ops.clip(x, 0, largest)), "int64") end

return M
