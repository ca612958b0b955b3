--- Losses of embeddings: the circle loss (Sun et al. 2020).
local core = require "cdl.core"
local ops = require "cdl.ops"
local reduction = require "cdl.losses.reduction"

-- In the place of pairs that do not count: its exponential is 0, and gradients stay finite.
local LEFT_OUT = -1e30

local function labels_of(x, embeddings, what)
  if type(x) == "number" or type(x) == "boolean" then x = core.tensor(x) end
  local labels = reduction.cast(x, "int64")
  if labels.ndim == 1 then labels = ops.expand_dims(labels, 2) end
  local shape = labels.shape
  if embeddings.ndim ~= 2 or #shape ~= 2 or shape[2] ~= 1 or shape[1] ~= embeddings.shape[1] then
    core.raise(("circle: integer labels {batch} and embeddings {batch, size} are wanted, got %s of shape %s for %s")
      :format(what, reduction.braces(x.shape), reduction.braces(embeddings.shape)))
  end
  return labels
end

local function log_sum(counts, values)
  return ops.logsumexp(ops.where(counts, values, LEFT_OUT), 2)
end

local function circle(y_true, y_pred, args)
  local others = args.ref_embeddings or y_pred
  local labels = labels_of(y_true, y_pred, "y_true")
  local other_labels = args.ref_labels and labels_of(args.ref_labels, others, "ref_labels") or labels
  local distance = ops.relu(1 - ops.matmul(y_pred, ops.transpose(others)))
  local same = ops.eq(labels, ops.transpose(other_labels))
  local different = ops.logical_not(same)
  if args.remove_diagonal then
    local diagonal = ops.eye(labels.shape[1], other_labels.shape[1])
    same = ops.logical_and(same, ops.eq(diagonal, 0))
  end
  local margin, gamma = args.margin, args.gamma
  local near = ops.relu(margin + distance) * (margin - distance) * -gamma
  local far = ops.relu(1 + margin - distance) * (1 - margin - distance) * gamma
  local values = ops.softplus(log_sum(same, near) + log_sum(different, far))
  return values, ops.gt(values, 0)
end

local gamma_arg = { "gamma", "number", 80, doc = "scale of the similarities" }
local margin_arg = { "margin", "number", 0.4, doc = "distance below which negatives weigh more, positives less" }
local diagonal_arg = { "remove_diagonal", "boolean", true, doc = "a sample is no pair with itself" }

return function(define)
  define { class = "Circle", name = "circle", rows = { gamma_arg, margin_arg, diagonal_arg },
    function_rows = { { "ref_labels", "operand", doc = "labels of the embeddings compared with; y_true if left out" },
      { "ref_embeddings", "operand", doc = "what is compared with; y_pred if left out" }, diagonal_arg, gamma_arg,
      margin_arg },
    keeps_labels = true,
    doc = "Draws embeddings of one label together and those of others apart (Sun et al. 2020): y_pred {batch, size} of "
      .. "norm 1, integer labels; rows of loss 0 do not count in the mean.",
    body = circle }
end
