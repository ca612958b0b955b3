local cdl = require "cdl"
local close = require "close"

local metrics = cdl.metrics

-- The metric's value after batches {y_true, y_pred, sample_weight}, eager; the same comes out of a
-- traced update.
local function value(make, ...)
  local eager, traced = make(), make()
  for _, batch in ipairs { ... } do
    local t, p, w = batch[1], batch[2], batch[3]
    eager:update_state(t, p, w)
    local update = cdl.jit(function(a, b)
      traced:update_state(a, b, w)
      return b
    end)
    update(cdl.tensor(t), cdl.tensor(p))
  end
  local result = eager:result()
  close(result:totable(), cdl.jit(function() return traced:result() end)(), 1e-6)
  return result
end

local function maker(cls, ...)
  local args = table.pack(...)
  return function() return cls(table.unpack(args, 1, args.n)) end
end

describe("Mean and Sum", function()
  local function of(cls, values, weights)
    local metric = cls()
    metric:update_state(values, weights)
    return metric:result()
  end

  it("have Keras's values", function()
    close(4, of(metrics.Mean, { 1, 3, 5, 7 }))
    close(16, of(metrics.Sum, { 1, 3, 5, 7 }))
    close(2, of(metrics.Mean, { 1, 3, 5, 7 }, { 1, 1, 0, 0 }))
    close(4, of(metrics.Sum, { 1, 3, 5, 7 }, { 1, 1, 0, 0 }))
    local rows = { { 1, 3 }, { 5, 7 } }
    close(3, of(metrics.Mean, rows, { { 1, 1 }, { 1, 0 } }))
    close(9, of(metrics.Sum, rows, { { 1, 1 }, { 1, 0 } }))
    close(3, of(metrics.Mean, rows, { { 1, 0 } }))
    close(6, of(metrics.Sum, rows, { { 1, 0 } }))
    close(4, of(metrics.Mean, rows))
    close(2, of(metrics.Mean, rows, { 1, 0 }))
  end)

  it("weigh a batch's number by its size", function()
    local mean = metrics.Mean { name = "loss" }
    mean:update_state(2, 30)
    mean:update_state(cdl.tensor(5), 10)
    close((60 + 50) / 40, mean:result())
    mean:reset_state()
    close(0, mean:result())
    mean:update_state(7)
    close(7, mean:result())
  end)

  it("refuse weights that do not fit", function()
    assert.error_matches(function() metrics.Mean():update_state({ 1, 2, 3 }, { 1, 2 }) end,
      "sample_weight has shape {2}, which does not fit values of shape {3}")
    assert.error_matches(function() metrics.Mean():update_state({ 1, 2 }, { { 1, 2 }, { 3, 4 } }) end,
      "sample_weight has shape {2, 2}")
  end)
end)

