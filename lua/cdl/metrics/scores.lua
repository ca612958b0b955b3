--- F-scores, R squared and root mean square: metrics that are more than a mean over samples.
local Metric = require "cdl.metrics.metric"
local core = require "cdl.core"
local losses = require "cdl.losses"
local mean = require "cdl.metrics.mean"
local ops = require "cdl.ops"
local reduction = require "cdl.losses.reduction"

local M = {}

local EPSILON = 1e-7
local divide, braces = reduction.divide, reduction.braces

-- ---- root mean square ----

M.RootMeanSquaredError = mean.Mean:extend "RootMeanSquaredError"
M.RootMeanSquaredError.doc = "The root of the mean of (y_true - y_pred)^2 over everything that was seen."
M.RootMeanSquaredError.signature = {}
M.RootMeanSquaredError.direction = "min"

function M.RootMeanSquaredError:update_state(y_true, y_pred, sample_weight)
  y_true, y_pred = mean.operands(y_true, y_pred)
  mean.Mean.update_state(self, losses.mean_squared_error(y_true, y_pred), sample_weight)
end

function M.RootMeanSquaredError:result() return ops.sqrt(mean.Mean.result(self)) end

-- ---- metrics with one state per column of {rows, columns} ----

local Columns = Metric:extend "Columns"
Columns.direction = "max"

-- Labels and predictions {rows, columns} and weights {rows, 1}.
function Columns:prepare(y_true, y_pred, sample_weight)
  local t, p = mean.operands(y_true, y_pred)
  t, p = reduction.cast(t, "float32"), reduction.cast(p, "float32")
  t, p = reduction.same_rank(t, p)
  if p.ndim == 1 then t, p = ops.expand_dims(t, 2), ops.expand_dims(p, 2) end
  if p.ndim ~= 2 or table.concat(t.shape, ",") ~= table.concat(p.shape, ",") then
    core.raise(("%s: y_true has shape %s, y_pred %s; both must be {rows, columns}"):format(self.name,
      braces(t.shape), braces(p.shape)))
  end
  self:build(t.shape, p.shape)
  if p.shape[2] ~= self.columns then
    core.raise(("%s: y_pred has shape %s, after batches of %d columns"):format(self.name, braces(p.shape),
      self.columns))
  end
  local weights = core.full({ p.shape[1], 1 }, 1, "float32")
  if sample_weight ~= nil then
    weights = reduction.align(mean.as_tensor(sample_weight, "float32"), p, "sample_weight")
  end
  return t, p, weights
end

--- Makes the state, once predictions say how many columns there are.
function Columns:build(_, pred_shape)
  if rawget(self, "columns") then return end
  self.columns = #pred_shape > 1 and pred_shape[#pred_shape] or 1
  for _, name in ipairs(self.state_names) do
    self[name] = self:add_variable { name = name, shape = { self.columns } }
  end
end

local function add(variable, value) core.assign(variable, variable + value) end

-- ---- F-scores ----

M.FBetaScore = Columns:extend "FBetaScore"
M.FBetaScore.doc = "(1 + beta^2) precision recall / (beta^2 precision + recall), for each class or over all of them."
M.FBetaScore.default_name = "fbeta_score"
M.FBetaScore.state_names = { "true_positives", "false_positives", "false_negatives", "intermediate_weights" }
local average_row = { "average", { "micro", "macro", "weighted" },
  doc = "over all counts, over classes, or over classes by their labels; a value for each class if left out" }
local threshold_row = { "threshold", "number", above = 0, max = 1,
  doc = "predictions above it are 1; the row's largest one is if left out" }
M.FBetaScore.signature = { average_row,
  { "beta", "number", 1, above = 0, doc = "how much more recall matters than precision" }, threshold_row }

function M.FBetaScore:update_state(y_true, y_pred, sample_weight)
  local t, p, weights = self:prepare(y_true, y_pred, sample_weight)
  local threshold = self.args.threshold
  if threshold then
    p = ops.gt(p, threshold)
  else
    local is_largest = ops.ge(p, ops.max(p, -1, true))
    p = ops.logical_and(is_largest, ops.gt(ops.abs(p), 1e-9))
  end
  p = ops.astype(p, "float32")
  add(self.true_positives, ops.sum(t * p * weights, 1))
  add(self.false_positives, ops.sum((1 - t) * p * weights, 1))
  add(self.false_negatives, ops.sum(t * (1 - p) * weights, 1))
  add(self.intermediate_weights, ops.sum(t * weights, 1))
