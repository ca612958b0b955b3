--- Losses of sequences: CTC, connectionist temporal classification (Graves et al. 2006).
--
-- Between, before and after the labels stand blanks: 2 labels + 1 states. alpha[s] is the log of the
-- probability of all ways to have come to state s; a step stays, goes on by one, or skips a blank
-- between two labels that differ. A way that is not open counts as e^-1e5, as in Keras: that is 0,
-- and leaves gradients finite.
local core = require "cdl.core"
local ops = require "cdl.ops"
local reduction = require "cdl.losses.reduction"

local CLOSED = -1e5

local take_row = core.row "take_along"

local function operands(y_true, y_pred)
  local labels = reduction.cast(y_true, "int64")
  local shape, wanted = labels.shape, y_pred.shape
  if #shape ~= 2 or #wanted ~= 3 or shape[1] ~= wanted[1] or shape[2] == 0 then
    core.raise(("ctc: labels of shape {batch, labels} and logits of shape {batch, steps, classes} are wanted, "
      .. "got y_true of shape %s, y_pred %s"):format(reduction.braces(shape), reduction.braces(wanted)))
  end
  return labels, ops.log_softmax(ops.astype(y_pred, "float32"))
end

-- States in their order: blank, label 1, blank, label 2, ..., blank.
local function between_blanks(labels)
  local batch, count = labels.shape[1], labels.shape[2]
  local blanks = core.full({ batch, count }, 0, labels.dtype)
  local pairs_of = ops.reshape(ops.stack({ blanks, labels }, 3), { batch, 2 * count })
  return ops.concat({ pairs_of, core.full({ batch, 1 }, 0, labels.dtype) }, 2)
end

-- x moved by n states to the right; what comes in is closed.
local function shift(x, n)
  return ops.pad(x[{ {}, { 1, x.shape[2] - n } }], { { 0, 0 }, { n, 0 } }, "constant", CLOSED)
end

local function ctc(y_true, y_pred)
  local labels, logs = operands(y_true, y_pred)
  local batch, steps, count = labels.shape[1], logs.shape[2], labels.shape[2]
  local states = between_blanks(labels)
  local width = 2 * count + 1
  local emitted = take_row({ 2 }, nil, logs, ops.broadcast_to(ops.expand_dims(states, 2), { batch, steps, width }))
  local numbers = ops.reshape(core.arange(0, width, 1, "int64"), { 1, width })

  local closed = core.full({ batch, width }, CLOSED, "float32")
  local alpha = ops.where(ops.le(numbers, 1), emitted[{ {}, 1, {} }], closed)
  local skipped = ops.pad(states[{ {}, { 1, width - 2 } }], { { 0, 0 }, { 2, 0 } })
  local may_skip = ops.logical_and(ops.ne(states, 0), ops.ne(states, skipped))
  for step = 2, steps do
    local ways = ops.stack({ alpha, shift(alpha, 1), ops.where(may_skip, shift(alpha, 2), closed) }, 1)
    alpha = ops.logsumexp(ways, 1) + emitted[{ {}, step, {} }]
  end

  -- It ends in the last label or the blank after it.
  local last = ops.sum(ops.astype(ops.ne(labels, 0), "int64"), 2, true) * 2
  local is_end = ops.logical_or(ops.eq(numbers, last), ops.eq(numbers, last - 1))
  return -ops.logsumexp(ops.where(is_end, alpha, closed), 2)
end

return function(define)
  define { class = "CTC", name = "ctc", keeps_labels = true,
    doc = "Connectionist temporal classification: y_pred {batch, steps, classes} are logits, y_true {batch, labels} "
      .. "integers from 1; class 0 is the blank, and fills up shorter rows of labels.",
    body = ctc }
end