describe("accuracies", function()
  it("of binary predictions", function()
    local t = { { 1 }, { 1 }, { 0 }, { 0 } }
    local p = { { 0.98 }, { 1 }, { 0 }, { 0.6 } }
    close(0.75, value(metrics.BinaryAccuracy, { t, p }))
    close(0.5, value(metrics.BinaryAccuracy, { t, p, { 1, 0, 0, 1 } }))
    close(0.75, value(metrics.BinaryAccuracy, { { 1, 1, 0, 0 }, p }))
    local q = { { 0.98 }, { 0.5 }, { 0.1 }, { 0.2 } }
    close(1, value(maker(metrics.BinaryAccuracy, { threshold = 0.3 }), { t, q }))
    close(0.75, value(maker(metrics.BinaryAccuracy, { threshold = 0.9 }), { t, q }))
    close(0.5, value(metrics.BinaryAccuracy, { { { 1, 0 } }, { { 0.5, 0.5 } } }))
  end)

  it("of classes", function()
    local t, p = { { 0, 0, 1 }, { 0, 1, 0 } }, { { 0.1, 0.9, 0.8 }, { 0.05, 0.95, 0 } }
    close(0.5, value(metrics.CategoricalAccuracy, { t, p }))
    close(0.3, value(metrics.CategoricalAccuracy, { t, p, { 0.7, 0.3 } }))
    close(0.3, value(maker(metrics.TopKCategoricalAccuracy, 1), { t, p, { 0.7, 0.3 } }))
    close(1, value(maker(metrics.TopKCategoricalAccuracy, 2), { t, p }))
    close(1, value(metrics.TopKCategoricalAccuracy, { t, p }))
  end)

  it("of integer labels", function()
    local t, p = { { 2 }, { 1 } }, { { 0.1, 0.6, 0.3 }, { 0.05, 0.95, 0 } }
    close(0.5, value(metrics.SparseCategoricalAccuracy, { t, p }))
    close(0.3, value(metrics.SparseCategoricalAccuracy, { t, p, { 0.7, 0.3 } }))
    close(0.5, value(metrics.SparseCategoricalAccuracy, { { 2, 1 }, p }))
    close(0.5, value(maker(metrics.SparseTopKCategoricalAccuracy, { k = 1 }), { { 2, 1 }, p }))
    close(1, value(maker(metrics.SparseTopKCategoricalAccuracy, { k = 2 }), { { 2, 1 }, p }))
    close(0.5, value(maker(metrics.SparseTopKCategoricalAccuracy, { k = 1, from_sorted_ids = true }),
      { { 2, 1 }, { { 1, 0, 3 }, { 1, 2, 3 } } }))
    -- A tie with the k-th counts; the first of equal largest wins.
    close(1, value(maker(metrics.SparseTopKCategoricalAccuracy, { k = 1 }), { { 1 }, { { 0.5, 0.5, 0 } } }))
    close(0, value(metrics.SparseCategoricalAccuracy, { { 1 }, { { 0.5, 0.5, 0 } } }))
  end)

  it("of sequences, by the mask", function()
    local p = cdl.tensor { { { 0.9, 0.1 }, { 0.2, 0.8 }, { 0.7, 0.3 } } }
    p.mask = cdl.tensor { { true, true, false } }
    local metric = metrics.SparseCategoricalAccuracy()
    metric:update_state({ { 0, 0, 1 } }, p)
    close(0.5, metric:result())
  end)

  it("are exact over batches of different sizes", function()
    close(3 / 4, value(metrics.SparseCategoricalAccuracy,
      { { 1 }, { { 0, 1 } } }, { { 0, 0, 1 }, { { 1, 0 }, { 0, 1 }, { 0, 1 } } }))
  end)

  it("say which shapes do not fit", function()
    assert.error_matches(function() metrics.CategoricalAccuracy():update_state({ 1, 2 }, { { 1, 2 }, { 3, 4 } }) end,
      "categorical_accuracy: y_true has shape {2}, y_pred {2, 2}")
    assert.error_matches(function()
      metrics.SparseCategoricalAccuracy():update_state({ 1, 2, 0 }, { { 1, 2 }, { 3, 4 } })
    end, "sparse_categorical_accuracy: y_true has shape {3}, y_pred {2, 2}")
  end)
end)

