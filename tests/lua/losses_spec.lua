local cdl = require "cdl"
local close = require "close"

local losses = cdl.losses

-- Numbers of Keras's own tests.
local T, P = cdl.tensor { { 1, 9, 2 }, { -5, -2, 6 } }, cdl.tensor { { 4, 8, 12 }, { 8, 1, 3 } }
local PROBABILITIES = cdl.tensor { { 0.9, 0.05, 0.05 }, { 0.5, 0.89, 0.6 }, { 0.05, 0.01, 0.94 } }
local LOGITS = cdl.tensor { { 8, 1, 1 }, { 0, 9, 1 }, { 2, 3, 5 } }
local LABELS, ONE_HOT = cdl.tensor({ 0, 1, 2 }, "int64"), cdl.eye(3)
local TIMES = cdl.tensor { { 3, 6, 5 }, { 0, 4, 2 } }

local function steps(x) return x:reshape { 2, 3, 1 } end

-- The loss, eager; and the same from a traced function.
local function value(loss, t, p, w)
  local eager = loss(t, p, w)
  local f = cdl.jit(function(a, b) return loss(a, b, w) end)
  close(eager:totable(), f(t, p), 1e-6)
  return eager
end

describe("mean_squared_error", function()
  it("has Keras's values with weights", function()
    local mse = losses.MeanSquaredError()
    close(49.5, value(mse, T, P))
    close(113.85, value(mse, T, P, 2.3))
    close(767.8 / 6, value(mse, T, P, { { 1.2 }, { 3.4 } }))
    close(767.8 / 6, value(mse, T, P, { 1.2, 3.4 }))
    close(0, value(mse, T, P, 0))
    close(97.833336, value(mse, steps(T), steps(P), TIMES))
  end)

  it("has Keras's reductions", function()
    local function with(reduction) return losses.MeanSquaredError { reduction = reduction } end
    close(227.69998, value(with "sum", T, P, 2.3))
    close({ 84.3333, 143.3666 }, value(with(cdl.null), T, P, 2.3), 1e-5)
    close({ 84.3333, 143.3666 }, value(with "none", T, P, 2.3), 1e-5)
    close((110 / 3 * 1.2 + 187 / 3 * 3.4) / 4.6, value(with "mean_with_sample_weight", T, P, { 1.2, 3.4 }))
    close(49.5, value(with "mean_with_sample_weight", T, P))
    close(0, value(with "mean_with_sample_weight", T, P, { 0, 0 }))
    close(49.5, value(with "mean", T, P))
    assert.error_matches(function() with "men" end, "reduction must be one of .*did you mean 'mean'")
  end)

  it("repairs ranks that differ by an axis of 1, and refuses others", function()
    assert.same({ 3 }, losses.mse(cdl.ones { 3 }, cdl.ones { 3, 1 }).shape)
    close({ 1, 1, 1 }, losses.mse(cdl.zeros { 3, 1 }, cdl.ones { 3 }))
    close({ { 1, 1 } }, losses.mse(cdl.zeros { 1, 2, 3, 1 }, cdl.ones { 1, 2, 3 }))
    assert.error_matches(function() losses.mse(cdl.ones { 3 }, cdl.ones { 3, 3 }) end,
      "mean_squared_error: y_true has shape {3}, y_pred {3, 3}")
    assert.error_matches(function() losses.MeanSquaredError()(cdl.ones { 3, 2 }, cdl.ones { 3, 4 }) end,
      "y_true has shape {3, 2}, y_pred {3, 4}")
  end)

  it("refuses weights that do not fit", function()
    assert.error_matches(function() losses.MeanSquaredError()(T, P, { 1, 2, 3 }) end,
      "sample_weight has shape {3}, which does not fit values of shape {2}")
  end)

  it("takes a number and integers as labels", function()
    close(1, value(losses.MeanSquaredError(), cdl.zeros({ 2 }, "int64"), cdl.ones { 2 }))
    close(4, losses.MeanSquaredError()(3, cdl.ones { 2, 2 }))
    close(0.25, losses.get "mse"({ 1, 2 }, { 1.5, 2.5 }))
  end)
end)

