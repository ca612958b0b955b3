local cdl = require "cdl"
local close = require "close"

local activations = cdl.activations

local X = { -2, -1, -0.5, 0, 0.5, 1, 2, 7 }

-- What Keras's formulas give for X.
local function map(f)
  local list = {}
  for i, x in ipairs(X) do list[i] = f(x) end
  return list
end

local function sigmoid(x) return 1 / (1 + math.exp(-x)) end
local function tanh(x) return 1 - 2 / (math.exp(2 * x) + 1) end
local function softplus(x) return math.log(1 + math.exp(x)) end
local function clip(x, lo, hi) return math.max(lo, math.min(hi, x)) end

local formulas = {
  linear = function(x) return x end,
  relu = function(x) return math.max(x, 0) end,
  relu6 = function(x) return clip(x, 0, 6) end,
  leaky_relu = function(x) return x > 0 and x or 0.2 * x end,
  elu = function(x) return x > 0 and x or math.exp(x) - 1 end,
  celu = function(x) return x > 0 and x or math.exp(x) - 1 end,
  selu = function(x) return 1.0507009873554805 * (x > 0 and x or 1.6732632423543772 * (math.exp(x) - 1)) end,
  silu = function(x) return x * sigmoid(x) end,
  sigmoid = sigmoid,
  tanh = tanh,
  softplus = softplus,
  softsign = function(x) return x / (1 + math.abs(x)) end,
  hard_sigmoid = function(x) return clip(x / 6 + 0.5, 0, 1) end,
  hard_silu = function(x) return x * clip(x / 6 + 0.5, 0, 1) end,
  hard_tanh = function(x) return clip(x, -1, 1) end,
  exponential = math.exp,
  log_sigmoid = function(x) return -softplus(-x) end,
  mish = function(x) return x * tanh(softplus(x)) end,
  soft_shrink = function(x) return math.abs(x) > 0.5 and x - (x > 0 and 0.5 or -0.5) or 0 end,
  hard_shrink = function(x) return math.abs(x) > 0.5 and x or 0 end,
  tanh_shrink = function(x) return x - tanh(x) end,
  squareplus = function(x) return (x + math.sqrt(x * x + 4)) / 2 end,
  sparse_plus = function(x) return x <= -1 and 0 or x < 1 and (x + 1) ^ 2 / 4 or x end,
  sparse_sigmoid = function(x) return clip((x + 1) / 2, 0, 1) end,
}

describe("activations", function()
  for name, formula in pairs(formulas) do
    it("has " .. name, function()
      close(map(formula), activations.get(name)(cdl.tensor(X)), 1e-5)
      assert.equal(name, activations.name_of(activations[name]))
    end)
  end

  it("has gelu, exact and by tanh", function()
    close({ -0.0455, -0.1587, -0.1543, 0, 0.3457, 0.8413, 1.9545, 7 }, activations.gelu(cdl.tensor(X)), 1e-4)
    local approximate = map(function(x)
      return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ^ 3)))
    end)
    close(approximate, activations.gelu(cdl.tensor(X), true), 1e-5)
  end)

  it("reads the arguments of relu, elu and threshold", function()
    close({ -0.3, -0.2, -0.15, -0.1, -0.05, 0, 2, 3 }, activations.relu(cdl.tensor(X),
      { negative_slope = 0.1, max_value = 3, threshold = 1 }), 1e-6)
    close({ 0, 0, 0, 0, 0.5, 1, 1.5, 1.5 }, activations.relu(cdl.tensor(X), { max_value = 1.5 }))
    close(map(function(x) return x > 0 and x or 2 * (math.exp(x) - 1) end), activations.elu(cdl.tensor(X), 2))
    close(map(function(x) return x > 0 and x or 2 * (math.exp(x / 2) - 1) end), activations.celu(cdl.tensor(X), 2))
    close({ 9, 9, 9, 9, 9, 1, 2, 7 }, activations.threshold(cdl.tensor(X), 0.5, 9))
  end)

  it("normalises along an axis", function()
    local x = cdl.tensor { { 1, 2 }, { 3, 5 } }
    close({ { 0.26894, 0.73106 }, { 0.1192, 0.8808 } }, activations.softmax(x), 1e-4)
    close({ { 0.1192, 0.04743 }, { 0.8808, 0.95257 } }, activations.softmax(x, 1), 1e-4)
    close({ { -1.31326, -0.31326 }, { -2.12693, -0.12693 } }, activations.log_softmax(x), 1e-4)
  end)

  it("projects on the simplex", function()
    close({ { 0, 0.35, 0.65 }, { 0, 0, 1 } }, activations.sparsemax(cdl.tensor { { -1, 0.5, 0.8 }, { 0, 1, 4 } }))
    close({ { 0, 0 }, { 0.35, 0 }, { 0.65, 1 } },
      activations.sparsemax(cdl.tensor { { -1, 0 }, { 0.5, 1 }, { 0.8, 4 } }, 1))
  end)

  it("halves the axis with glu", function()
    close({ { 1 * sigmoid(3), 2 * sigmoid(4) } }, activations.glu(cdl.tensor { { 1, 2, 3, 4 } }))
    assert.error_matches(function() activations.glu(cdl.zeros { 2, 3 }) end, "odd size")
  end)

  it("has gradients without nan far out, and Keras's at the kink", function()
    local x = cdl.tensor { -200, 0, 200 }
    for _, name in ipairs { "elu", "selu", "celu", "softplus", "log_sigmoid", "mish", "silu", "sigmoid" } do
      for _, value in ipairs(cdl.grad(activations[name])(x):totable()) do
        assert.is_true(value == value and math.abs(value) < 3, name)
      end
    end
    close({ 0, 0, 1 }, cdl.grad(activations.relu)(x))
    close({ 0.2, 0.2, 1 }, cdl.grad(activations.leaky_relu)(x))
  end)

  it("computes the same in a traced function", function()
    local x = cdl.tensor(X):reshape { 2, 4 }
    for name, f in pairs { sparsemax = activations.sparsemax, glu = activations.glu, selu = activations.selu } do
      close(f(x):totable(), cdl.jit(f)(x), 1e-6)
      assert.is_not_nil(activations.name_of(f), name)
    end
  end)

  it("records a call on a symbolic tensor", function()
    local x = cdl.Input { shape = { 4 } }
    local y = activations.glu(x)
    assert.same({ -1, 2 }, y.shape)
    assert.same({ -1, 4 }, activations.relu(x, { max_value = 3 }).shape)
  end)
end)

describe("activations.get", function()
  it("takes names, aliases, functions and nil", function()
    local function own(x) return x end
    assert.equal(activations.linear, activations.get(nil))
    assert.equal(activations.linear, activations.get(cdl.null))
    assert.equal(activations.silu, activations.get "swish")
    assert.equal(activations.hard_silu, activations.get "hard_swish")
    assert.equal(own, activations.get(own))
    assert.is_nil(activations.name_of(own))
  end)

  it("suggests the name that was meant", function()
    local ok, message = pcall(function() return (activations.get "rellu") end)
    assert.is_false(ok)
    assert.matches("^[^\n]*activations_spec.lua:%d+: unknown activation 'rellu' %(did you mean 'relu'%?%)", message)
    assert.error_matches(function() activations.get(3) end, "activation must be a name or a function, got 3")
  end)
end)