describe("losses as metrics", function()
  local t, p = { { 1, 9, 2 }, { -5, -2, 6 } }, { { 4, 8, 12 }, { 8, 1, 3 } }

  it("are means over all samples", function()
    close(49.5, value(metrics.MeanSquaredError, { t, p }))
    close((110 / 3 * 1.2 + 187 / 3 * 3.4) / 4.6, value(metrics.MeanSquaredError, { t, p, { 1.2, 3.4 } }))
    close((110 / 3 + 2 * 187 / 3) / 3, value(metrics.MeanSquaredError, { t, p }, { { t[2] }, { p[2] } }))
    close(5.5, value(metrics.MeanAbsoluteError, { t, p }))
    close(math.sqrt(49.5), value(metrics.RootMeanSquaredError, { t, p }))
    close(10 / math.sqrt(21 * 9), value(metrics.CosineSimilarity, { { { 1, 2, 4 } }, { { 2, 2, 1 } } }))
    close(math.log(2), value(metrics.BinaryCrossentropy, { { 1 }, { 0.5 } }))
    close(-math.log(0.8), value(metrics.SparseCategoricalCrossentropy, { { 1 }, { { 0.2, 0.8 } } }))
    assert.equal("logcosh", metrics.LogCoshError().name)
  end)

  it("leave out the class that is ignored", function()
    close(-math.log(0.8), value(maker(metrics.SparseCategoricalCrossentropy, { ignore_class = -1 }),
      { { 1, -1 }, { { 0.2, 0.8 }, { 0.5, 0.5 } } }))
  end)

  it("know where better is", function()
    assert.equal("min", metrics.MeanSquaredError().direction)
    assert.equal("max", metrics.CosineSimilarity().direction)
    assert.equal("max", metrics.BinaryAccuracy().direction)
    assert.equal("max", metrics.AUC().direction)
    assert.is_nil(metrics.Mean().direction)
    assert.is_nil(metrics.TruePositives().direction)
    assert.equal("min", metrics.get(cdl.losses.huber).direction)
  end)
end)

describe("confusion metrics", function()
  it("count at thresholds", function()
    local t, p = { 0, 1, 1, 0, 1 }, { 0.9, 0.6, 0.4, 0.1, 0.5 }
    close(1, value(metrics.TruePositives, { t, p }))
    close(1, value(metrics.FalsePositives, { t, p }))
    close(1, value(metrics.TrueNegatives, { t, p }))
    close(2, value(metrics.FalseNegatives, { t, p }))
    close({ 3, 1 }, value(maker(metrics.TruePositives, { { 0.3, 0.5 } }), { t, p }))
    close(3, value(metrics.FalseNegatives, { t, p, { 1, 1, 2, 1, 1 } }))
  end)

  it("give precision and recall", function()
    for _, cls in ipairs { metrics.Precision, metrics.Recall } do
      close(0.5, value(cls, { { 0, 1, 1, 0 }, { 1, 0, 1, 0 } }))
      close(0, value(cls, { { 0, 0 }, { 0, 0 } }))
    end
    close(0.7, value(metrics.Precision, { { { 0, 1, 1, 0 }, { 1, 0, 0, 1 } }, { { 1, 0, 1, 0 }, { 1, 0, 1, 0 } },
      { { 1, 2, 3, 4 }, { 4, 3, 2, 1 } } }))
    close({ 0.5, 0 }, value(maker(metrics.Precision, { thresholds = { 0.5, 0.7 } }),
      { { 0, 1, 1, 0 }, { 1, 0, 0.6, 0 } }))
  end)

  it("take the k largest, or one class", function()
    local t, p = { { 0, 1, 1, 0, 0 } }, { { 0.2, 0.1, 0.5, 0, 0.2 } }
    close(1 / 3, value(maker(metrics.Precision, { top_k = 3 }), { t, p }))
    close(0.5, value(maker(metrics.Recall, { top_k = 3 }), { t, p }))
    close(1, value(maker(metrics.Precision, { class_id = 2 }), { { { 1, 0, 1 }, { 0, 1, 0 } },
      { { 0.1, 0.9, 0.8 }, { 0.9, 0.1, 0.2 } } }))
    assert.error_matches(function() metrics.Recall { class_id = 5 }:update_state(t, p) end,
      "class_id is 5, but shape {1, 5} has the classes 0 to 4")
    assert.error_matches(function() metrics.Precision { 1.5 } end, "thresholds must be numbers from 0 to 1, got 1.5")
  end)
end)