describe("mean_absolute_error", function()
  it("has Keras's values", function()
    local mae = losses.MeanAbsoluteError()
    close(5.5, value(mae, T, P))
    close(12.65, value(mae, T, P, 2.3))
    close(81.4 / 6, value(mae, T, P, { 1.2, 3.4 }))
    close(13.833333, value(mae, steps(T), steps(P), TIMES))
    close(25.29999, value(losses.MeanAbsoluteError { reduction = "sum" }, T, P, 2.3))
  end)
end)

describe("other losses of numbers", function()
  local t, p = cdl.tensor { { 1, 2, 4 } }, cdl.tensor { { 2, 2, 1 } }

  it("follow their formulas", function()
    close(100 * (1 + 0 + 0.75) / 3, value(losses.MeanAbsolutePercentageError(), t, p))
    close((math.log(3 / 2) ^ 2 + math.log(2 / 5) ^ 2) / 3, value(losses.MeanSquaredLogarithmicError(), t, p))
    close(-(2 + 4 + 4) / math.sqrt(21 * 9), value(losses.CosineSimilarity(), t, p))
    local function log_cosh(x) return math.log((math.exp(x) + math.exp(-x)) / 2) end
    close((log_cosh(1) + log_cosh(-3)) / 3, value(losses.LogCosh(), t, p))
    close((2 - math.log(2) + 2 - 2 * math.log(2) + 1) / 3, value(losses.Poisson(), t, p))
  end)

  it("bend Huber's line at delta", function()
    local x, y = cdl.tensor { { 1, 0, 1 }, { 1, 0, 0 } }, cdl.tensor { { 0.9, 0.2, 0.2 }, { 0.8, 0.4, 0.6 } }
    close(0.625 / 6, value(losses.Huber(), x, y))
    close((0.5 + 0.5 + 0.125) / 3, value(losses.Huber(0.5), cdl.zeros { 1, 3 }, cdl.tensor { { 1.25, -1.25, 0.5 } }))
    close(3 * 0.5 - 0.125, value(losses.Huber(0.5), cdl.zeros { 1, 1 }, cdl.tensor { { 3 } }))
  end)

  it("map binary labels for hinges when the whole batch is binary", function()
    local scores = cdl.tensor { { 0.3, -0.2, 2 } }
    close((0.7 + 0.8 + 0) / 3, value(losses.Hinge(), cdl.tensor { { 1, -1, 1 } }, scores))
    close((0.7 + 0.8 + 0) / 3, value(losses.Hinge(), cdl.tensor { { 1, 0, 1 } }, scores))
    close((0.7 + 1 + 0) / 3, value(losses.Hinge(), cdl.tensor { { 1, 0, 2 } }, scores))
    close((0.49 + 0.64) / 3, value(losses.SquaredHinge(), cdl.tensor { { 1, 0, 1 } }, scores))
    close(math.max(2 - 0.3 + 1, 0), value(losses.CategoricalHinge(), cdl.tensor { { 1, 0, 0 } }, scores))
  end)

  it("compare distributions and masks", function()
    local a, b = cdl.tensor { { 0.4, 0.6 } }, cdl.tensor { { 0.5, 0.5 } }
    close(0.4 * math.log(0.8) + 0.6 * math.log(1.2), value(losses.KLDivergence(), a, b))
    close(1 - 2 * 0.5 / 2, value(losses.Dice(), a, b), 1e-5)
    local hits, fp, fn = 0.5, 0.6 * 0.5 + 0.4 * 0.5, 0.4 * 0.5 + 0.6 * 0.5
    close(1 - hits / (hits + 0.3 * fp + 0.7 * fn), value(losses.Tversky(0.3, 0.7), a, b))
  end)
end)

