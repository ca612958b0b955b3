--- The area under a curve over all thresholds, and the best rate where another one is good enough.
local Metric = require "cdl.metrics.metric"
local confusion = require "cdl.metrics.confusion"
local core = require "cdl.core"
local ops = require "cdl.ops"
local reduction = require "cdl.losses.reduction"

local M = {}

local EPSILON = 1e-7
local divide = reduction.divide
local COUNTS = { "true_positives", "true_negatives", "false_positives", "false_negatives" }

-- A metric with the four counts at many thresholds.
local Curve = Metric:extend "Curve"
Curve.direction = "max"

-- labels: how many there are, when they are counted apart.
function Curve:start(thresholds, labels)
  self.thresholds, self.labels = thresholds, labels
  for _, name in ipairs(COUNTS) do
    self[name] = self:add_variable { name = name, shape = { #thresholds, labels } }
  end
end

function Curve:add_counts(t, p, weights)
  local counts = confusion.count(t, p, weights, core.tensor(self.thresholds), self.labels)
  for _, name in ipairs(COUNTS) do core.assign(self[name], self[name] + counts[name]) end
end

local function even_thresholds(count, first, last)
  local list = { first }
  for i = 1, count - 2 do list[i + 1] = i / (count - 1) end
  list[count] = last
  return list
end

-- ---- AUC ----

local AUC = Curve:extend "AUC"
M.AUC = AUC
AUC.doc = "Area under the curve of true against false positives (ROC), of precision against recall (PR) or of their "
  .. "gains, from counts at many thresholds."
AUC.signature = {
  { "num_thresholds", "integer", 200, min = 2, doc = "evenly from 0 to 1" },
  { "curve", { "ROC", "PR", "PRGAIN" }, "ROC", doc = "which curve" },
  { "summation_method", { "interpolation", "minoring", "majoring" }, "interpolation",
    doc = "between thresholds: a line, the lower or the higher of both values" },
  { "name", "string", doc = "its key in the logs; auc if left out" },
  { "dtype", "dtype", "float32", doc = "what it computes in" },
  { "thresholds", "list", of = "number", doc = "in place of the even ones; 0 and 1 are added" },
  { "multi_label", "boolean", false, doc = "an area for each label (last axis), and their mean" },
  { "num_labels", "integer", min = 1, doc = "how many labels, with multi_label; from the predictions if left out" },
  { "label_weights", "list", of = "number", doc = "weights of the labels in their mean" },
  { "from_logits", "boolean", false, doc = "predictions are logits" },
}

local function read_thresholds(args)
  if not args.thresholds then return even_thresholds(args.num_thresholds, -EPSILON, 1 + EPSILON) end
  local list = { -EPSILON }
  for _, value in ipairs(args.thresholds) do
    if value < 0 or value > 1 then
      core.raise(("AUC: thresholds must be numbers from 0 to 1, got %g"):format(value))
    end
    list[#list + 1] = value
  end
  list[#list + 1] = 1 + EPSILON
  table.sort(list)
  return list
end

function AUC:init(args)
  if args.multi_label and args.label_weights and args.num_labels and #args.label_weights ~= args.num_labels then
    core.raise(("AUC: there are %d label_weights for %d labels"):format(#args.label_weights, args.num_labels))
  end
  local labels = args.multi_label and (args.num_labels or args.label_weights and #args.label_weights) or nil
  if not args.multi_label or labels then self:start(read_thresholds(args), labels) end
end

--- Makes the state when predictions say how many labels there are.
function AUC:build(_, pred_shape)
  if not rawget(self, "thresholds") then self:start(read_thresholds(self.args), pred_shape[#pred_shape]) end
end

function AUC:update_state(y_true, y_pred, sample_weight)
  local t, p, weights = confusion.prepare(self.name, y_true, y_pred, sample_weight, {})
  self:build(t.shape, p.shape)
  if self.labels and p.shape[p.ndim] ~= self.labels then
    core.raise(("AUC: y_pred has shape %s, %d labels are wanted"):format(reduction.braces(p.shape), self.labels))
  end
  if self.args.from_logits then p = ops.sigmoid(p) end
  self:add_counts(t, ops.clip(p, 0, 1), weights)
end

-- x without its last row, and without its first.
local function neighbours(x)
  local n = x.shape[1]
  return x[{ { 1, n - 1 } }], x[{ { 2, n } }]
end

-- The area under the line through the points (Davis and Goadrich 2006).
local function interpolated_precision(tp, fp, fn)
  local positives = tp + fp
  local tp_here, tp_next = neighbours(tp)
  local here, next_one = neighbours(positives)
  local _, fn_next = neighbours(fn)
  local d_tp = tp_here - tp_next
  local slope = divide(d_tp, ops.relu(here - next_one))
  local intercept = tp_next - slope * next_one
  local usable = ops.logical_and(ops.gt(here, 0), ops.gt(next_one, 0))
  local ratio = ops.where(usable, divide(here, ops.where(usable, next_one, 1)), 1)
  local parts = divide(slope * (d_tp + intercept * ops.log(ratio)), ops.relu(tp_next + fn_next))
  return ops.sum(parts, 1)
end

-- The curve's points.
local function points(curve, tp, fp, tn, fn)
  if curve == "ROC" then return divide(fp, fp + tn), divide(tp, tp + fn) end
  if curve == "PR" then return divide(tp, tp + fn), divide(tp, tp + fp) end
  local scale = divide(tp + fn, tn + fp)
  local none = ops.eq(tp, 0)
  local safe = ops.where(none, 1, tp)
  return ops.where(none, 0, ops.relu(1 - scale * (fn / safe))), ops.where(none, 1, 1 - scale * (fp / safe))
end

local function area_of(args, tp, fp, tn, fn)
  if args.curve == "PR" and args.summation_method == "interpolation" then
    return interpolated_precision(tp, fp, fn)
  end
  local x, y = points(args.curve, tp, fp, tn, fn)
  local x_here, x_next = neighbours(x)
  local y_here, y_next = neighbours(y)
  local heights
  if args.summation_method == "interpolation" then
    heights = (y_here + y_next) * 0.5
  elseif args.summation_method == "minoring" then
    heights = ops.minimum(y_here, y_next)
  else
    heights = ops.maximum(y_here, y_next)
  end
  return ops.sum((x_here - x_next) * heights, 1)
end

function AUC:result()
  if not rawget(self, "thresholds") then return core.tensor(0) end
  local area = area_of(self.args, core.read(self.true_positives), core.read(self.false_positives),
    core.read(self.true_negatives), core.read(self.false_negatives))
  if not self.labels then return area end
  if not self.args.label_weights then return ops.mean(area) end
  local weights = core.tensor(self.args.label_weights)
  return divide(ops.sum(area * weights), ops.sum(weights))
end

-- ---- one rate where another is good enough ----

local function rates(self)
  local tp, fp = core.read(self.true_positives), core.read(self.false_positives)
  local tn, fn = core.read(self.true_negatives), core.read(self.false_negatives)
  return { sensitivity = divide(tp, tp + fn), specificity = divide(tn, tn + fp),
    recall = divide(tp, tp + fn), precision = divide(tp, tp + fp) }
end

local function best_at(class_name, best, wanted)
  local cls = Curve:extend(class_name)
  cls.doc = ("The largest %s at thresholds where %s is at least a value; 0 when there are none."):format(best, wanted)
  cls.signature = {
    { wanted, "number", required = true, min = 0, max = 1, doc = "the least value wanted" },
    { "num_thresholds", "integer", 200, min = 1, doc = "evenly from 0 to 1" },
    { "class_id", "integer", min = 0, doc = "only this class (from 0) counts" },
  }
  function cls:init(args)
    local count = args.num_thresholds
    self:start(count == 1 and { 0.5 } or even_thresholds(count, 0, 1))
  end
  function cls:update_state(y_true, y_pred, sample_weight)
    self:add_counts(confusion.prepare(self.name, y_true, y_pred, sample_weight, { class_id = self.args.class_id }))
  end
  function cls:result()
    local all = rates(self)
    return ops.max(ops.where(ops.ge(all[wanted], self.args[wanted]), all[best], 0))
  end
  M[class_name] = cls
end
best_at("SensitivityAtSpecificity", "sensitivity", "specificity")
best_at("SpecificityAtSensitivity", "specificity", "sensitivity")
best_at("PrecisionAtRecall", "precision", "recall")
best_at("RecallAtPrecision", "recall", "precision")

return M
