--- Losses (`cdl.losses`): what training minimises.
--
-- A loss is called as `loss(y_true, y_pred, sample_weight)` and gives a scalar. Its values per
-- sample come from `call(y_true, y_pred)`; weights, the mask of y_pred and the reduction are the
-- base class's. Each is also a function without reduction: `losses.mean_squared_error(t, p)`.
local Configured = require "cdl.configured"
local class = require "cdl.class"
local core = require "cdl.core"
local ops = require "cdl.ops"
local reduction = require "cdl.losses.reduction"
local registry = require "cdl.registry"
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"
local words = require "cdl.words"

local M = {}

--- Base class: a subclass defines `call(self, y_true, y_pred)`, a tensor of values per sample.
local Loss = Configured:extend "Loss"
M.Loss = Loss

Loss.doc = "Base class of losses: a subclass defines call(self, y_true, y_pred)."
Loss.base_arguments = {
  reduction.row,
  { "name", "string", doc = "for messages; from the class if left out" },
  { "dtype", "dtype", "float32", doc = "what labels and predictions are cast to" },
}

function Loss:new(...)
  local args = self:read_arguments(...)
  local loss = setmetatable({}, self)
  rawset(loss, "args", args)
  rawset(loss, "name", args.name or self.default_name or registry.snake_case(class.name_of(self)))
  rawset(loss, "dtype", args.dtype)
  rawset(loss, "reduction", args.reduction or "none") -- cdl.null is Keras's None
  if self.init then loss:init(args) end
  return loss
end

--- The arguments from which an equal loss can be made, by name.
function Loss:get_config()
  local config = Configured.get_config(self)
  config.name, config.reduction = self.name, self.reduction
  return config
end

-- Nested tables of numbers become tensors; numbers stay, each loss knows what they stand for.
local function as_operand(x, what, loss)
  if words.is_plain(x) then return core.tensor(x) end
  if core.is_tensor(x) or core.is_variable(x) or type(x) == "number" or type(x) == "boolean" then return x end
  return core.raise(("%s: %s must be a tensor, got %s"):format(loss.name, what, words.describe(x)))
end

local function evaluate(loss, y_true, y_pred, sample_weight)
  y_true, y_pred = as_operand(y_true, "y_true", loss), as_operand(y_pred, "y_pred", loss)
  if type(y_pred) == "number" then y_pred = core.tensor(y_pred) end
  local mask = core.is_tensor(y_pred) and y_pred.mask or nil
  local dtype = loss.dtype
  if type(y_true) ~= "number" and not loss.keeps_labels then y_true = reduction.cast(y_true, dtype) end
  local values, own_mask = loss:call(y_true, reduction.cast(y_pred, dtype))
  if not (core.is_tensor(values) or core.is_variable(values)) then
    core.raise(("loss '%s' must return a tensor, got %s"):format(loss.name, words.describe(values)))
  end
  if own_mask then
    mask = mask and ops.logical_and(reduction.align(mask, values, "the mask"), own_mask) or own_mask
  end
  if words.is_plain(sample_weight) then sample_weight = core.tensor(sample_weight) end
  return reduction.reduce(values, sample_weight, mask, loss.reduction, dtype)
end

--- The loss of a batch: a scalar unless the reduction is "none".
function Loss:__call(y_true, y_pred, sample_weight)
  if symbol.any(y_true, y_pred, sample_weight) then
    return symbol.record(function(...) return evaluate(self, ...) end, { name = self.name },
      y_true, y_pred, sample_weight)
  end
  return evaluate(self, y_true, y_pred, sample_weight)
end

-- ---- the losses by name ----

local all = registry.new("loss", Loss)
local class_of_function = {}

local y_true_row = { "y_true", "operand", required = true, doc = "labels" }
local y_pred_row = { "y_pred", "operand", required = true, doc = "predictions" }