describe("binary_crossentropy", function()
  local eye, p = cdl.eye(3), cdl.tensor { { 0.9, 0.1, 0.2 }, { 0.3, 0.8, 0.1 }, { 0.1, 0.2, 0.7 } }
  local z, y = cdl.tensor { { 10, -10, 10 }, { 10, 10, -10 } }, cdl.tensor { { 1, 0, 1 }, { 0, 1, 1 } }

  it("has Keras's values on probabilities, clipped as in float32", function()
    close(0.20046903, value(losses.BinaryCrossentropy(), eye, p), 1e-6)
    close(3.98559, value(losses.BinaryCrossentropy(), cdl.tensor { { 1, 0 }, { 1, 0 } },
      cdl.tensor { { 1, 1 }, { 1, 0 } }), 1e-5)
  end)

  it("has Keras's values on logits", function()
    local bce = losses.BinaryCrossentropy { from_logits = true }
    close(3.3333, value(bce, y, z), 1e-4)
    close(10, value(bce, y, z, { 4, 3 }), 1e-4)
    close({ 0, 6.666 }, value(losses.BinaryCrossentropy { true, reduction = "none" }, y, z), 1e-3)
    close((10 + 5 * 0.1) / 3, value(losses.BinaryCrossentropy { true, 0.1 }, cdl.tensor { { 1, 0, 1 } },
      cdl.tensor { { 10, -10, -10 } }), 1e-4)
    close(500, value(bce, cdl.tensor { { 0, 1 } }, cdl.tensor { { 1000, 1000 } }))
  end)

  it("takes a number for all labels", function()
    close(math.log(2), losses.BinaryCrossentropy()(1, cdl.full({ 4, 1 }, 0.5)))
  end)

  it("refuses shapes that would broadcast", function()
    assert.error_matches(function() losses.BinaryCrossentropy()(cdl.ones { 3, 1 }, p) end,
      "binary_crossentropy: y_true has shape {3, 1}, y_pred {3, 3}; they must be the same")
  end)

  it("has a focal form", function()
    local t, q = cdl.tensor { { 1, 0 } }, cdl.tensor { { 0.7, 0.4 } }
    local easy, hard = 0.3 ^ 2 * -math.log(0.7), 0.4 ^ 2 * -math.log(0.6)
    close((easy + hard) / 2, value(losses.BinaryFocalCrossentropy(), t, q))
    close((0.25 * easy + 0.75 * hard) / 2, value(losses.BinaryFocalCrossentropy { apply_class_balancing = true }, t, q))
  end)
end)

