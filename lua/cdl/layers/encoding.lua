--- How integers (from 0) become rows of numbers: what CategoryEncoding, Discretization and the lookups share.
local core = require "cdl.core"
local ops = require "cdl.ops"

local M = {}

M.sparse_row = { "sparse", "boolean", false, doc = "false: there are no sparse tensors" }

--- Refuses sparse = true.
function M.check_sparse(class_name, args)
  if args.sparse then core.raise(("%s: sparse must be false: there are no sparse tensors"):format(class_name)) end
end

local put_along = core.row "put_along"

--- x, integers from 0 below depth, in a mode: "int" as they are; "one_hot" a row of depth numbers for each
-- (a last axis of size 1 becomes it); "multi_hot" and "count" one row for the last axis. weights, of x's
-- shape, are what each counts.
function M.encode(x, mode, depth, weights)
  if mode == "int" then return x end
  if x.ndim == 0 then x = ops.reshape(x, { 1 }) end
  local shape = x.shape
  if mode == "one_hot" then
    if #shape > 1 and shape[#shape] == 1 then x = ops.squeeze(x, -1) end
    return ops.one_hot(x, depth)
  end
  local last = shape[#shape]
  if weights == nil then weights = ops.ge(x, 0) end -- 1 for each that is no error
  -- How often each number stands in each row, each time counted as its weight.
  local y = put_along({ 1, depth }, nil, ops.reshape(ops.astype(weights, "float32"), { -1, last }),
    ops.reshape(ops.astype(x, "int64"), { -1, last }))
  if mode == "multi_hot" then y = ops.minimum(y, 1) end
  shape[#shape] = depth
  return ops.reshape(y, shape)
end

return M