describe("AUC", function()
  local t, p, w = { 0, 0, 1, 1 }, { 0, 0.5, 0.3, 0.9 }, { 1, 2, 3, 4 }

  it("has Keras's areas", function()
    close(0.75, value(maker(metrics.AUC, 3), { t, p }))
    local expected = {
      ROC = { interpolation = 0.7855, majoring = 1, minoring = 0.571 },
      PR = { interpolation = 6.416 / 7, majoring = 1, minoring = 0.3 },
      PRGAIN = { interpolation = 0.5 },
    }
    for curve, methods in pairs(expected) do
      for method, area in pairs(methods) do
        close(area, value(maker(metrics.AUC, { 3, curve, method }), { t, p, w }), 1e-3)
      end
    end
    close(0.75, value(maker(metrics.AUC, { thresholds = { 0.5 } }), { t, p }))
    close(0.75, value(maker(metrics.AUC, { 3, from_logits = true }), { t, { -20, 0, -1, 9 } }))
  end)

  it("is near the exact area with many thresholds, over batches", function()
    close(0.75, value(metrics.AUC, { { 0, 1 }, { 0, 0.3 } }, { { 0, 1 }, { 0.5, 0.9 } }), 1e-3)
  end)

  it("takes labels apart", function()
    local labels = { { { 0, 1 }, { 1, 0 }, { 1, 1 } }, { { 0.1, 0.2 }, { 0.8, 0.9 }, { 0.7, 0.95 } } }
    close((1 + 0.5) / 2, value(maker(metrics.AUC, { multi_label = true }), labels), 1e-3)
    close((3 * 1 + 0.5) / 4, value(maker(metrics.AUC, { multi_label = true, label_weights = { 3, 1 } }), labels), 1e-3)
    assert.error_matches(function()
      local metric = metrics.AUC { multi_label = true, num_labels = 3 }
      metric:update_state(labels[1], labels[2])
    end, "3 labels are wanted")
  end)

  it("has the best rate where another is good enough", function()
    local labels = { 0, 0, 0, 0, 0, 1, 1, 1, 1, 1 }
    local scores = { 0, 0.1, 0.2, 0.3, 0.4, 0.1, 0.45, 0.5, 0.8, 0.9 }
    close(0.8, value(maker(metrics.SensitivityAtSpecificity, 0.8), { labels, scores }))
    close(1, value(maker(metrics.SpecificityAtSensitivity, 0.8), { labels, scores }))
    close(1, value(maker(metrics.PrecisionAtRecall, 0.8), { labels, scores }))
    close(0.8, value(maker(metrics.RecallAtPrecision, 0.9), { labels, scores }))
    close(0, value(maker(metrics.RecallAtPrecision, 1), { { 1, 0 }, { 0.1, 0.9 } }))
  end)
end)