end

function M.FBetaScore:result()
  if not rawget(self, "columns") then return core.tensor(0) end
  local average, beta_square = self.args.average, (self.args.beta or 1) ^ 2
  local function total(variable)
    return average == "micro" and ops.sum(variable) or core.read(variable)
  end
  local hits = total(self.true_positives)
  local precision = hits / (hits + total(self.false_positives) + EPSILON)
  local recall = hits / (hits + total(self.false_negatives) + EPSILON)
  local score = precision * recall * (1 + beta_square) / (precision * beta_square + recall + EPSILON)
  if average == "macro" then return ops.mean(score) end
  if average == "weighted" then
    return ops.sum(score * self.intermediate_weights) / (ops.sum(self.intermediate_weights) + EPSILON)
  end
  return score
end

M.F1Score = M.FBetaScore:extend "F1Score"
M.F1Score.doc = "2 precision recall / (precision + recall), for each class or over all of them."
M.F1Score.default_name = "f1_score"
M.F1Score.signature = { average_row, threshold_row }

-- ---- R squared ----

M.R2Score = Columns:extend "R2Score"
M.R2Score.doc = "1 - sum of squared errors / sum of squared distances of labels from their mean: 1 is perfect."
M.R2Score.default_name = "r2_score"
M.R2Score.state_names = { "squared_sum", "sum", "residual", "count" }
M.R2Score.signature = {
  { "class_aggregation", { "uniform_average", "variance_weighted_average" }, "uniform_average", null = true,
    doc = "mean over columns, plain or by variance; cdl.null: a value for each" },
  { "num_regressors", "integer", 0, min = 0, doc = "inputs of the model, to adjust the score by" },
}

function M.R2Score:init()
  self.samples = self:add_variable { name = "num_samples" }
end

function M.R2Score:update_state(y_true, y_pred, sample_weight)
  local t, p, weights = self:prepare(y_true, y_pred, sample_weight)
  weights = ops.broadcast_to(weights, t.shape)
  add(self.sum, ops.sum(t * weights, 1))
  add(self.squared_sum, ops.sum(ops.square(t) * weights, 1))
  add(self.residual, ops.sum(ops.square(t - p) * weights, 1))
  add(self.count, ops.sum(weights, 1))
  add(self.samples, t.shape[1])
end

function M.R2Score:result()
  if not rawget(self, "columns") then return core.tensor(0) end
  local args = self.args
  local total = self.squared_sum - ops.square(self.sum) / self.count
  local raw = 1 - self.residual / total
  local score = ops.where(ops.isinf(raw), 0, raw)
  if args.class_aggregation == "uniform_average" then
    score = ops.mean(score)
  elseif args.class_aggregation == "variance_weighted_average" then
    score = ops.sum(total * score) / ops.sum(total)
  end
  if args.num_regressors == 0 then return score end
  local rows = core.read(self.samples)
  local spare = rows - args.num_regressors - 1
  local has_spare = ops.gt(spare, 0) -- with too few rows there is nothing to adjust by
  return ops.where(has_spare, 1 - (1 - score) * (rows - 1) / ops.where(has_spare, spare, 1), score)
end

-- ---- correlations, one for each row ----

local function centered(x, axis) return x - ops.mean(x, axis, true) end

local function moments(t, p, axis)
  t, p = centered(t, axis), centered(p, axis)
  return ops.mean(t * p, axis), ops.mean(ops.square(t), axis), ops.mean(ops.square(p), axis)
end

--- Pearson's coefficient along an axis.
function M.pearson(t, p, axis)
  local both, of_t, of_p = moments(t, p, axis)
  return divide(both, ops.sqrt(of_t * of_p))
end

--- Lin's concordance coefficient along an axis.
function M.concordance(t, p, axis)
  local both, of_t, of_p = moments(t, p, axis)
  local shift = ops.square(ops.mean(t, axis) - ops.mean(p, axis))
  return both * 2 / (of_t + of_p + shift + EPSILON)
end

return M
