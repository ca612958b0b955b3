--- Losses of numbers: distances between labels and predictions, averaged over the last axis.
local core = require "cdl.core"
local ops = require "cdl.ops"
local reduction = require "cdl.losses.reduction"

local EPSILON = 1e-7

-- Labels and predictions as floats of equal rank.
local function operands(name, y_true, y_pred)
  local p = y_pred
  if p.dtype:sub(1, 5) ~= "float" then p = reduction.cast(p, "float32") end
  local t = reduction.cast(y_true, p.dtype)
  if t.ndim == 0 and p.ndim > 0 then return t, p end
  t, p = reduction.same_rank(t, p)
  local fits = t.ndim == p.ndim
  for i = 1, fits and t.ndim or 0 do
    local a, b = t.shape[i], p.shape[i]
    if a ~= b and a ~= 1 and b ~= 1 then fits = false end
  end
  if not fits then
    core.raise(("%s: y_true has shape %s, y_pred %s"):format(name,
      reduction.braces(reduction.cast(y_true, p.dtype).shape), reduction.braces(y_pred.shape)))
  end
  return t, p
end

local function last_mean(x) return x.ndim > 0 and ops.mean(x, -1) or x end

-- x / |x| along an axis; zeros stay zeros.
local function unit(x, axis)
  return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis, true), EPSILON * EPSILON))
end

-- Labels 0 and 1 become -1 and 1, if there are no others in the batch.
local function signed_labels(t)
  local is_zero, is_one = ops.eq(t, 0), ops.eq(t, 1)
  local is_binary = ops.all(ops.logical_or(is_zero, is_one))
  return ops.where(is_binary, t * 2 - 1, t)
end

return function(define)
  -- Adds a loss whose values are body(t, p, args) of prepared operands.
  local function add(row)
    local body = row.body
    row.body = function(y_true, y_pred, args)
      local t, p = operands(row.name, y_true, y_pred)
      return body(t, p, args)
    end
    define(row)
  end

  add { class = "MeanSquaredError", name = "mean_squared_error", aliases = { "mse", "MSE" },
    doc = "mean((y_true - y_pred)^2).",
    body = function(t, p) return last_mean(ops.square(t - p)) end }

  add { class = "MeanAbsoluteError", name = "mean_absolute_error", aliases = { "mae", "MAE" },
    doc = "mean(|y_true - y_pred|).",
    body = function(t, p) return last_mean(ops.abs(t - p)) end }

  add { class = "MeanAbsolutePercentageError", name = "mean_absolute_percentage_error",
    aliases = { "mape", "MAPE" },
    doc = "100 mean(|y_true - y_pred| / |y_true|).",
    body = function(t, p)
      return last_mean(ops.abs((t - p) / ops.maximum(ops.abs(t), EPSILON))) * 100
    end }

  add { class = "MeanSquaredLogarithmicError", name = "mean_squared_logarithmic_error",
    aliases = { "msle", "MSLE" },
    doc = "mean((log(y_true + 1) - log(y_pred + 1))^2), negative numbers counting as 0.",
    body = function(t, p)
      local first, second = ops.log(ops.maximum(p, EPSILON) + 1), ops.log(ops.maximum(t, EPSILON) + 1)
      return last_mean(ops.square(first - second))
    end }

  add { class = "CosineSimilarity", name = "cosine_similarity",
    rows = { { "axis", "axis", -1, doc = "the axis of the vectors" } },
    doc = "-cos of the angle between y_true and y_pred: -1 for the same direction. (The metric is +cos.)",
    body = function(t, p, args)
      return -ops.sum(unit(t, args.axis) * unit(p, args.axis), args.axis)
    end }

  add { class = "Huber", name = "huber", default_name = "huber_loss", aliases = { "huber_loss" },
    rows = { { "delta", "number", 1, above = 0, doc = "error at which the square becomes a line" } },
    doc = "Mean of e^2 / 2 for errors e up to delta, delta |e| - delta^2 / 2 beyond.",
    body = function(t, p, args)
      local delta, size = args.delta, ops.abs(t - p)
      local line = size * delta - 0.5 * delta * delta
      return last_mean(ops.where(ops.le(size, delta), ops.square(size) * 0.5, line))
    end }

  add { class = "LogCosh", name = "log_cosh", aliases = { "logcosh" },
    doc = "mean(log(cosh(y_pred - y_true))).",
    body = function(t, p)
      local x = p - t
      return last_mean(x + ops.softplus(x * -2) - math.log(2))
    end }

  add { class = "Hinge", name = "hinge",
    doc = "mean(max(1 - y_true y_pred, 0)); labels -1 and 1, or 0 and 1.",
    body = function(t, p) return last_mean(ops.relu(1 - signed_labels(t) * p)) end }

  add { class = "SquaredHinge", name = "squared_hinge",
    doc = "mean(max(1 - y_true y_pred, 0)^2); labels -1 and 1, or 0 and 1.",
    body = function(t, p) return last_mean(ops.square(ops.relu(1 - signed_labels(t) * p))) end }

  add { class = "CategoricalHinge", name = "categorical_hinge",
    doc = "max(1 + best score of a wrong class - score of the right one, 0); one-hot labels.",
    body = function(t, p)
      return ops.relu(ops.max((1 - t) * p, -1) - ops.sum(t * p, -1) + 1)
    end }

  add { class = "KLDivergence", name = "kl_divergence", aliases = { "kld", "KLD" },
    doc = "sum(y_true log(y_true / y_pred)), both clipped to [1e-7, 1].",
    body = function(t, p)
      t, p = ops.clip(t, EPSILON, 1), ops.clip(p, EPSILON, 1)
      return ops.sum(t * ops.log(t / p), -1)
    end }

  add { class = "Poisson", name = "poisson",
    doc = "mean(y_pred - y_true log(y_pred)).",
    body = function(t, p) return last_mean(p - t * ops.log(p + EPSILON)) end }

  local axis_row = { "axis", "axes", doc = "axes that one overlap is taken over; the whole batch if left out" }

  local name_row = { "name", "string", doc = "for messages; from the class if left out" }

  add { class = "Dice", name = "dice", rows = { reduction.row, name_row, axis_row }, function_rows = { axis_row },
    doc = "1 - 2 overlap / (size of y_true + size of y_pred), for segmentation.",
    body = function(t, p, args)
      local overlap, sizes = ops.sum(t * p, args.axis), ops.sum(t, args.axis) + ops.sum(p, args.axis)
      return 1 - overlap * 2 / (sizes + EPSILON)
    end }

  local alpha_row = { "alpha", "number", 0.5, min = 0, doc = "weight of false positives" }
  local beta_row = { "beta", "number", 0.5, min = 0, doc = "weight of false negatives" }

  add { class = "Tversky", name = "tversky",
    rows = { alpha_row, beta_row, reduction.row, name_row, axis_row },
    function_rows = { alpha_row, beta_row, axis_row },
    doc = "1 - TP / (TP + alpha FP + beta FN): Dice with weights (Salehi et al. 2017).",
    body = function(t, p, args)
      local axis = args.axis
      local hits = ops.sum(t * p, axis)
      local false_positives, false_negatives = ops.sum((1 - t) * p, axis), ops.sum(t * (1 - p), axis)
      return 1 - hits / (hits + false_positives * args.alpha + false_negatives * args.beta + EPSILON)
    end }
end
