local cdl = require "cdl"
local close = require "close"

local regularizers = cdl.regularizers
local W = cdl.tensor { { 1, -2 }, { 3, -4 } }

describe("regularizers", function()
  it("have Keras's values", function()
    close(0.1, regularizers.L1()(W))
    close(0.3, regularizers.L2()(W))
    close(5, regularizers.L1(0.5)(W))
    close(0.5 * 10 + 0.25 * 30, regularizers.L1L2 { l1 = 0.5, l2 = 0.25 }(W))
    close(2, regularizers.l1_l2(0.2, 0)(W))
    close(0, regularizers.get "l1l2"(W))
  end)

  it("are 0 for orthogonal rows and count the cosine of others", function()
    close(0, regularizers.OrthogonalRegularizer(0.01)(cdl.eye(3)))
    -- One pair with cosine -1 / sqrt(2): factor / 2 * (twice that) / 1
    close(0.01 * math.sqrt(0.5), regularizers.OrthogonalRegularizer(0.01)(cdl.tensor { { 1, 0 }, { -1, 1 } }))
    close(0.01 * math.sqrt(0.5), regularizers.OrthogonalRegularizer { mode = "columns" }(
      cdl.tensor { { 1, -1 }, { 0, 1 } }))
    assert.error_matches(function() regularizers.OrthogonalRegularizer()(cdl.ones { 3 }) end,
      "wants a matrix, got shape {3}")
  end)

  it("give gradients in a traced function", function()
    close({ { 0.5, -1 }, { 1.5, -2 } }, cdl.grad(regularizers.L2(0.25))(W))
    close({ { 0.5, -0.5 }, { 0.5, -0.5 } }, cdl.grad(regularizers.L1(0.5))(W))
  end)

  it("are found by name, object and function", function()
    assert.is_nil(regularizers.get(nil))
    close(0.3, regularizers.get "L2"(W))
    close(0.1, regularizers.get "l1"(W))
    local own = function(x) return x:sum() end
    assert.equal(own, regularizers.get(own))
    local l2 = regularizers.L2(3)
    assert.equal(l2, regularizers.get(l2))
    assert.equal(3, l2:get_config().l2)
    close(90, regularizers.get { class_name = "L2", config = l2:get_config() }(W), 1e-4)
  end)

  it("refuse other names and factors", function()
    assert.error_matches(function() regularizers.get "l3" end, "unknown regularizer 'l3'")
    assert.error_matches(function() regularizers.L2(-1) end, "L2: l2 must be at least 0, got %-1")
    assert.error_matches(function() regularizers.L1(math.huge) end, "l1 must be less than")
    assert.error_matches(function() regularizers.get(4) end,
      "regularizer must be a name, an object or a function, got 4")
  end)

  it("want a tensor", function()
    for _, object in ipairs { regularizers.L2(), regularizers.OrthogonalRegularizer(), cdl.constraints.UnitNorm() } do
      assert.error_matches(function() object(cdl.layers.Dense(1)) end,
        "^%a+: [xw] must be a tensor, a variable or a number, got an instance")
      assert.error_matches(function() object() end, "is missing")
    end
  end)

  it("can be one's own class", function()
    local Cubes = regularizers.Regularizer:extend "Cubes"
    function Cubes:init(args) self.factor = args.factor end
    function Cubes:call(x) return (x * x * x):abs():sum() * self.factor end
    close(50, Cubes { factor = 0.5 }(W))
    close(50, regularizers.get(Cubes { factor = 0.5 })(W))
  end)
end)
