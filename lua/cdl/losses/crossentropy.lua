--- Losses of probabilities (or logits): the crossentropies.
--
-- On probabilities Keras clips to [1e-7, 1 - 1e-7] before the logarithm. When the predictions come
-- straight from a softmax, one row of the op table gives the same values in one pass over the
-- logits; else the formulas below.
local core = require "cdl.core"
local ops = require "cdl.ops"
local reduction = require "cdl.losses.reduction"

local EPSILON = 1e-7

local sparse_row, dense_row = core.row "sparse_softmax_crossentropy", core.row "softmax_crossentropy"
local cast_row, take_row = core.row "cast", core.row "take_along"
local INT64 = core.dtype_id "int64"

local braces = reduction.braces

local function as_float(x)
  if core.is_variable(x) then x = core.read(x) end
  return x.dtype:sub(1, 5) == "float" and x or ops.astype(x, "float32")
end

local function fail_shapes(name, y_true, y_pred, hint)
  core.raise(("%s: y_true has shape %s, y_pred %s; %s"):format(name, braces(y_true.shape),
    braces(y_pred.shape), hint))
end

-- Labels as floats of the predictions' shape; a number stands for every element.
local function dense_labels(name, y_true, p, hint)
  if type(y_true) == "number" or type(y_true) == "boolean" then
    return core.full(p.shape, y_true, p.dtype), p
  end
  local t = reduction.cast(y_true, p.dtype)
  local repaired, q = reduction.same_rank(t, p)
  if table.concat(repaired.shape, ",") ~= table.concat(q.shape, ",") then fail_shapes(name, t, p, hint) end
  return repaired, q
end

local function axis_from_start(p, axis, name)
  local at = axis > 0 and axis or p.ndim + 1 + axis
  if at < 1 or at > p.ndim then
    core.raise(("%s: axis %d is out of range for y_pred of shape %s"):format(name, axis, braces(p.shape)))
  end
  return at
end

