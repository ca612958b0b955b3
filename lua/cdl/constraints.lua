--- Constraints (`cdl.constraints`): functions of a weight that are applied after each update.
--
-- The norm is the L2 norm over `axis`, from 1: for Dense's kernel {features, units}, axis 1 is the
-- vector that comes into each unit; for Conv2D's, use {1, 2, 3}.
local Configured = require "cdl.configured"
local core = require "cdl.core"
local ops = require "cdl.ops"
local registry = require "cdl.registry"
local signature = require "cdl.signature"

local M = {}

local EPSILON = 1e-7

--- Base class: a subclass defines `call(self, w)`, a tensor of the same shape.
local Constraint = Configured:extend "Constraint"
M.Constraint = Constraint

local call_signature = signature.new("constraint", { { "w", "operand", required = true } })

function Constraint:__call(...)
  local w = call_signature:read(...).w
  return self:call(type(w) == "number" and core.tensor(w) or w)
end

local all = registry.new("constraint", Constraint)

local axis_row = { "axis", "axes", 1, doc = "axes over which the norm is taken, from 1" }

local function norm_of(w, axis) return ops.sqrt(ops.sum(ops.square(w), axis, true)) end

M.MaxNorm = Constraint:extend "MaxNorm"
M.MaxNorm.doc = "Scales vectors whose norm is above max_value down to it."
M.MaxNorm.signature = {
  { "max_value", "number", 2, min = 0, doc = "largest norm" },
  axis_row,
}
function M.MaxNorm:call(w)
  local norm = norm_of(w, self.args.axis)
  return w * (ops.clip(norm, 0, self.args.max_value) / (norm + EPSILON))
end
all:add(M.MaxNorm)

M.NonNeg = Constraint:extend "NonNeg"
M.NonNeg.doc = "Sets negative weights to 0."
M.NonNeg.signature = {}
function M.NonNeg:call(w) return ops.relu(w) end
all:add(M.NonNeg)

M.UnitNorm = Constraint:extend "UnitNorm"
M.UnitNorm.doc = "Scales vectors to norm 1."
M.UnitNorm.signature = { axis_row }
function M.UnitNorm:call(w) return w / (norm_of(w, self.args.axis) + EPSILON) end
all:add(M.UnitNorm)

M.MinMaxNorm = Constraint:extend "MinMaxNorm"
M.MinMaxNorm.doc = "Draws vectors' norms into [min_value, max_value]."
M.MinMaxNorm.signature = {
  { "min_value", "number", 0, min = 0, doc = "smallest norm" },
  { "max_value", "number", 1, min = 0, doc = "largest norm" },
  { "rate", "number", 1, above = 0, max = 1, doc = "part of the way that one update goes; 1: all of it" },
  axis_row,
}
function M.MinMaxNorm:init(args)
  if args.min_value > args.max_value then
    core.raise(("MinMaxNorm: min_value (%g) is above max_value (%g)"):format(args.min_value, args.max_value))
  end
end
function M.MinMaxNorm:call(w)
  local args = self.args
  local norm = norm_of(w, args.axis)
  local wanted = ops.clip(norm, args.min_value, args.max_value) * args.rate + norm * (1 - args.rate)
  return w * (wanted / (norm + EPSILON))
end
all:add(M.MinMaxNorm)

-- Keras's spellings of the classes as functions.
M.max_norm, M.non_neg, M.unit_norm, M.min_max_norm = M.MaxNorm, M.NonNeg, M.UnitNorm, M.MinMaxNorm

--- The constraint that is meant by a name, an object or a function of a tensor; nil for nil.
function M.get(identifier) return all:get(identifier) end

return M
