-- Layers for images: what is drawn, for whom, and when. Values are compared with Keras elsewhere.
local cdl = require "cdl"
local layers = cdl.layers

local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok)
  return text
end

local function equal(a, b) return (a - b):abs():max():item() == 0 end

-- How many different images the layer makes of n equal ones.
local function kinds_of(layer, image, n)
  local batch = image:expand_dims(1):broadcast_to { n, table.unpack(image.shape) }:contiguous()
  local y, found = layer(batch), {}
  for i = 1, n do
    local known = false
    for _, other in ipairs(found) do known = known or equal(y[i], other) end
    if not known then found[#found + 1] = y[i] end
  end
  return found, y
end

local IMAGE = cdl.random.uniform { shape = { 6, 8, 3 } } * 255

local random_layers = {
  RandomRotation = { 0.2 }, RandomZoom = { 0.3 }, RandomTranslation = { 0.3, 0.3 }, RandomContrast = { 0.5 },
  RandomBrightness = { 0.3 }, RandomShear = { 0.5, 0.5 }, RandomErasing = { { 1, 1 } },
}

describe("random layers for images", function()
  for name, args in pairs(random_layers) do
    local function make(more)
      local all = table.move(args, 1, #args, 1, {})
      for key, value in pairs(more or {}) do all[key] = value end
      return layers[name](all)
    end

    it(name .. " changes each image in its own way while training", function()
      local found = kinds_of(make(), IMAGE, 12)
      assert.are.equal(12, #found)
      assert.is_false(equal(found[1], IMAGE))
    end)

    it(name .. " leaves images alone else", function()
      local batch = IMAGE:expand_dims(1)
      assert.is_true(equal(make()(batch, false), batch))
      local model = cdl.Sequential { make { input_shape = { 6, 8, 3 } } }
      assert.are.same({ -1, 6, 8, 3 }, model.output_shape)
      assert.is_true(equal(model:predict(batch, { verbose = 0 }), batch))
    end)

    it(name .. " takes one image and integers", function()
      local y = make()(IMAGE:astype "uint8")
      assert.are.same({ 6, 8, 3 }, y.shape)
      assert.are.equal("float32", y.dtype)
    end)

    it(name .. " repeats for a seed", function()
      local batch = IMAGE:expand_dims(1)
      local function first(seed)
        cdl.random.seed(seed)
        return make()(batch)
      end
      assert.is_true(equal(first(5), first(5)))
      assert.is_false(equal(first(5), first(6)))
    end)
  end

  it("RandomFlip flips half of them", function()
    cdl.random.seed(11)
    local ways = { horizontal = IMAGE:flip(2), vertical = IMAGE:flip(1), horizontal_and_vertical = IMAGE:flip { 1, 2 } }
    for mode, flipped in pairs(ways) do
      local found, y = kinds_of(layers.RandomFlip(mode), IMAGE, 200)
      assert.are.equal(2, #found)
      local count = 0
      for i = 1, 200 do
        if equal(y[i], flipped) then count = count + 1 else assert.is_true(equal(y[i], IMAGE)) end
      end
      assert.is_true(count > 70 and count < 130)
    end
  end)

  it("RandomRotation turns counter-clockwise for positive factors", function()
    local arrow = cdl.zeros { 3, 3, 1 }
    arrow[{ 2, 3, 1 }] = 1 -- points to the right
    local y = layers.RandomRotation { { 0.25, 0.25 }, fill_mode = "constant" }(arrow)
    assert.is_true(math.abs(y[{ 1, 2, 1 }] - 1) < 1e-5) -- points up
  end)

  it("RandomTranslation moves down and to the right for positive factors", function()
    local x = cdl.zeros { 4, 4, 1 }
    x[{ 1, 1, 1 }] = 1
    local y = layers.RandomTranslation { { 0.5, 0.5 }, { 0.25, 0.25 }, fill_mode = "constant" }(x)
    assert.are.equal(1, y[{ 3, 2, 1 }])
  end)

  it("RandomShear slants to either side", function()
    local found = kinds_of(layers.RandomShear { x_factor = { 0.4, 0.4 } }, IMAGE, 40)
    assert.are.equal(2, #found)
  end)

  it("RandomGrayscale and RandomInvert change some", function()
    cdl.random.seed(3)
    local found, y = kinds_of(layers.RandomGrayscale(0.5), IMAGE, 100)
    assert.are.equal(2, #found)
    assert.are.same({ 100, 6, 8, 3 }, y.shape)
    found = kinds_of(layers.RandomInvert { { 0.5, 0.5 } }, IMAGE, 100)
    assert.are.equal(2, #found)
    assert.is_true(equal(found[1], 255 - IMAGE) or equal(found[2], 255 - IMAGE))
  end)

  it("RandomErasing paints a rectangle of about the given area", function()
    local ones = cdl.ones { 50, 40, 40, 1 }
    local y = layers.RandomErasing { factor = { 1, 1 }, scale = { 0.25, 0.25 }, fill_value = 0 }(ones)
    local share = 1 - y:mean():item()
    assert.is_true(share > 0.22 and share < 0.29)
    assert.are.same({ 3 }, layers.RandomErasing { scale = { 1, 1 }, factor = { 1, 1 },
      fill_value = { 1, 2, 3 } }(cdl.zeros { 2, 2, 3 })[{ 1, 1 }].shape)
  end)

  it("RandomCrop cuts one window for the batch; else the middle", function()
    local x = cdl.arange(1, 8 * 9):reshape { 1, 8, 9, 1 }:broadcast_to { 3, 8, 9, 1 }:contiguous()
    local y = layers.RandomCrop(3, 4)(x)
    assert.are.same({ 3, 3, 4, 1 }, y.shape)
    assert.is_true(equal(y[1], y[2]))
    assert.are.equal(1, y[{ 1, 1, 2, 1 }] - y[{ 1, 1, 1, 1 }])
    assert.are.equal(9, y[{ 1, 2, 1, 1 }] - y[{ 1, 1, 1, 1 }])
    local starts, count = {}, 0
    for _ = 1, 60 do starts[layers.RandomCrop(6, 8)(x)[{ 1, 1, 1, 1 }]] = true end
    for _ in pairs(starts) do count = count + 1 end
    assert.are.equal(6, count)
    local model = cdl.Sequential { layers.RandomCrop { 4, 4, input_shape = { 8, 8, 1 } } }
    assert.are.same({ -1, 4, 4, 1 }, model.output_shape)
    local image = cdl.arange(1, 64):reshape { 1, 8, 8, 1 }
    assert.is_true(equal(model:predict(image, { verbose = 0 }), image:resize { 4, 4 }))
  end)

  it("run on a dataset and in a fit", function()
    local model = cdl.Sequential {
      layers.RandomFlip { input_shape = { 6, 8, 3 } }, layers.RandomRotation(0.1), layers.RandomZoom(0.1),
      layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2),
    }
    model:compile { optimizer = "sgd", loss = "mse" }
    local x, y = IMAGE:expand_dims(1):broadcast_to { 8, 6, 8, 3 }:contiguous(), cdl.zeros { 8, 2 }
    model:fit(x, y, { epochs = 2, verbose = 0 })
    local flip = layers.RandomFlip()
    local count = 0
    for batch in cdl.data.Dataset(x, y):map(function(a, b) return flip(a), b end):batch(4):iterate() do
      count = count + batch.shape[1]
    end
    assert.are.equal(8, count)
  end)

  it("say what they want", function()
    assert.matches("image_layers_spec%.lua:%d+: RandomRotation: factor must be from %-1 to 1, got 2",
      message(function() layers.RandomRotation(2) end))
    assert.matches("RandomZoom: height_factor must be a number or {lowest, highest}, got {0.1, 0.2, 0.3}",
      message(layers.RandomZoom, { { 0.1, 0.2, 0.3 } }))
    assert.matches("RandomContrast: factor must be from 0 to 1", message(layers.RandomContrast, -0.5))
    assert.matches("RandomBrightness: value_range must be a list of two numbers",
      message(layers.RandomBrightness, 0.5, { 1 }))
    assert.matches("layer 'f': RandomFlip wants images {batch, rows, columns, channels}",
      message(layers.RandomFlip { name = "f" }, cdl.ones { 2, 3 }))
    assert.matches("3 channels", message(layers.RandomGrayscale(1), cdl.ones { 1, 2, 2, 4 }))
    assert.matches("one of 'reflect'", message(layers.RandomZoom, 0.1, { fill_mode = "edge" }))
    assert.matches("fill_value {1, 2} for images with 3 channels",
      message(layers.RandomErasing { fill_value = { 1, 2 } }, cdl.ones { 1, 2, 2, 3 }))
  end)
end)
