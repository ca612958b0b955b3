--- Mean and Sum over samples, and the mean of a function of labels and predictions.
local Metric = require "cdl.metrics.metric"
local core = require "cdl.core"
local ops = require "cdl.ops"
local reduction = require "cdl.losses.reduction"
local words = require "cdl.words"

local M = {}

local function as_tensor(x, dtype)
  if words.is_plain(x) then x = core.tensor(x) end
  return reduction.cast(x, dtype)
end
M.as_tensor = as_tensor

local function axes_from(first, last)
  local axes = {}
  for axis = first, last do axes[#axes + 1] = axis end
  return axes
end

-- Values reduced to the rank of their weights, times the weights, and those per sample.
local function weighted(values, weights, reduce)
  if weights.ndim == values.ndim + 1 and weights.shape[weights.ndim] == 1 then
    weights = ops.squeeze(weights, -1)
  end
  if weights.ndim > values.ndim then
    core.raise(("sample_weight has shape %s, which does not fit values of shape %s"):format(
      reduction.braces(weights.shape), reduction.braces(values.shape)))
  end
  if weights.ndim == values.ndim - 1 and values.ndim > 1 and values.shape[values.ndim] == 1 then
    values = ops.squeeze(values, -1)
  end
  if values.ndim > weights.ndim then
    values = reduce(values, axes_from(weights.ndim + 1, values.ndim))
  end
  weights = reduction.align(weights, values, "sample_weight")
  weights = ops.broadcast_to(weights, values.shape)
  values = values * weights
  if weights.ndim > 1 then weights = reduce(weights, axes_from(2, weights.ndim)) end
  return values, weights
end

-- One value per sample, and one weight (nil: all count alike).
local function per_sample(metric, values, sample_weight, reduce)
  local mask = core.is_tensor(values) and values.mask or nil
  values = as_tensor(values, metric.dtype)
  local weights = sample_weight ~= nil and as_tensor(sample_weight, metric.dtype) or nil
  if mask then
    local by_mask = reduction.align(ops.astype(mask, metric.dtype), values, "the mask")
    weights = weights and reduction.align(weights, values, "sample_weight") * by_mask or by_mask
  end
  if weights then values, weights = weighted(values, weights, reduce) end
  if values.ndim > 1 then values = reduce(values, axes_from(2, values.ndim)) end
  return values, weights
end

M.Mean = Metric:extend "Mean"
M.Mean.doc = "The mean of values, weighted: update_state(values, sample_weight)."
M.Mean.signature = {}

function M.Mean:init()
  self.total = self:add_variable { name = "total" }
  self.count = self:add_variable { name = "count" }
end

function M.Mean:update_state(values, sample_weight)
  local weights
  values, weights = per_sample(self, values, sample_weight, ops.mean)
  core.assign(self.total, self.total + ops.sum(values))
  local count = weights and ops.sum(weights) or (values.ndim > 0 and values.shape[1] or 1)
  core.assign(self.count, self.count + count)
end

-- Nobody takes a gradient of it, so the division may give nan where the result is 0 anyway.
function M.Mean:result()
  local total, count = core.read(self.total), core.read(self.count)
  return ops.where(ops.eq(count, 0), 0, total / count)
end

M.Sum = Metric:extend "Sum"
M.Sum.doc = "The sum of values, weighted: update_state(values, sample_weight)."
M.Sum.signature = {}

function M.Sum:init() self.total = self:add_variable { name = "total" } end

function M.Sum:update_state(values, sample_weight)
  values = per_sample(self, values, sample_weight, ops.sum)
  core.assign(self.total, self.total + ops.sum(values))
end

function M.Sum:result() return core.read(self.total) end

local function operand(x, what)
  if words.is_plain(x) or type(x) == "number" then return core.tensor(x) end
  if core.is_tensor(x) or core.is_variable(x) then return x end
  return core.raise(("update_state: %s must be a tensor, got %s"):format(what, words.describe(x)))
end

--- Labels and predictions as tensors.
local function operands(y_true, y_pred) return operand(y_true, "y_true"), operand(y_pred, "y_pred") end
M.operands = operands

-- Mean of self:values(y_true, y_pred), where what the mask of y_pred leaves out does not count, nor
-- what the values' own mask (a second result) does.
M.MeanOfValues = M.Mean:extend "MeanOfValues"
M.MeanOfValues.signature = nil

function M.MeanOfValues:update_state(y_true, y_pred, sample_weight)
  y_true, y_pred = operands(y_true, y_pred)
  local mask = core.is_tensor(y_pred) and y_pred.mask or nil
  local values, own_mask = self:values(y_true, y_pred)
  if type(values) == "number" then values = core.tensor(values) end
  if not core.is_tensor(values) then
    core.raise(("metric '%s' must return a tensor, got %s"):format(self.name, words.describe(values)))
  end
  if own_mask then
    mask = mask and ops.logical_and(reduction.align(mask, values, "the mask"), own_mask) or own_mask
  end
  if mask then
    mask = reduction.align(ops.astype(mask, self.dtype), values, "the mask")
    if sample_weight ~= nil then
      sample_weight = reduction.align(as_tensor(sample_weight, self.dtype), values, "sample_weight") * mask
    else
      sample_weight = mask
    end
  end
  M.Mean.update_state(self, values, sample_weight)
end

M.MeanMetricWrapper = M.MeanOfValues:extend "MeanMetricWrapper"
M.MeanMetricWrapper.doc = "The mean over samples of a function (y_true, y_pred)."
M.MeanMetricWrapper.signature = {
  { "fn", "function", required = true, doc = "(y_true, y_pred) -> tensor of values per sample" },
}
function M.MeanMetricWrapper:init(args)
  M.Mean.init(self)
  self.fn = args.fn
end
function M.MeanMetricWrapper:values(y_true, y_pred) return self.fn(y_true, y_pred) end

return M
