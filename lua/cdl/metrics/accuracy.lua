--- Accuracies: how often predictions are right.
local core = require "cdl.core"
local ops = require "cdl.ops"
local reduction = require "cdl.losses.reduction"

local take_row = core.row "take_along"

local function fail_shapes(name, y_true, y_pred, wanted)
  core.raise(("%s: y_true has shape %s, y_pred %s; %s"):format(name, reduction.braces(y_true.shape),
    reduction.braces(y_pred.shape), wanted))
end

local function check_same(name, y_true, y_pred)
  if table.concat(y_true.shape, ",") ~= table.concat(y_pred.shape, ",") then
    fail_shapes(name, y_true, y_pred, "they must be the same")
  end
end

-- Integer labels, without the last axis of 1 that they may have.
local function sparse_labels(name, y_true, y_pred)
  local labels = core.is_variable(y_true) and core.read(y_true) or y_true
  if labels.ndim == y_pred.ndim and labels.ndim > 0 and labels.shape[labels.ndim] == 1 then
    labels = ops.squeeze(labels, -1)
  end
  local fits = y_pred.ndim > 0 and labels.ndim == y_pred.ndim - 1
  for i = 1, fits and labels.ndim or 0 do
    if labels.shape[i] ~= y_pred.shape[i] then fits = false end
  end
  if not fits then
    fail_shapes(name, y_true, y_pred, "integer labels, one per row of y_pred, are wanted")
  end
  return labels
end

-- True where the label's score is among the k largest; a tie with the last of them counts.
local function in_top_k(labels, scores, k)
  local own = take_row({ scores.ndim - 1 }, nil, scores, ops.expand_dims(labels, -1))
  local larger = ops.sum(ops.astype(ops.gt(scores, own), "int64"), -1)
  return ops.logical_and(ops.lt(larger, k), ops.isfinite(ops.squeeze(own, -1)))
end

local K_ROW = { "k", "integer", 5, min = 1, doc = "how many classes may be named" }

return function(define)
  define { class = "Accuracy", name = "accuracy", doc = "How often y_pred equals y_true.",
    values = function(t, p)
      t, p = reduction.same_rank(t, p)
      check_same("accuracy", t, p)
      return ops.eq(t, p)
    end }

  define { class = "BinaryAccuracy", name = "binary_accuracy",
    rows = { { "threshold", "number", 0.5, doc = "predictions above it are 1" } },
    doc = "How often predictions above the threshold are 1 and others 0.",
    values = function(t, p, args)
      t, p = reduction.same_rank(t, p)
      check_same("binary_accuracy", t, p)
      return ops.eq(t, ops.gt(p, args.threshold))
    end }

  define { class = "CategoricalAccuracy", name = "categorical_accuracy",
    doc = "How often the largest prediction is at the one of one-hot labels.",
    values = function(t, p)
      check_same("categorical_accuracy", t, p)
      return ops.eq(ops.argmax(t, -1), ops.argmax(p, -1))
    end }

  define { class = "SparseCategoricalAccuracy", name = "sparse_categorical_accuracy",
    doc = "How often the largest prediction is at the integer label.",
    values = function(t, p)
      return ops.eq(sparse_labels("sparse_categorical_accuracy", t, p), ops.argmax(p, -1))
    end }

  define { class = "TopKCategoricalAccuracy", name = "top_k_categorical_accuracy", rows = { K_ROW },
    doc = "How often the class of one-hot labels is among the k largest predictions.",
    values = function(t, p, args)
      check_same("top_k_categorical_accuracy", t, p)
      return in_top_k(ops.argmax(t, -1), p, args.k)
    end }

  define { class = "SparseTopKCategoricalAccuracy", name = "sparse_top_k_categorical_accuracy",
    rows = { K_ROW, { "from_sorted_ids", "boolean", false, doc = "y_pred holds classes, best first" } },
    doc = "How often the integer label is among the k largest predictions.",
    values = function(t, p, args)
      local labels = sparse_labels("sparse_top_k_categorical_accuracy", t, p)
      if not args.from_sorted_ids then return in_top_k(labels, p, args.k) end
      local best = ops.take_first(p, p.ndim - 1, math.min(args.k, p.shape[p.ndim]))
      return ops.any(ops.eq(best, ops.expand_dims(labels, -1)), -1)
    end }
end
