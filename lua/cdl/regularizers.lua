--- Regularizers (`cdl.regularizers`): penalties on weights or outputs, added to the loss.
local Configured = require "cdl.configured"
local core = require "cdl.core"
local ops = require "cdl.ops"
local registry = require "cdl.registry"
local signature = require "cdl.signature"

local M = {}

--- Base class: a subclass defines `call(self, x)`, a scalar tensor for a tensor.
local Regularizer = Configured:extend "Regularizer"
M.Regularizer = Regularizer

local call_signature = signature.new("regularizer", { { "x", "operand", required = true } })

function Regularizer:__call(...)
  local x = call_signature:read(...).x
  return self:call(type(x) == "number" and core.tensor(x) or x)
end

local all = registry.new("regularizer", Regularizer)

local function finite_row(name, default, doc)
  return { name, "number", default, min = 0, below = math.huge, doc = doc }
end

-- What a factor of 0 adds is left out of the graph.
local function absolute(x, factor) return ops.sum(ops.abs(x)) * factor end
local function squares(x, factor) return ops.sum(ops.square(x)) * factor end

M.L1 = Regularizer:extend "L1"
M.L1.doc = "l1 sum(|x|)."
M.L1.signature = { finite_row("l1", 0.01, "factor") }
function M.L1:call(x) return absolute(x, self.args.l1) end
all:add(M.L1)

M.L2 = Regularizer:extend "L2"
M.L2.doc = "l2 sum(x^2)."
M.L2.signature = { finite_row("l2", 0.01, "factor") }
function M.L2:call(x) return squares(x, self.args.l2) end
all:add(M.L2)

M.L1L2 = Regularizer:extend "L1L2"
M.L1L2.doc = "l1 sum(|x|) + l2 sum(x^2)."
M.L1L2.signature = {
  finite_row("l1", 0, "factor of the absolute values"),
  finite_row("l2", 0, "factor of the squares"),
}
function M.L1L2:call(x)
  local l1, l2 = self.args.l1, self.args.l2
  if l1 == 0 and l2 == 0 then return core.tensor(0) end
  if l1 == 0 then return squares(x, l2) end
  if l2 == 0 then return absolute(x, l1) end
  return absolute(x, l1) + squares(x, l2)
end
all:add(M.L1L2, "l1l2")

M.OrthogonalRegularizer = Regularizer:extend "OrthogonalRegularizer"
M.OrthogonalRegularizer.doc = "Draws the rows (or columns) of a matrix towards being orthogonal: "
  .. "factor times the mean |cosine| of all pairs of them."
M.OrthogonalRegularizer.signature = {
  finite_row("factor", 0.01, "factor"),
  { "mode", { "rows", "columns" }, "rows", doc = "what shall be orthogonal" },
}
function M.OrthogonalRegularizer:call(x)
  if x.ndim ~= 2 then
    core.raise(("OrthogonalRegularizer wants a matrix, got shape {%s}"):format(table.concat(x.shape, ", ")))
  end
  local rows = self.args.mode == "rows" and x * 1 or ops.transpose(x)
  local n = rows.shape[1]
  if n < 2 then return core.tensor(0) end
  local norm = ops.sqrt(ops.maximum(ops.sum(ops.square(rows), 2, true), 1e-12))
  rows = rows / norm
  local cosines = ops.matmul(rows, ops.transpose(rows)) * (1 - ops.eye(n))
  return ops.sum(ops.abs(cosines)) * (0.5 * self.args.factor / (n * (n - 1) / 2))
end
all:add(M.OrthogonalRegularizer)

-- Keras's spellings of the classes as functions.
M.l1, M.l2, M.l1_l2, M.orthogonal_regularizer = M.L1, M.L2, M.L1L2, M.OrthogonalRegularizer

--- The regularizer that is meant by a name, an object or a function of a tensor; nil for nil.
function M.get(identifier) return all:get(identifier) end

return M