describe("scores", function()
  it("F-beta has Keras's values", function()
    local t, p = { { 0, 0, 1 }, { 1, 1, 0 }, { 1, 1, 1 } }, { { 0.7, 0.7, 0.7 }, { 1, 0, 0 }, { 0.9, 0.8, 0 } }
    local expected = {
      [0.5] = { { 0.714, 0.5, 0.833 }, 0.6667, 0.6825 },
      [1] = { { 0.8, 0.5, 0.667 }, 0.6667, 0.6556 },
      [2] = { { 0.909, 0.5, 0.556 }, 0.6667, 0.6549 },
    }
    for beta, row in pairs(expected) do
      local function with(average) return maker(metrics.FBetaScore, average, beta, 0.66) end
      close(row[1], value(with(nil), { t, p }), 1e-3)
      close(row[2], value(with "micro", { t, p }), 1e-3)
      close(row[3], value(with "macro", { t, p }), 1e-3)
    end
    -- Without a threshold the largest of a row is positive.
    close({ 1, 2 / 3 }, value(metrics.F1Score,
      { { { 1, 0 }, { 0, 1 }, { 0, 0 } }, { { 0.4, 0.3 }, { 0.1, 0.2 }, { 0.1, 0.3 } } }))
  end)

  it("R2 has Keras's values", function()
    local t, p = { { 0, 0, 1 }, { 0, 1, 0 }, { 1, 0, 0 } }, { { 0.4, 0.5, 0.6 }, { 0.1, 0.2, 0.3 }, { 0.5, 0.8, 0.2 } }
    close({ 0.37, -1.295, 0.565 }, value(maker(metrics.R2Score, { class_aggregation = cdl.null }), { t, p }))
    close(-0.12, value(metrics.R2Score, { t, p }))
    close({ -0.26, -3.59, 0.13 },
      value(maker(metrics.R2Score, { class_aggregation = cdl.null, num_regressors = 1 }), { t, p }))
    close(0.37, value(metrics.R2Score, { { 0, 0, 1 }, { 0.4, 0.1, 0.5 } }))
  end)

  it("correlations compare rows", function()
    local t, p = { { 0, 1, 0.5 }, { 1, 1, 0.2 } }, { { 0.1, 0.9, 0.5 }, { 1, 0.9, 0.2 } }
    close(0.9966996338993913, value(metrics.PearsonCorrelation, { t, p }), 1e-5)
    close(0.9816320385426076, value(metrics.ConcordanceCorrelation, { t, p }), 1e-5)
  end)

  it("intersection over union has Keras's values", function()
    local t, p, w = { 0, 0, 1, 1 }, { 0, 1, 0, 1 }, { 0.3, 0.3, 0.3, 0.1 }
    close(1 / 3, value(maker(metrics.IoU, 2, { 0 }), { t, p }))
    close((0.3 / 0.9 + 0.1 / 0.7) / 2, value(maker(metrics.MeanIoU, 2), { t, p, w }))
    -- Label 2 is ignored, label 5 is no class, class 2 does not occur.
    close(1 / 2, value(maker(metrics.MeanIoU, 3, { ignore_class = 2 }), { { 0, 0, 1, 2, 5 }, { 0, 1, 1, 0, 1 } }))
    close((2 / 3 + 1 / 2) / 2, value(metrics.BinaryIoU, { { 0, 1, 0, 1 }, { 0.1, 0.2, 0.4, 0.7 } }))
    close(1, value(maker(metrics.OneHotMeanIoU, 2), { { { 0, 1 }, { 1, 0 } }, { { 0.2, 0.8 }, { 0.6, 0.4 } } }))
    assert.error_matches(function() metrics.IoU(2, { 2 }) end, "target class 2 is none of the classes 0 to 1")
  end)
end)

describe("metrics.get", function()
  local function shape(...) return { shape = { ... } } end

  it("resolves accuracy and crossentropy by shapes, under the name that was typed", function()
    local function kind(name, t, p)
      local metric, log_name = metrics.get(name, t, p)
      assert.equal(name, log_name)
      assert.equal(name, metric.name)
      return metric.class_name
    end
    assert.equal("BinaryAccuracy", kind("acc", shape(8, 1), shape(8, 1)))
    assert.equal("SparseCategoricalAccuracy", kind("accuracy", shape(8), shape(8, 3)))
    assert.equal("SparseCategoricalAccuracy", kind("Accuracy", shape(8, 1), shape(8, 3)))
    assert.equal("CategoricalAccuracy", kind("acc", shape(8, 3), shape(8, 3)))
    assert.equal("CategoricalCrossentropy", kind("ce", shape(8, 3), shape(8, 3)))
    assert.equal("MeanSquaredError", kind("mse", shape(8, 3), shape(8, 3)))
    assert.equal("AUC", kind("AUC", shape(8, 1), shape(8, 1)))
    assert.equal("TopKCategoricalAccuracy", kind("top_k_categorical_accuracy", shape(8, 9), shape(8, 9)))
  end)

  it("takes objects, classes and functions", function()
    local auc = metrics.AUC { name = "area" }
    local metric, name = metrics.get(auc)
    assert.equal(auc, metric)
    assert.equal("area", name)
    assert.equal("precision", select(2, metrics.get(metrics.Precision)))
    assert.equal("mean_squared_error", select(2, metrics.get(cdl.losses.mse)))
    assert.equal("binary_accuracy", select(2, metrics.get(metrics.binary_accuracy)))
    local own
    own, name = metrics.get(function(t, p) return (t - p):abs() end)
    assert.equal("metric", name)
    own:update_state({ 1, 2 }, { 2, 5 })
    close(2, own:result())
  end)

  it("suggests", function()
    assert.error_matches(function() metrics.check_name "acuracy" end,
      "unknown metric 'acuracy' %(did you mean 'accuracy'%?%)")
    metrics.check_name "acc"
    metrics.check_name "mae"
    assert.error_matches(function() metrics.get(7) end, "metric must be a name, an object or a function, got 7")
  end)
end)

