-- predict_on_batch: whatever came before it, it gives what predict gives. A batch like the last one takes
-- a shorter way, which no change of the model may mislead.
local cdl = require "cdl"
local layers = cdl.layers

local function normal(...) return cdl.random.normal { shape = { ... } } end

local function new_model()
  local model = cdl.Sequential { layers.Input { 6 }, layers.Dense { 4, activation = "tanh" }, layers.Dense(3) }
  model:compile { optimizer = "sgd", loss = "mse" }
  return model
end

local function is_same(want, got)
  assert.same(want.shape, got.shape)
  assert.same(want:totable(), got:totable())
end

local function agrees(model, x)
  local want = model:predict(x, { verbose = 0 })
  for _ = 1, 3 do is_same(want, model:predict_on_batch(x)) end
end

local function refused(message, f, ...)
  local ok, got = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(message, got, 1, true)
end

describe("predict_on_batch", function()
  it("gives what predict gives, for batches that change", function()
    local model = new_model()
    for _, rows in ipairs { 1, 1, 5, 1, 2, 2, 5 } do agrees(model, normal(rows, 6)) end
    local wide = normal(4, 12)
    agrees(model, wide[{ {}, { 1, 12, 2 } }]) -- a view with steps
    agrees(model, normal(6, 2):transpose())
    agrees(model, cdl.ones({ 2, 6 }, "int32"))
    is_same(model:predict(cdl.tensor { { 1, 2, 3, 4, 5, 6 } }, { verbose = 0 }),
      model:predict_on_batch { { 1, 2, 3, 4, 5, 6 } })
  end)

  it("sees new weights, a new compile and new layers", function()
    local model, x = new_model(), normal(2, 6)
    local before = model:predict_on_batch(x)
    model:fit(x, normal(2, 3), { verbose = 0 })
    agrees(model, x)
    local weights = model:get_weights()
    for i, weight in ipairs(weights) do weights[i] = weight * 0 end
    model:set_weights(weights)
    is_same(cdl.zeros { 2, 3 }, model:predict_on_batch(x))
    model:compile { optimizer = "adam", loss = "mae" }
    agrees(model, x)
    model:add(layers.Dense { 7, bias_initializer = "ones" })
    is_same(cdl.ones { 2, 7 }, model:predict_on_batch(x))
    model:pop()
    is_same(cdl.zeros { 2, 3 }, model:predict_on_batch(x))
    assert.same({ 2, 3 }, before.shape) -- what was given stays the caller's
    assert.is_true(before:abs():sum():item() > 0)
  end)

  it("keeps structures", function()
    local a, b = cdl.Input { shape = { 2 }, name = "a" }, cdl.Input { shape = { 3 }, name = "b" }
    local sum = layers.Add() { layers.Dense(4)(a), layers.Dense(4)(b) }
    local two = cdl.Model { inputs = { a, b }, outputs = { one = sum, other = layers.Dense(1)(sum) } }
    local x = { normal(2, 2), normal(2, 3) }
    for _ = 1, 2 do
      local want, got = two:predict(x, { verbose = 0 }), two:predict_on_batch(x)
      is_same(want.one, got.one)
      is_same(want.other, two:predict_on_batch { a = x[1], b = x[2] }.other)
    end
    local split = cdl.Model { inputs = a, outputs = { layers.Dense(1)(a), layers.Dense(2)(a) } }
    for _ = 1, 3 do assert.same({ 2, 2 }, split:predict_on_batch(x[1])[2].shape) end
    local list = cdl.Model { inputs = a, outputs = { layers.Dense(1)(a) } }
    for _ = 1, 3 do assert.same({ 2, 1 }, list:predict_on_batch(x[1])[1].shape) end
  end)

  it("refuses what it cannot take, also after a batch that it could", function()
    local model, x = new_model(), normal(2, 6)
    for _ = 1, 2 do
      model:predict_on_batch(x)
      refused("{2, 5}", model.predict_on_batch, model, normal(2, 5))
      refused("no samples", model.predict_on_batch, model, cdl.zeros { 0, 6 })
      refused("x is missing", model.predict_on_batch, model)
      refused("takes at most", model.predict_on_batch, model, x, 32)
      refused("wanted a tensor", model.predict_on_batch, model, "x")
      refused("is a method", model.predict_on_batch, x, x)
    end
    agrees(model, x)
  end)
end)
