--- True and false positives and negatives at thresholds, and what is made of them: their counts,
-- precision, recall.
local Metric = require "cdl.metrics.metric"
local core = require "cdl.core"
local mean = require "cdl.metrics.mean"
local ops = require "cdl.ops"
local reduction = require "cdl.losses.reduction"
local words = require "cdl.words"

local M = {}

local LEAST = -1e10 -- below every prediction
local divide, braces = reduction.divide, reduction.braces

-- The k largest of each row stay, the others become LEAST.
local function only_largest(p, k)
  local classes = p.shape[p.ndim]
  local _, indices = ops.topk(p, math.min(k, classes))
  local chosen = ops.sum(ops.one_hot(indices, classes), -2)
  return ops.where(ops.gt(chosen, 0), p, LEAST)
end

-- The numbers of one class (from 0, as labels are).
local function only_class(name, x, class_id)
  local classes = x.shape[x.ndim] or 0
  if class_id >= classes then
    core.raise(("%s: class_id is %d, but shape %s has the classes 0 to %d"):format(name, class_id,
      braces(x.shape), classes - 1))
  end
  return ops.gather(x, core.tensor(class_id, "int64"), -1)
end

--- Labels (0 or 1), predictions and weights, all float32 of one shape; weights may be nil.
function M.prepare(name, y_true, y_pred, sample_weight, options)
  local mask = core.is_tensor(y_pred) and y_pred.mask or nil
  local t, p = mean.operands(y_true, y_pred)
  t = ops.astype(ops.ne(t, 0), "float32")
  p = reduction.cast(p, "float32")
  t, p = reduction.same_rank(t, p)
  if table.concat(t.shape, ",") ~= table.concat(p.shape, ",") then
    core.raise(("%s: y_true has shape %s, y_pred %s; they must be the same"):format(name, braces(t.shape),
      braces(p.shape)))
  end
  if options.top_k then p = only_largest(p, options.top_k) end
  local weights
  if sample_weight ~= nil then
    weights = reduction.align(mean.as_tensor(sample_weight, "float32"), p, "sample_weight")
  end
  if mask then
    local by_mask = reduction.align(ops.astype(mask, "float32"), p, "the mask")
    weights = weights and weights * by_mask or by_mask
  end
  if weights then weights = ops.broadcast_to(weights, p.shape) end
  if options.class_id then
    t, p = only_class(name, t, options.class_id), only_class(name, p, options.class_id)
    weights = weights and only_class(name, weights, options.class_id)
  end
  return t, p, weights
end

--- Weighted counts of a batch at thresholds, a float32 vector {n}: {true_positives =,
-- false_positives =, true_negatives =, false_negatives =}, each {n}; with `labels` (how many) each
-- is {n, labels}, for predictions {rows, labels}.
function M.count(t, p, weights, thresholds, labels)
  local positives = weights and t * weights or t
  local negatives = weights and (1 - t) * weights or 1 - t
  local n = thresholds.size
  local counts
  if labels then
    local rows = { 1, p.size // labels, labels }
    local above = ops.gt(ops.reshape(p, rows), ops.reshape(thresholds, { n, 1, 1 }))
    counts = function(values, flags) return ops.sum(ops.where(flags, ops.reshape(values, rows), 0), 2) end
    return { true_positives = counts(positives, above), false_positives = counts(negatives, above),
      true_negatives = counts(negatives, ops.logical_not(above)),
      false_negatives = counts(positives, ops.logical_not(above)) }
  end
  -- {n, all} flags times {all, 2} weights: both counts in one product.
  local above = ops.gt(ops.reshape(p, { 1, p.size }), ops.reshape(thresholds, { n, 1 }))
  local both = ops.stack({ ops.flatten(positives), ops.flatten(negatives) }, 2)
  counts = function(flags)
    local product = ops.matmul(ops.astype(flags, "float32"), both)
    return product[{ {}, 1 }], product[{ {}, 2 }]
  end
  local result = {}
  result.true_positives, result.false_positives = counts(above)
  result.false_negatives, result.true_negatives = counts(ops.logical_not(above))
  return result
end

local thresholds_row = { "thresholds", "any",
  doc = "predictions above it are 1: a number, or a list for several values; 0.5 if left out" }

-- A list of thresholds, and whether one was meant.
local function read_thresholds(name, thresholds, default)
  if thresholds == nil then return { default }, true end
  local list = type(thresholds) == "number" and { thresholds } or thresholds
  local ok = words.is_plain(list) and #list > 0
  for _, value in ipairs(ok and list or {}) do
    ok = ok and type(value) == "number" and value >= 0 and value <= 1
  end
  if not ok then
    core.raise(("%s: thresholds must be numbers from 0 to 1, got %s"):format(name, words.describe(thresholds)))
  end
  return list, type(thresholds) == "number"
end

-- A metric that adds up some of the counts.
local Counting = Metric:extend "Counting"

function Counting:start(args, names, variable_names)
  local default = args.top_k and LEAST or 0.5
  local list
  list, self.is_single = read_thresholds(self.name, args.thresholds, default)
  self.thresholds = list
  self.counted = names
  for i, name in ipairs(names) do
    self[name] = self:add_variable { name = variable_names and variable_names[i] or name, shape = { #list } }
  end
end

function Counting:update_state(y_true, y_pred, sample_weight)
  local t, p, weights = M.prepare(self.name, y_true, y_pred, sample_weight, self.args)
  local counts = M.count(t, p, weights, core.tensor(self.thresholds))
  for _, name in ipairs(self.counted) do core.assign(self[name], self[name] + counts[name]) end
end

-- A vector with one value per threshold, or the one value.
function Counting:shape_result(values) return self.is_single and core.reshape(values, {}) or values end

local function count_metric(class_name, name, doc)
  local cls = Counting:extend(class_name)
  cls.doc, cls.signature = doc, { thresholds_row }
  function cls:init(args) self:start(args, { name }, { "accumulator" }) end
  function cls:result() return self:shape_result(core.read(self[name])) end
  M[class_name] = cls
end
count_metric("TruePositives", "true_positives", "Weighted number of predictions above the threshold with label 1.")
count_metric("TrueNegatives", "true_negatives", "Weighted number of predictions up to the threshold with label 0.")
count_metric("FalsePositives", "false_positives", "Weighted number of predictions above the threshold with label 0.")
count_metric("FalseNegatives", "false_negatives", "Weighted number of predictions up to the threshold with label 1.")

local function rate_metric(class_name, other, doc)
  local cls = Counting:extend(class_name)
  cls.doc = doc
  cls.signature = { thresholds_row,
    { "top_k", "integer", min = 1, doc = "only the k largest predictions of a row can be positive" },
    { "class_id", "integer", min = 0, doc = "only this class (from 0) counts" } }
  cls.direction = "max"
  function cls:init(args) self:start(args, { "true_positives", other }) end
  function cls:result()
    local hits = core.read(self.true_positives)
    return self:shape_result(divide(hits, hits + self[other]))
  end
  M[class_name] = cls
end
rate_metric("Precision", "false_positives", "Part of the positive predictions that are right; 0 when there are none.")
rate_metric("Recall", "false_negatives", "Part of the positive labels that are predicted; 0 when there are none.")

return M