-- The public function: values per sample.
local function new_function(row)
  local own = row.function_rows or row.rows or {}
  local rows, record = { y_true_row, y_pred_row }, { name = row.name }
  for i, one in ipairs(own) do rows[i + 2] = one end
  local function body(y_true, y_pred, ...)
    local args = {}
    for i, one in ipairs(own) do args[one[1]] = (select(i, ...)) end
    if type(y_pred) == "number" or type(y_pred) == "boolean" then y_pred = core.tensor(y_pred) end
    if type(y_true) == "boolean" then y_true = core.tensor(y_true) end
    return (row.body(y_true, y_pred, args))
  end
  return signature.fn(row.name, rows, row.doc, function(y_true, y_pred, ...)
    if symbol.any(y_true, y_pred) then return symbol.record(body, record, y_true, y_pred, ...) end
    return body(y_true, y_pred, ...)
  end)
end

-- Adds a loss: row has class, name (of the function), body(y_true, y_pred, args) -> values [, mask],
-- rows of own arguments, function_rows where the function's differ, aliases, doc.
local function define(row)
  local cls = Loss:extend(row.class)
  cls.doc, cls.signature = row.doc, row.rows or {}
  cls.default_name = row.default_name or row.name
  cls.keeps_labels = row.keeps_labels
  cls.values = row.body
  function cls:call(y_true, y_pred) return row.body(y_true, y_pred, self.args) end
  local f = new_function(row)
  M[row.class], M[row.name] = cls, f
  for _, alias in ipairs(row.aliases or {}) do M[alias] = f end
  all:add(cls, row.name, table.unpack(row.aliases or {}))
  class_of_function[f] = cls
end

require "cdl.losses.regression"(define)
require "cdl.losses.crossentropy"(define)
require "cdl.losses.sequence"(define)
require "cdl.losses.similarity"(define)

-- ---- finding a loss ----

-- A plain function as a loss: averaged over what it returns.
local FunctionLoss = Loss:extend "FunctionLoss"
FunctionLoss.signature = { { "fn", "function", required = true, doc = "(y_true, y_pred) -> tensor" } }
FunctionLoss.default_name = "loss"
function FunctionLoss:call(y_true, y_pred)
  local values = self.args.fn(y_true, y_pred)
  return type(values) == "number" and core.tensor(values) or values
end

local by_function = setmetatable({}, { __mode = "k" })

--- Which crossentropy or accuracy fits: "binary", "sparse_categorical" or "categorical".
function M.kind_by_shapes(y_true, y_pred)
  local true_shape, pred_shape = y_true.shape, y_pred.shape
  local classes = pred_shape[#pred_shape]
  if #pred_shape == 0 or classes == 1 then return "binary" end
  if #true_shape < #pred_shape or (true_shape[#true_shape] == 1 and classes > 1) then
    return "sparse_categorical"
  end
  return "categorical"
end

local BY_SHAPES = { crossentropy = true, ce = true }

--- Raises, with a suggestion, unless there is a loss of that name.
function M.check_name(name)
  if not BY_SHAPES[name:lower()] then all:find(name) end
end

--- The loss that is meant by a name, a loss, its class or a function. y_true and y_pred (tensors, or
-- tables with their shape) tell which one "crossentropy" is.
function M.get(identifier, y_true, y_pred)
  if type(identifier) == "string" and BY_SHAPES[identifier:lower()] then
    if not (y_true and y_pred) then
      core.raise(("which loss '%s' is depends on the shapes of y_true and y_pred"):format(identifier))
    end
    identifier = M.kind_by_shapes(y_true, y_pred) .. "_crossentropy"
  elseif class_of_function[identifier] then
    identifier = class_of_function[identifier]
  end
  local loss = all:get(identifier)
  if loss == nil or class.is(loss, Loss) then return loss end
  if not by_function[loss] then by_function[loss] = FunctionLoss(loss) end
  return by_function[loss]
end

--- The class of one of these functions; nil for any other.
function M.class_of(f) return class_of_function[f] end

return M
