--- writer:pr_curve: precision and recall over thresholds.
local ops = require "cdl.ops"

-- Sums of the weights w of predictions at or above each of the n thresholds k / (n - 1).
local function above(slot, w, n)
  local in_slot = ops.scatter(slot, w, { n })
  return in_slot:flip(1):cumsum(1):flip(1)
end

-- {6, n}: true and false positives, true and false negatives, precision, recall.
local function curve(labels, predictions, weights, n)
  local slot = ops.floor(ops.clip(predictions, 0, 1) * (n - 1)):astype "int64":reshape { -1, 1 }
  local positive = above(slot, labels * weights, n)
  local wrong = above(slot, (1 - labels) * weights, n)
  local all_positive, all_negative = positive[1], wrong[1]
  local least = 1e-7
  local precision = positive / (positive + wrong):maximum(least)
  local recall = positive / math.max(all_positive, least)
  return ops.stack({ positive, wrong, all_negative - wrong, all_positive - positive, precision, recall }, 1)
end

return function(summary)
  local function column(name, what, x, rows)
    local tensor = summary.values_of("pr_curve", name, x):astype "float32":flatten()
    if rows and tensor.size ~= rows then
      summary.fail("pr_curve", name, "there are %d labels but %d %s", rows, tensor.size, what)
    end
    return tensor
  end

  local function check_range(name, what, x)
    if x.size > 0 and not ops.all(ops.ge(x, 0) * ops.le(x, 1)):item() then
      summary.fail("pr_curve", name, "%s must be from 0 to 1", what)
    end
  end

  summary.define("pr_curve", { summary.rows.self, summary.rows.name,
    { "labels", "data", required = true, doc = "0 or 1 for each sample" },
    { "predictions", "data", required = true, doc = "probabilities, from 0 to 1" },
    summary.rows.step,
    { "num_thresholds", "integer", 201, min = 2, max = 10000, doc = "points of the curve" },
    { "weights", "data", doc = "a weight for each sample" },
  }, "Writes a precision-recall curve.", function(self, name, labels, predictions, step, num_thresholds, weights)
    local y = column(name, "labels", labels)
    local p = column(name, "predictions", predictions, y.size)
    local w = weights ~= nil and column(name, "weights", weights, y.size) or ops.ones_like(y)
    if y.size == 0 then summary.fail("pr_curve", name, "there are no samples") end
    check_range(name, "labels", y)
    check_range(name, "predictions", p)
    self:write_value(name, summary.float_tensor(curve(y, p, w, num_thresholds)), step, "pr_curves")
  end)
end
