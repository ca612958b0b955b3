--- Metrics (`cdl.metrics`): what is shown and logged while a model trains and is evaluated.
local Metric = require "cdl.metrics.metric"
local auc = require "cdl.metrics.auc"
local class = require "cdl.class"
local confusion = require "cdl.metrics.confusion"
local core = require "cdl.core"
local iou = require "cdl.metrics.iou"
local losses = require "cdl.losses"
local mean = require "cdl.metrics.mean"
local reduction = require "cdl.losses.reduction"
local registry = require "cdl.registry"
local scores = require "cdl.metrics.scores"
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

local function number_tensor(x)
  return (type(x) == "number" or type(x) == "boolean") and core.tensor(x) or x
end

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
    return row.values(number_tensor(y_true), number_tensor(y_pred), args)
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

for _, row in ipairs(LOSSES) do
  local loss_class = losses[row[1]]
  local name = loss_class.default_name
  define { class = row[1], name = name, aliases = table.move(row, 2, #row, 1, {}),
    rows = without_reduction(loss_class.signature), doc = "Mean over samples: " .. loss_class.doc,
    fn = losses[name], values = loss_class.values, direction = "min" }
end

define { class = "LogCoshError", name = "log_cosh", default_name = "logcosh", aliases = { "logcosh" },
  doc = "Mean over samples: " .. losses.LogCosh.doc, fn = losses.log_cosh,
  values = losses.LogCosh.values, direction = "min" }

define { class = "CosineSimilarity", name = "cosine_similarity",
  rows = { { "axis", "axis", -1, doc = "the axis of the vectors" } },
  doc = "Mean over samples of the cosine of the angle between y_true and y_pred.",
  values = function(t, p, args) return -losses.CosineSimilarity.values(t, p, args) end }

for _, name in ipairs { "PearsonCorrelation", "ConcordanceCorrelation" } do
  local coefficient = name == "PearsonCorrelation" and scores.pearson or scores.concordance
  define { class = name, name = registry.snake_case(name),
    rows = { { "axis", "axis", -1, doc = "the axis along which labels and predictions are compared" } },
    doc = name == "PearsonCorrelation" and "Mean over samples of Pearson's correlation of y_true and y_pred."
      or "Mean over samples of Lin's concordance correlation of y_true and y_pred.",
    values = function(t, p, args)
      return coefficient(reduction.cast(t, "float32"), reduction.cast(p, "float32"), args.axis)
    end }
end

-- ---- metrics with more state than a mean ----

for _, cls in ipairs {
  scores.RootMeanSquaredError, scores.FBetaScore, scores.F1Score, scores.R2Score,
  confusion.TruePositives, confusion.TrueNegatives, confusion.FalsePositives, confusion.FalseNegatives,
  confusion.Precision, confusion.Recall, auc.AUC,
  auc.SensitivityAtSpecificity, auc.SpecificityAtSensitivity, auc.PrecisionAtRecall, auc.RecallAtPrecision,
  iou.IoU, iou.MeanIoU, iou.BinaryIoU, iou.OneHotIoU, iou.OneHotMeanIoU,
} do add(cls, cls.default_name) end

-- ---- finding a metric ----

local BY_SHAPES = { accuracy = "accuracy", acc = "accuracy", crossentropy = "crossentropy", ce = "crossentropy" }

--- Raises, with a suggestion, unless there is a metric of that name.
function M.check_name(name)
  if not BY_SHAPES[name:lower()] then all:find(name) end
end

-- A class or object for a name, and the name as it was typed.
local function resolve(identifier, y_true, y_pred)
  local typed = type(identifier) == "string" and identifier or nil
  local by_shapes = typed and BY_SHAPES[typed:lower()]
  if by_shapes then
    if not (y_true and y_pred) then
      core.raise(("which metric '%s' is depends on the shapes of y_true and y_pred"):format(typed))
    end
    identifier = losses.kind_by_shapes(y_true, y_pred) .. "_" .. by_shapes
  end
  if typed then return all:find(identifier), typed end
  return class_of_function[identifier] or identifier
end

-- A metric of a function that is not one of ours.
local function wrap(f)
  local sig = signature.of(f)
  local metric = mean.MeanMetricWrapper { f, name = sig and sig.name or "metric" }
  if losses.class_of(f) then metric.direction = "min" end
  return metric
end

--- The metric that is meant by a name, a metric, its class or a function, and its key in the logs.
-- y_true and y_pred (tensors, or tables with their shape) tell which one "accuracy" is.
function M.get(identifier, y_true, y_pred)
  local found, typed = resolve(identifier, y_true, y_pred)
  local metric
  if typed then
    metric = found { name = typed }
  else
    metric = all:get(found)
    if metric == nil then core.raise "metric must be a name, an object or a function, got nil" end
    if not class.is(metric, Metric) then metric = wrap(metric) end
  end
  -- Some metrics have a state for each column of the predictions.
  if metric.build and y_true and y_pred then metric:build(y_true.shape, y_pred.shape) end
  return metric, metric.name
end

return M