describe("categorical crossentropies", function()
  local function both(from_logits, target, w, expected, tolerance)
    local categorical = losses.CategoricalCrossentropy { from_logits = from_logits }
    local sparse = losses.SparseCategoricalCrossentropy { from_logits = from_logits }
    close(expected, value(categorical, ONE_HOT, target, w), tolerance)
    close(expected, value(sparse, LABELS, target, w), tolerance)
    close(expected, value(sparse, LABELS:reshape { 3, 1 }:astype "float32", target, w), tolerance)
  end

  it("have Keras's values", function()
    both(false, PROBABILITIES, nil, 0.3239, 1e-3)
    both(false, PROBABILITIES, 2.3, 0.7449, 1e-3)
    both(false, PROBABILITIES, { 1.2, 3.4, 5.6 }, 1.0696, 1e-3)
    both(true, LOGITS, nil, 0.0573, 1e-3)
    both(true, LOGITS, 2.3, 0.1317, 1e-3)
    both(true, LOGITS, { 1.2, 3.4, 5.6 }, 0.31829, 1e-3)
    close({ 0.001822, 0.000459, 0.169846 },
      value(losses.SparseCategoricalCrossentropy { true, reduction = "none" }, LABELS, LOGITS), 1e-5)
  end)

  it("smooth labels", function()
    close(400 * 0.1 / 3, value(losses.CategoricalCrossentropy { true, 0.1 }, cdl.tensor { { 1, 0, 0 } },
      cdl.tensor { { 100, -100, -100 } }), 1e-4)
  end)

  it("ignore a class, in the mean too", function()
    local z = cdl.tensor { { { 0.854, 0.698, 0.598 }, { 0.088, 0.86, 0.018 } } }
    local t = cdl.tensor({ { -1, 2 } }, "int64")
    local function loss(reduction, logits)
      return losses.SparseCategoricalCrossentropy { logits, -1, reduction }
    end
    close({ { 0, 1.480129 } }, value(loss("none", true), t, z), 1e-4)
    close(1.480129, value(loss("sum_over_batch_size", true), t, z), 1e-4)
    close({ { 0, 1.480129 } }, value(loss("none", false), t, cdl.softmax(z)), 1e-4)
    close(1.480129, value(loss("sum_over_batch_size", false), t, cdl.softmax(z)), 1e-4)
  end)

  it("work along another axis", function()
    local p = PROBABILITIES:transpose()
    close(0.3239, value(losses.CategoricalCrossentropy { axis = 1 }, ONE_HOT, p), 1e-3)
    close(0.3239, value(losses.SparseCategoricalCrossentropy { axis = 1 }, LABELS, p), 1e-3)
  end)

  it("take one pass over logits behind a softmax, with the clipped values and gradients", function()
    local z = cdl.tensor { { 3, 1, -2 }, { 60, 0, 0 }, { 0.5, 0.2, 0.1 } }
    for _, case in ipairs {
      { losses.SparseCategoricalCrossentropy { reduction = "none" }, cdl.tensor({ 1, 1, 0 }, "int64") },
      { losses.CategoricalCrossentropy { reduction = "none" },
        cdl.tensor { { 0, 1, 0 }, { 0, 1, 0 }, { 0.5, 0.25, 0.25 } } },
    } do
      local loss, t = case[1], case[2]
      local plain = loss(t, cdl.softmax(z))
      local fused = cdl.jit(function(x) return loss(t, cdl.softmax(x)) end)
      close(plain:totable(), fused(z), 1e-5)
      assert.near(16.118, plain[2], 1e-2)
      local gradient = cdl.grad(function(x) return loss(t, cdl.softmax(x)) end)(z)
      -- A probability that is no longer seen through a softmax takes the plain way.
      local expected = cdl.grad(function(x) return loss(t, cdl.softmax(x) * 1) end)(z)
      close(expected:totable(), gradient, 1e-4)
      close({ 0, 0, 0 }, gradient[2], 1e-5)
    end
  end)

  it("refuse labels of the wrong kind", function()
    assert.error_matches(function() losses.CategoricalCrossentropy()(LABELS, PROBABILITIES) end,
      "categorical_crossentropy: y_true has shape {3}, y_pred {3, 3}; .*sparse_categorical_crossentropy")
    assert.error_matches(function() losses.SparseCategoricalCrossentropy()(ONE_HOT, PROBABILITIES) end,
      "sparse_categorical_crossentropy: y_true has shape {3, 3}, y_pred {3, 3}; integer labels of shape {3}")
    assert.error_matches(function() losses.SparseCategoricalCrossentropy()({ 0, 1, 3 }, PROBABILITIES) end, "3")
    assert.error_matches(function() losses.SparseCategoricalCrossentropy()({ 0, 1.5, 2 }, PROBABILITIES) end, "1.5")
  end)

  it("have focal and noisy-label forms", function()
    local t, q = cdl.tensor { { 0, 1 } }, cdl.tensor { { 0.3, 0.7 } }
    close(0.25 * 0.3 ^ 2 * -math.log(0.7), value(losses.CategoricalFocalCrossentropy(), t, q))
    close((1 - 0.7 ^ 0.5) / 0.5, value(losses.CategoricalGeneralizedCrossEntropy(), cdl.tensor({ 1 }, "int64"), q))
  end)
end)

describe("masks", function()
  local Squares = losses.Loss:extend "Squares"
  function Squares:call(t, p) return (t - p):square() end
  local t = cdl.tensor { 1, 0, 1, 0 }
  local w = cdl.tensor { 0.4, 0.3, 0.2, 0.1 }

  local function masked(list, rows)
    local p = cdl.tensor { 0.1, 0.2, 0.3, 0.4 }
    local mask = cdl.tensor(list)
    if rows then p, mask = cdl.stack { p, p }, cdl.stack { mask, mask } end
    p.mask = mask
    return p
  end

  it("leave values out of the mean", function()
    local kept = { true, false, true, true }
    close((0.81 + 0.49 + 0.16) / 3, Squares()(t, masked(kept)))
    close((0.4 * 0.81 + 0.2 * 0.49 + 0.1 * 0.16) / 3, Squares()(t, masked(kept), w))
    close((0.4 * 0.81 + 0.2 * 0.49 + 0.1 * 0.16) / 3,
      Squares()(cdl.stack { t, t }, masked(kept, true), cdl.stack { w, w }))
    close(0.81 + 0.49 + 0.16, Squares { reduction = "sum" }(t, masked(kept)))
    close((0.4 * 0.81 + 0.2 * 0.49 + 0.1 * 0.16) / 0.7,
      Squares { reduction = "mean_with_sample_weight" }(t, masked(kept), w))
  end)

  it("may leave out everything", function()
    close(0, Squares()(t, masked { false, false, false, false }))
  end)
end)