-- With the axis of classes last.
local function classes_last(x, at)
  if at == x.ndim then return x end
  local order = {}
  for i = 1, x.ndim do
    if i ~= at then order[#order + 1] = i end
  end
  order[x.ndim] = at
  return ops.permute(x, order)
end

-- The logits from which a softmax has just made x, or nil.
local function logits_of(x)
  local producer, logits = core.producer(x)
  return producer == "softmax" and logits or nil
end

-- log of probabilities that are made to sum to 1 along the last axis, clipped.
local function log_probabilities(p)
  return ops.log(ops.clip(p / ops.sum(p, -1, true), EPSILON, 1 - EPSILON))
end

local function smooth(t, smoothing, towards)
  if smoothing == 0 then return t end
  return t * (1 - smoothing) + smoothing * towards
end

local logits_arg = { "from_logits", "boolean", false, doc = "y_pred holds logits, not probabilities" }
local smoothing_arg = { "label_smoothing", "number", 0, min = 0, max = 1,
  doc = "part of the labels that is spread evenly" }
local axis_arg = { "axis", "axis", -1, doc = "the axis of the classes" }

-- ---- binary ----

local function binary_values(name, y_true, y_pred, args)
  local p = as_float(y_pred)
  local t
  t, p = dense_labels(name, y_true, p, "they must be the same")
  t = smooth(t, args.label_smoothing, 0.5)
  -- log(1 + e^x) - x t is the same without rounding to 0 or 1 on the way.
  if args.from_logits then return ops.softplus(p) - p * t, t, p end
  local clipped = ops.clip(p, EPSILON, 1 - EPSILON)
  return -(t * ops.log(clipped) + (1 - t) * ops.log(1 - clipped)), t, p
end

local function mean_over(values, axis)
  return values.ndim > 0 and ops.mean(values, axis) or values
end

local function binary(y_true, y_pred, args)
  local values = binary_values("binary_crossentropy", y_true, y_pred, args)
  return mean_over(values, args.axis)
end

local function binary_focal(y_true, y_pred, args)
  local values, t, p = binary_values("binary_focal_crossentropy", y_true, y_pred, args)
  if args.from_logits then p = ops.sigmoid(p) end
  local right = t * p + (1 - t) * (1 - p)
  values = values * (1 - right) ^ args.gamma
  if args.apply_class_balancing then
    values = values * (t * args.alpha + (1 - t) * (1 - args.alpha))
  end
  return mean_over(values, args.axis)
end

-- ---- categorical ----

local ONE_HOT_HINT = "they must be the same: one-hot labels; for integer labels use sparse_categorical_crossentropy"

local function categorical_operands(name, y_true, y_pred, args)
  local p = as_float(y_pred)
  local at = axis_from_start(p, args.axis, name)
  if type(y_true) == "number" then
    core.raise(("%s: y_true is a number, y_pred has shape %s; one-hot labels are wanted"):format(name,
      braces(p.shape)))
  end
  local t = reduction.cast(y_true, p.dtype)
  if table.concat(t.shape, ",") ~= table.concat(p.shape, ",") then
    fail_shapes(name, t, y_pred, ONE_HOT_HINT)
  end
  if p.shape[at] == 1 then
    core.warn(("%s: y_pred of shape %s has a single class, so the loss is always 0; "
      .. "use binary_crossentropy for one sigmoid unit"):format(name, braces(p.shape)))
  end
  local classes = p.shape[at]
  p, t = classes_last(p, at), classes_last(t, at)
  return smooth(t, args.label_smoothing, 1 / classes), p
end

local function categorical(y_true, y_pred, args)
  local t, p = categorical_operands("categorical_crossentropy", y_true, y_pred, args)
  if args.from_logits then return (dense_row({ 0 }, nil, p, t)) end
  local logits = logits_of(p)
  if logits then return (dense_row({ 1 }, nil, logits, t)) end
  return -ops.sum(t * log_probabilities(p), -1)
end

local function categorical_focal(y_true, y_pred, args)
  local t, p = categorical_operands("categorical_focal_crossentropy", y_true, y_pred, args)
  if args.from_logits then p = ops.softmax(p) end
  local logs = log_probabilities(p)
  local focus = (1 - ops.exp(logs)) ^ args.gamma
  return -ops.sum(t * logs * focus, -1) * args.alpha
end

-- ---- sparse ----

-- Integer labels without a last axis of 1, and predictions with the classes last.
local function sparse_operands(name, y_true, y_pred, axis)
  local p = as_float(y_pred)
  local at = axis_from_start(p, axis, name)
  p = classes_last(p, at)
  local wanted = table.move(p.shape, 1, p.ndim - 1, 1, {})
  if type(y_true) == "number" then return core.full(wanted, y_true, "int64"), p end
  local labels = y_true
  if core.is_variable(labels) then labels = core.read(labels) end
  local shape = labels.shape
  if #shape == p.ndim and shape[#shape] == 1 then labels = ops.squeeze(labels, -1) end
  if table.concat(labels.shape, ",") ~= table.concat(wanted, ",") then
    fail_shapes(name, y_true, y_pred,
      ("integer labels of shape %s are wanted; for one-hot labels use categorical_crossentropy"):format(braces(wanted)))
  end
  if labels.dtype ~= "int64" then labels = cast_row({ INT64, 1 }, nil, labels) end
  return labels, p
end

local function sparse(y_true, y_pred, args)
  local labels, p = sparse_operands("sparse_categorical_crossentropy", y_true, y_pred, args.axis)
  local ignored = args.ignore_class
  local mask = ignored and ops.ne(labels, ignored) or nil
  local logits = args.from_logits and p or logits_of(p)
  if logits then
    local ints = { args.from_logits and 0 or 1, ignored and 1 or 0, ignored or 0 }
    return (sparse_row(ints, nil, logits, labels)), mask
  end
  if mask then labels = ops.where(mask, labels, 0) end
  local at = { p.ndim - 1 }
  local values = -ops.squeeze(take_row(at, nil, log_probabilities(p), ops.expand_dims(labels, -1)), -1)
  if mask then values = ops.where(mask, values, 0) end
  return values, mask
end

local function generalized(y_true, y_pred, args)
  local labels, p = sparse_operands("categorical_generalized_cross_entropy", y_true, y_pred, -1)
  local right = ops.squeeze(take_row({ p.ndim - 1 }, nil, p, ops.expand_dims(labels, -1)), -1)
  return (1 - ops.clip(right, EPSILON, 1 - EPSILON) ^ args.q) / args.q
end

local function focal_args(...)
  return { { "alpha", "number", 0.25, doc = "weight of the positive class" },
    { "gamma", "number", 2, min = 0, doc = "how much easy samples are turned down" }, ... }
end

return function(define)
  define { class = "BinaryCrossentropy", name = "binary_crossentropy", aliases = { "bce", "BCE" },
    rows = { logits_arg, smoothing_arg, axis_arg },
    doc = "Mean of -(y_true log(y_pred) + (1 - y_true) log(1 - y_pred)): yes-or-no questions.",
    body = binary }

  local focal = focal_args(logits_arg, smoothing_arg, axis_arg)
  table.insert(focal, 1, { "apply_class_balancing", "boolean", false, doc = "weight the classes by alpha" })
  define { class = "BinaryFocalCrossentropy", name = "binary_focal_crossentropy", rows = focal,
    doc = "binary_crossentropy times (1 - probability of the truth)^gamma (Lin et al. 2017).",
    body = binary_focal }

  define { class = "CategoricalCrossentropy", name = "categorical_crossentropy", aliases = { "cce" },
    rows = { logits_arg, smoothing_arg, axis_arg },
    doc = "-sum(y_true log(y_pred)) over classes; one-hot labels.",
    body = categorical }

  define { class = "CategoricalFocalCrossentropy", name = "categorical_focal_crossentropy",
    rows = focal_args(logits_arg, smoothing_arg, axis_arg),
    doc = "categorical_crossentropy with each class turned down by alpha (1 - y_pred)^gamma (Lin et al. 2017).",
    body = categorical_focal }

  define { class = "SparseCategoricalCrossentropy", name = "sparse_categorical_crossentropy",
    rows = { logits_arg, { "ignore_class", "integer", doc = "samples with this label do not count" },
      reduction.row, axis_arg },
    function_rows = { logits_arg, { "ignore_class", "integer", doc = "the value is 0 for this label" }, axis_arg },
    keeps_labels = true,
    doc = "-log(y_pred at the label); integer labels from 0.",
    body = sparse }

  define { class = "CategoricalGeneralizedCrossEntropy", name = "categorical_generalized_cross_entropy",
    rows = { { "q", "number", 0.5, above = 0, below = 1, doc = "0: crossentropy, 1: mean absolute error" } },
    keeps_labels = true,
    doc = "(1 - y_pred at the label^q) / q, for noisy labels (Zhang and Sabuncu 2018); integer labels.",
    body = generalized }
end
