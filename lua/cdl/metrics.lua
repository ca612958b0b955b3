--- Metrics (`cdl.metrics`): what is shown and logged while a model trains and is evaluated.
local Metric = require "cdl.metrics.metric"
local class = require "cdl.class"
local core = require "cdl.core"
local losses = require "cdl.losses"
local mean = require "cdl.metrics.mean"
local registry = require "cdl.registry"
local signature = require "cdl.signature"

local M = {}

M.Metric, M.Mean, M.Sum, M.MeanMetricWrapper = Metric, mean.Mean, mean.Sum, mean.MeanMetricWrapper

--- The metric whose result() gave exactly this tensor, else nil.
M.result_of = Metric.result_of

local all = registry.new("metric", Metric)
local class_of_function = {}

--- Adds a metric class to cdl.metrics, under its name, that in snake case, and further names.
local function add(cls, ...)
  M[class.name_of(cls)] = all:add(cls, ...)
  return cls
end
add(M.Mean)
add(M.Sum)

local y_true_row = { "y_true", "operand", required = true, doc = "labels" }
local y_pred_row = { "y_pred", "operand", required = true, doc = "predictions" }

-- Adds a mean of a function: row has class, name, rows of own arguments, doc, aliases,
-- values(y_true, y_pred, args) per sample, direction ("max" if left out). The function is public too.
local function define(row)
  local own = row.rows or {}
  local cls = mean.MeanOfValues:extend(row.class)
  cls.doc, cls.signature = row.doc, own
  cls.default_name, cls.direction = row.default_name or row.name, row.direction or "max"
  function cls:values(y_true, y_pred) return row.values(y_true, y_pred, self.args) end
  add(cls, row.name, table.unpack(row.aliases or {}))
  local rows = { y_true_row, y_pred_row }
  for i, one in ipairs(own) do rows[i + 2] = one end
  local f = row.fn or signature.fn(row.name, rows, row.doc, function(y_true, y_pred, ...)
    local args = {}
    for i, one in ipairs(own) do args[one[1]] = (select(i, ...)) end
    return row.values(y_true, y_pred, args)
  end)
  M[row.name], class_of_function[f] = f, cls
  for _, alias in ipairs(row.aliases or {}) do M[alias] = f end
end

require "cdl.metrics.accuracy"(define)

-- ---- the losses as metrics ----

local LOSSES = {
  { "MeanSquaredError", "mse", "MSE" }, { "MeanAbsoluteError", "mae", "MAE" },
  { "MeanAbsolutePercentageError", "mape", "MAPE" }, { "MeanSquaredLogarithmicError", "msle", "MSLE" },
  { "Hinge" }, { "SquaredHinge" }, { "CategoricalHinge" }, { "KLDivergence", "kld", "KLD" }, { "Poisson" },
  { "BinaryCrossentropy", "bce", "BCE" }, { "CategoricalCrossentropy", "cce" }, { "SparseCategoricalCrossentropy" },
}

-- Arguments of the loss that are no metric's: how it is reduced.
local function without_reduction(rows)
  local own = {}
  for _, row in ipairs(rows) do
    if row[1] ~= "reduction" and row[1] ~= "name" then own[#own + 1] = row end
  end
  return own
end

local function loss_values(loss_class)
  return function(t, p, args)
    local values, mask = loss_class.values(t, p, args)
    return values, mask
  end
end

for _, row in ipairs(LOSSES) do
  local loss_class = losses[row[1]]
  local name = loss_class.default_name
  define { class = row[1], name = name, aliases = table.move(row, 2, #row, 1, {}),
    rows = without_reduction(loss_class.signature), doc = "Mean over samples: " .. loss_class.doc,
    fn = losses[name], values = loss_values(loss_class), direction = "min" }
end

define { class = "LogCoshError", name = "log_cosh", default_name = "logcosh", aliases = { "logcosh" },
  doc = "Mean over samples: " .. losses.LogCosh.doc, fn = losses.log_cosh,
  values = loss_values(losses.LogCosh), direction = "min" }

define { class = "CosineSimilarity", name = "cosine_similarity",
  rows = { { "axis", "axis", -1, doc = "the axis of the vectors" } },
  doc = "Mean over samples of the cosine of the angle between y_true and y_pred.",
  values = function(t, p, args) return -losses.CosineSimilarity.values(t, p, args) end }

-- ---- finding a metric ----

local BY_SHAPES = { accuracy = "accuracy", acc = "accuracy", crossentropy = "crossentropy", ce = "crossentropy" }

--- Raises, with a suggestion, unless there is a metric of that name.
function M.check_name(name)
  if not BY_SHAPES[name:lower()] then all:find(name) end
end

--- The metric that is meant by a name, a metric, its class or a function, and its key in the logs.
-- y_true and y_pred (tensors, or tables with their shape) tell which one "accuracy" is.
function M.get(identifier, y_true, y_pred)
  local typed = type(identifier) == "string" and identifier or nil
  local by_shapes = typed and BY_SHAPES[typed:lower()]
  if by_shapes then
    if not (y_true and y_pred) then
      core.raise(("which metric '%s' is depends on the shapes of y_true and y_pred"):format(typed))
    end
    identifier = losses.kind_by_shapes(y_true, y_pred) .. "_" .. by_shapes
  elseif class_of_function[identifier] then
    identifier = class_of_function[identifier]
  end
  local cls = type(identifier) == "string" and all:find(identifier)
  if cls then
    local metric = cls { name = typed }
    return metric, typed
  end
  local metric = all:get(identifier)
  if metric ~= nil and not class.is(metric, Metric) then
    local sig = signature.of(metric)
    metric = mean.MeanMetricWrapper { metric, name = sig and sig.name or "metric" }
  end
  if metric == nil then core.raise "metric must be a name, an object or a function, got nil" end
  return metric, metric.name
end

return M