describe("losses.get", function()
  it("takes names, aliases, classes, objects and functions", function()
    close(49.5, losses.get "MSE"(T, P))
    close(49.5, losses.get "MeanSquaredError"(T, P))
    close(49.5, losses.get(losses.mean_squared_error)(T, P))
    close(5.5, losses.get(losses.MeanAbsoluteError)(T, P))
    assert.equal("huber_loss", losses.get "huber".name)
    local mae = losses.MeanAbsoluteError()
    assert.equal(mae, losses.get(mae))
    local own = losses.get(function(t, p) return (t - p):abs() * 2 end)
    close(11, own(T, P))
    close(2 * (3 + 1 + 10) / 6, own(T, P, { 1, 0 }))
    assert.is_nil(losses.get(nil))
  end)

  it("finds the crossentropy by shapes", function()
    local function kind(t, p) return losses.get("crossentropy", { shape = t }, { shape = p }).class_name end
    assert.equal("BinaryCrossentropy", kind({ 8, 1 }, { 8, 1 }))
    assert.equal("BinaryCrossentropy", kind({ 8 }, { 8, 1 }))
    assert.equal("SparseCategoricalCrossentropy", kind({ 8 }, { 8, 3 }))
    assert.equal("SparseCategoricalCrossentropy", kind({ 8, 1 }, { 8, 3 }))
    assert.equal("CategoricalCrossentropy", kind({ 8, 3 }, { 8, 3 }))
    assert.equal("CategoricalCrossentropy", losses.get("CE", { shape = { 8, 3 } }, { shape = { 8, 3 } }).class_name)
    close(0.706595, losses.get("crossentropy", { shape = { 3, 2 } }, { shape = { 3, 2 } })(
      { { 0.1, 0.2 }, { 0.3, 0.4 }, { 0.5, 0.6 } }, { { 0.4, 0.1 }, { 0.2, 0.6 }, { 0.6, 0.1 } }), 1e-5)
  end)

  it("suggests", function()
    assert.error_matches(function() losses.check_name "mean_square_error" end,
      "unknown loss 'mean_square_error' %(did you mean 'mean_squared_error'%?%)")
    losses.check_name "ce"
    losses.check_name "mse"
    assert.error_matches(function() losses.BinaryCrossentropy { from_logit = true } end, "did you mean 'from_logits'")
    assert.error_matches(function() losses.get(12) end, "loss must be a name, an object or a function, got 12")
  end)

  it("blames the line that calls", function()
    local ok, message = pcall(function() losses.MeanSquaredError()("x", P) end)
    assert.is_false(ok)
    assert.matches('^[^\n]*losses_spec.lua:%d+: mean_squared_error: y_true must be a tensor, got "x"', message)
  end)

  it("gives configs that make equal losses", function()
    local config = losses.Huber { delta = 2, reduction = "sum" }:get_config()
    assert.same({ delta = 2, reduction = "sum", name = "huber_loss", dtype = "float32" }, config)
    close(losses.Huber { delta = 2, reduction = "sum" }(T, P):item(), losses.Huber:from_config(config)(T, P))
  end)

  it("records a call on symbolic tensors", function()
    local a, b = cdl.Input { shape = { 3 } }, cdl.Input { shape = { 3 } }
    assert.same({}, losses.MeanSquaredError()(a, b).shape)
    local f = cdl.Function { inputs = { a, b }, outputs = { losses.get "mse"(a, b), losses.mse(a, b) } }
    local total, each = f(T, P)
    close(49.5, total)
    close({ 110 / 3, 187 / 3 }, each)
  end)
end)
