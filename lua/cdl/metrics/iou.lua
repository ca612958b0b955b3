--- Intersection over union, from a confusion matrix of classes.
local Metric = require "cdl.metrics.metric"
local core = require "cdl.core"
local mean = require "cdl.metrics.mean"
local ops = require "cdl.ops"
local reduction = require "cdl.losses.reduction"

local M = {}

local EPSILON = 1e-7

local rows = {
  num_classes = { "num_classes", "integer", required = true, min = 1, doc = "how many classes there are" },
  target_class_ids = { "target_class_ids", "list",
    required = true, of = "integer", doc = "the classes (from 0) that count" },
  ignore_class = { "ignore_class", "integer", doc = "samples with this label do not count" },
  sparse_y_true = { "sparse_y_true", "boolean", true, doc = "labels are classes, not one-hot" },
  sparse_y_pred = { "sparse_y_pred", "boolean", true, doc = "predictions are classes, not scores" },
  axis = { "axis", "axis", -1, doc = "the axis of scores" },
}
local function pick(names)
  local list = {}
  for name in names:gmatch "%S+" do list[#list + 1] = rows[name] end
  return list
end

local IoU = Metric:extend "IoU"
M.IoU = IoU
IoU.doc = "True positives / (true positives + false positives + false negatives), mean over the given classes."
IoU.default_name = "io_u"
IoU.direction = "max"
IoU.signature = pick "num_classes target_class_ids"
for _, row in ipairs { { "name", "string", doc = "its key in the logs" }, { "dtype", "dtype", "float32",
  doc = "what it computes in" }, rows.ignore_class, rows.sparse_y_true, rows.sparse_y_pred, rows.axis } do
  table.insert(IoU.signature, row)
end

function IoU:start(num_classes, targets)
  for _, id in ipairs(targets or {}) do
    if id < 0 or id >= num_classes then
      core.raise(("%s: target class %d is none of the classes 0 to %d"):format(self.name, id, num_classes - 1))
    end
  end
  self.num_classes, self.targets = num_classes, targets
  -- Pixels are many: float64 counts them exactly.
  self.matrix = self:add_variable { name = "total_confusion_matrix", shape = { num_classes, num_classes },
    dtype = "float64" }
end

function IoU:init(args) self:start(args.num_classes, args.target_class_ids) end

-- Classes of labels or predictions, flat.
local function classes_of(x, is_sparse, axis)
  return ops.flatten(is_sparse and ops.astype(x, "int64") or ops.argmax(x, axis or -1))
end

--- Adds samples, given by their classes, to the matrix. Those of no class are dropped.
function IoU:add_classes(t, p, weights)
  local n = self.num_classes
  local function is_class(x) return ops.logical_and(ops.ge(x, 0), ops.lt(x, n)) end
  local counts = ops.logical_and(is_class(t), is_class(p))
  if self.args.ignore_class then counts = ops.logical_and(counts, ops.ne(t, self.args.ignore_class)) end
  local weight = ops.astype(counts, "float32")
  if weights then weight = weight * weights end
  t, p = ops.one_hot(ops.clip(t, 0, n - 1), n), ops.one_hot(ops.clip(p, 0, n - 1), n)
  local batch = ops.matmul(ops.transpose(t * ops.expand_dims(weight, -1)), p)
  core.assign(self.matrix, self.matrix + batch)
end

function IoU:update_state(y_true, y_pred, sample_weight)
  local t, p = mean.operands(y_true, y_pred)
  local args = self.args
  t, p = classes_of(t, args.sparse_y_true ~= false, args.axis), classes_of(p, args.sparse_y_pred ~= false, args.axis)
  if t.size ~= p.size then
    core.raise(("%s: there are %d labels and %d predictions"):format(self.name, t.size, p.size))
  end
  local weights
  if sample_weight ~= nil then
    weights = mean.as_tensor(sample_weight, "float32")
    if weights.size ~= t.size then
      core.raise(("%s: sample_weight has shape %s, there are %d labels"):format(self.name,
        reduction.braces(weights.shape), t.size))
    end
    weights = ops.flatten(weights)
  end
  self:add_classes(t, p, weights)
end

function IoU:result()
  local hits = ops.sum(self.matrix * ops.eye(self.num_classes), 1)
  local union = ops.sum(self.matrix, 1) + ops.sum(self.matrix, 2) - hits
  if self.targets then
    local ids = core.tensor(self.targets, "int64")
    hits, union = ops.gather(hits, ids), ops.gather(union, ids)
  end
  local occurs = ops.astype(ops.gt(union, 0), "float64")
  local score = reduction.divide(ops.sum(hits / (union + EPSILON) * occurs), ops.sum(occurs))
  return ops.astype(score, "float32")
end

local function derive(name, default_name, doc, names)
  local cls = IoU:extend(name)
  cls.doc, cls.default_name, cls.signature = doc, default_name, pick(names)
  M[name] = cls
  return cls
end

derive("MeanIoU", "mean_io_u", "Intersection over union, mean over all classes that occur.",
  "num_classes ignore_class sparse_y_true sparse_y_pred axis")

derive("OneHotIoU", "one_hot_io_u", "IoU of one-hot labels and scores.",
  "num_classes target_class_ids ignore_class sparse_y_pred axis")
derive("OneHotMeanIoU", "one_hot_mean_io_u", "MeanIoU of one-hot labels and scores.",
  "num_classes ignore_class sparse_y_pred axis")
for _, cls in ipairs { M.OneHotIoU, M.OneHotMeanIoU } do
  for i, row in ipairs(cls.signature) do
    if row == rows.sparse_y_pred then
      cls.signature[i] = { "sparse_y_pred", "boolean", false, doc = row.doc }
    end
  end
  function cls:update_state(y_true, y_pred, sample_weight)
    local t, p = mean.operands(y_true, y_pred)
    IoU.update_state(self, ops.argmax(t, self.args.axis), p, sample_weight)
  end
end

local BinaryIoU = IoU:extend "BinaryIoU"
M.BinaryIoU = BinaryIoU
BinaryIoU.doc = "IoU of 0 and 1: predictions from the threshold on are 1."
BinaryIoU.default_name = "binary_io_u"
BinaryIoU.signature = {
  { "target_class_ids", "list", { 0, 1 }, of = "integer", doc = "which of 0 and 1 count" },
  { "threshold", "number", 0.5, doc = "the least prediction that is 1" },
}
function BinaryIoU:init(args) self:start(2, args.target_class_ids) end
function BinaryIoU:update_state(y_true, y_pred, sample_weight)
  local t, p = mean.operands(y_true, y_pred)
  IoU.update_state(self, t, ops.astype(ops.ge(p, self.args.threshold), "int64"), sample_weight)
end

return M