describe("a metric of one's own", function()
  local Largest = cdl.Metric:extend "Largest"
  Largest.direction = "max"
  function Largest:init(args)
    self.scale = args.scale or 1
    self.largest = self:add_variable { name = "largest", initializer = cdl.initializers.Constant(-5) }
    self.rows = self:add_variable { name = "rows", dtype = "int64" }
  end
  function Largest:update_state(_, y_pred)
    self.largest:assign(cdl.maximum(self.largest, y_pred:max() * self.scale))
    self.rows:assign_add(y_pred.shape[1])
  end
  function Largest:result() return self.largest end

  it("works eagerly and is reset to its initial values", function()
    local metric = Largest { scale = 2, name = "top" }
    assert.equal("top", metric.name)
    assert.equal("largest", Largest().name)
    close(-5, metric:result())
    metric:update_state(nil, cdl.tensor { 1, 3 })
    close(6, metric(nil, cdl.tensor { 2 }))
    assert.equal(3, metric.rows:item())
    metric:reset_state()
    close(-5, metric:result())
    assert.equal(0, metric.rows:item())
    assert.same({ "top/largest", "top/rows" }, { metric.variables[1].path, metric.variables[2].path })
  end)

  it("is known by the tensor that its result returned", function()
    local metric, other = Largest(), metrics.Mean()
    assert.equal(metric, metrics.result_of(metric:result()))
    cdl.jit(function(x)
      metric:update_state(nil, x)
      local a, b = metric:result(), other:result()
      assert.equal(metric, metrics.result_of(a))
      assert.equal(other, metrics.result_of(b))
      assert.is_nil(metrics.result_of(x))
      return a
    end)(cdl.tensor { 1, 2 })
    close(2, metric:result())
  end)

  it("trains in a model", function()
    cdl.random.seed(3)
    local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = { 2 }, kernel_initializer = "ones" } }
    model:compile { optimizer = cdl.optimizers.SGD(0.0), loss = "mse",
      metrics = { Largest { name = "top" }, "mae", metrics.AUC { curve = "PR" } } }
    local history = model:fit(cdl.tensor { { 1, 1 }, { 2, 2 }, { 3, 4 } }, cdl.tensor { { 0 }, { 1 }, { 1 } },
      { batch_size = 2, epochs = 2, verbose = 0 })
    close({ 7, 7 }, cdl.tensor(history.history.top))
    close({ 11 / 3, 11 / 3 }, cdl.tensor(history.history.mae))
    assert.is_number(history.history.auc[1])
  end)

  it("must define what is called", function()
    local Empty = cdl.Metric:extend "Empty"
    assert.error_matches(function() Empty():update_state(1, 2) end, "metric 'Empty' defines no update_state")
    assert.error_matches(function() Empty():result() end, "metric 'Empty' defines no result")
    local Wrong = cdl.Metric:extend "Wrong"
    function Wrong:result() return "three" end
    assert.error_matches(function() Wrong():result() end, "metric 'wrong': result must return a tensor")
  end)
end)
