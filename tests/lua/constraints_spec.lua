local cdl = require "cdl"
local close = require "close"

local constraints = cdl.constraints
local third = 2 / math.sqrt(3)

-- Columns [0 0 0], [1 0 0], [3 0 0], [3 3 3].
local W = cdl.tensor { { 0, 1, 3, 3 }, { 0, 0, 0, 3 }, { 0, 0, 0, 3 } }

describe("constraints", function()
  it("limit the norm of columns", function()
    close({ { 0, 1, 2, third }, { 0, 0, 0, third }, { 0, 0, 0, third } }, constraints.MaxNorm(2)(W))
    close({ { 0, 1, 2, third }, { 0, 0, 0, third }, { 0, 0, 0, third } }, constraints.get "max_norm"(W))
    close({ { 0.6, 0.8 } }, constraints.max_norm { max_value = 1, axis = 2 }(cdl.tensor { { 3, 4 } }))
    close({ { { 0.6 } }, { { 0.8 } } },
      constraints.MaxNorm { max_value = 1, axis = { 1, 2 } }(cdl.tensor { { { 3 } }, { { 4 } } }))
  end)

  it("keep weights from being negative", function()
    close({ 0, 0, 3 }, constraints.NonNeg()(cdl.tensor { -1, 0, 3 }))
  end)

  it("bring columns to norm 1", function()
    close({ { 0.6, 1 }, { 0.8, 0 } }, constraints.UnitNorm()(cdl.tensor { { 3, 1 }, { 4, 0 } }))
  end)

  it("draw norms into a range", function()
    local w = cdl.tensor { { 3, 0.1 } }
    close({ { 1, 0.5 } }, constraints.MinMaxNorm { min_value = 0.5, max_value = 1 }(w))
    close({ { 2, 0.3 } }, constraints.MinMaxNorm { min_value = 0.5, max_value = 1, rate = 0.5 }(w))
    assert.error_matches(function() constraints.MinMaxNorm { min_value = 2, max_value = 1 } end,
      "min_value %(2%) is above max_value %(1%)")
  end)

  it("are found by name, object and function, and nil is none", function()
    assert.is_nil(constraints.get(nil))
    local own = function(w) return w end
    assert.equal(own, constraints.get(own))
    assert.equal("NonNeg", constraints.get "non_neg".class_name)
    assert.equal("UnitNorm", constraints.get(constraints.UnitNorm).class_name)
    assert.error_matches(function() constraints.get "max_nrom" end, "did you mean 'max_norm'")
    assert.equal(3, constraints.MaxNorm(3):get_config().max_value)
  end)
end)
