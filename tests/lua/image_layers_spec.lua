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
  RandomHue = { { 0.2, 0.8 } }, RandomSaturation = { { 0.1, 0.9 } }, RandomSharpness = { 1 },
  RandomColorDegeneration = { 0.9 }, RandomPerspective = { { 1, 1 } },
  RandomElasticTransform = { { 1, 1 }, { 0.5, 1 } },
  RandomColorJitter = { brightness_factor = 0.2, contrast_factor = 0.2, saturation_factor = { 0.4, 0.6 },
    hue_factor = 0.1 },
}

describe("random layers for images", function()
  for name, args in pairs(random_layers) do
    local function make(more)
      local all = {}
      for _, given in ipairs { args, more or {} } do
        for key, value in pairs(given) do all[key] = value end
      end
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

  it("RandomPosterization keeps some bits", function()
    local y = layers.RandomPosterization(4)(IMAGE:expand_dims(1):broadcast_to { 60, 6, 8, 3 }:contiguous())
    local kinds, count = {}, 0
    for i = 1, 60 do kinds[y[i]:max():item()] = true end
    for value in pairs(kinds) do
      assert.is_true(value == 128 or value == 192 or value == 224)
      count = count + 1
    end
    assert.are.equal(3, count)
    local bytes = cdl.tensor({ 0, 63, 64, 200, 255 }, "uint8"):reshape { 1, 5, 1 }
    assert.are.same({ 0, 0, 64, 192, 192 }, layers.RandomPosterization { { 2, 2 } }(bytes):flatten():totable())
    assert.matches("factor must be integers", message(layers.RandomPosterization, 2.5))
  end)

  it("RandomGaussianBlur spreads a point evenly, for some of the images", function()
    local x = cdl.zeros { 60, 5, 5, 1 }
    x[{ {}, 3, 3 }] = 90
    local found = kinds_of(layers.RandomGaussianBlur { { 0.5, 0.5 }, sigma = { 1, 1 } }, x[1], 60)
    assert.are.equal(2, #found)
    local y = layers.RandomGaussianBlur { { 1, 1 }, kernel_size = { 3, 1 }, sigma = { 1, 1 } }(x[1])
    local near = math.exp(-0.5) / (1 + 2 * math.exp(-0.5)) * 90
    assert.is_true(math.abs(y[{ 3, 2, 1 }] - near) < 1e-4 and math.abs(y[{ 3, 4, 1 }] - near) < 1e-4)
    assert.are.equal(0, y[{ 2, 3, 1 }])
    assert.matches("kernel_size must be odd", message(layers.RandomGaussianBlur, 1, 4))
  end)

  it("RandomPerspective moves three corners", function()
    local layer = layers.RandomPerspective { { 1, 1 }, scale = 0.8, interpolation = "nearest" }
    local y = layer(cdl.ones { 200, 11, 11, 1 })
    assert.are.equal(1, y[{ {}, 1, 1 }]:min():item()) -- stays inside
    local seen = y[{ {}, 11, 11 }]:mean():item()
    assert.is_true(seen > 0.1 and seen < 0.5) -- both shares of the corner are positive for a quarter
  end)

  it("RandomElasticTransform fills what it shows of the outside", function()
    local x = cdl.ones { 20, 30, 30, 1 } * 100
    for _, mode in ipairs { "reflect", "wrap", "nearest", "mirror" } do
      local y = layers.RandomElasticTransform { { 1, 1 }, { 1, 1 }, fill_mode = mode }(x)
      assert.is_true((y - 100):abs():max():item() < 1e-3)
    end
    local y = layers.RandomElasticTransform { { 1, 1 }, { 1, 1 }, fill_mode = "constant", fill_value = 7,
      interpolation = "nearest" }(x)
    assert.are.same({ 7, 100 }, { y:min():item(), y:max():item() })
    assert.is_true(equal(layers.RandomElasticTransform { 1, 0 }(x), x))
  end)

  it("RandomColorJitter without factors changes nothing", function()
    assert.is_true(equal(layers.RandomColorJitter()(IMAGE), IMAGE))
  end)

  it("Solarization adds, and makes negatives of what is bright", function()
    local x = cdl.tensor { 0, 100, 255 }:reshape { 1, 3, 1 }
    assert.are.same({ 255, 155, 0 }, layers.Solarization()(x):flatten():totable())
    assert.are.equal(20, #kinds_of(layers.Solarization { 0.3, 0.5 }, IMAGE, 20))
  end)

  it("Equalization makes values evenly frequent", function()
    local x = cdl.tensor { 10, 10, 11, 40 }:reshape { 1, 2, 2, 1 }
    assert.are.same({ 0, 0, 128, 255 }, layers.Equalization()(x):flatten():totable())
    assert.is_true(equal(layers.Equalization()(x, false), x))
    local even = cdl.full({ 1, 4, 4, 1 }, 77)
    assert.is_true(equal(layers.Equalization()(even), even))
    assert.is_true(equal(layers.AutoContrast()(even), even))
  end)

  it("RandAugment and AugMix change batches in many ways, also inside a model", function()
    for _, name in ipairs { "RandAugment", "AugMix" } do
      local layer = layers[name] { factor = 0.5 }
      local means, count = {}, 0
      for _ = 1, 12 do
        local y = layer(IMAGE:expand_dims(1))
        assert.are.same({ 1, 6, 8, 3 }, y.shape)
        assert.is_true(y:min():item() >= 0 and y:max():item() <= 255)
        means[y:mean():item()] = true
      end
      for _ in pairs(means) do count = count + 1 end
      assert.is_true(count > 4)
      assert.is_true(equal(layer(IMAGE, false), IMAGE))
      local traced = cdl.jit(function(x) return layer(x, true) end)
      local first, others = traced(IMAGE), 0
      for _ = 1, 8 do
        if not equal(traced(IMAGE), first) then others = others + 1 end
      end
      assert.is_true(others > 2)
    end
  end)

  it("are made for images of any size", function()
    for _, name in ipairs { "RandAugment", "AugMix", "RandomErasing", "RandomElasticTransform",
      "ContrastLimitedAdaptiveHistogramEqualization" } do
      local input = cdl.Input { -1, -1, 3 }
      assert.are.same({ -1, -1, -1, 3 }, layers[name]()(input).shape)
    end
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

  it("take labels beside images", function()
    local images, labels = IMAGE:expand_dims(1), cdl.tensor { { 1, 0 } }
    local y = layers.RandomFlip() { images = images, labels = labels }
    assert.are.same({ { 1, 0 } }, y.labels:totable())
    assert.are.same({ 1, 6, 8, 3 }, y.images.shape)
    local input, marks = cdl.Input { 6, 8, 3, name = "images" }, cdl.Input { 2, name = "labels" }
    local model = cdl.Model { inputs = { images = input, labels = marks },
      outputs = layers.RandomHue(0.5) { images = input, labels = marks } }
    local out = model:predict({ images = images, labels = labels }, { verbose = 0 })
    assert.is_true(equal(out.images, images) and equal(out.labels, labels))
    assert.matches("layer 'f': labels of shape {2, 1} do not fit images of shape {1, 6, 8, 3}",
      message(layers.RandomFlip { name = "f" }, { images = images, labels = cdl.ones { 2, 1 } }))
    assert.matches("layer 'f': images must be a tensor, got nil",
      message(layers.RandomFlip { name = "f" }, { labels = labels }))
    assert.matches("layer 'f'", message(layers.RandomFlip { name = "f" }, { images = images, labels = 5 }))
    assert.matches("layer 'f': RandomFlip takes images, or {images =, labels =}; got the key .boxes.",
      message(layers.RandomFlip { name = "f" }, { images = images, boxes = labels }))
  end)

  it("prepare the batches of a dataset, with the same numbers for a seed", function()
    local mix = layers.Pipeline { layers.RandomFlip(), layers.RandAugment(), layers.MixUp(), layers.CutMix() }
    local x = cdl.random.uniform { shape = { 16, 6, 8, 3 } } * 255
    local y = cdl.ops.one_hot(cdl.random.randint { shape = { 16 }, low = 0, high = 4 }, 4)
    local function losses()
      cdl.random.seed(3)
      local data = cdl.data.Dataset(x, y):batch(8):map(function(images, labels)
        local mixed = mix { images = images, labels = labels }
        return mixed.images, mixed.labels
      end)
      local model = cdl.Sequential { layers.Rescaling { 1 / 255, input_shape = { 6, 8, 3 } }, layers.Flatten(),
        layers.Dense { 4, activation = "softmax" } }
      model:compile { optimizer = "sgd", loss = "categorical_crossentropy" }
      return model:fit(data, { epochs = 2, verbose = 0 }).history.loss
    end
    assert.are.same(losses(), losses())
  end)

  it("MixUp and CutMix mix images and labels alike", function()
    local n = 200
    local values = cdl.arange(0, n - 1)
    local images = values:reshape { n, 1, 1, 1 }:broadcast_to { n, 20, 20, 1 }:contiguous()
    for _, name in ipairs { "MixUp", "CutMix" } do
      cdl.random.seed(4)
      local y = layers[name] { name == "MixUp" and 0.8 or 1 } { images = images, labels = cdl.eye(n) }
      assert.is_true((y.labels:sum(2) - 1):abs():max():item() < 1e-5)
      local shares = y.images:mean { 2, 3, 4 } - (y.labels * values):sum(2)
      -- A rectangle covers whole pixels, its label counts its area.
      assert.is_true(shares:abs():max():item() < (name == "MixUp" and 1e-2 or 20))
      local own = y.labels * cdl.eye(n)
      local mean = own:sum():item() / n
      assert.is_true(mean > 0.42 and mean < 0.58)
      assert.is_true(equal(layers[name]()(images, false), images))
      assert.matches("mixes labels {batch, classes}",
        message(layers[name](), { images = images, labels = values }))
    end
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
    for _ = 1, 20 do
      assert.are.same({ 4, 5, 1 }, layers.RandAugment()(cdl.ones { 4, 5, 1 }).shape)
      assert.matches("layer 'r': RandAugment wants images with 3 channels %(or 1%), got shape {1, 4, 5, 2}",
        message(layers.RandAugment { name = "r" }, cdl.ones { 4, 5, 2 }))
    end
    assert.matches("RandomHue wants images with 3 channels,", message(layers.RandomHue(1), cdl.ones { 1, 2, 2, 4 }))
    assert.matches("value_range must be two different numbers",
      message(layers.AutoContrast, { value_range = { 2, 2 } }))
    assert.matches("one of 'reflect'", message(layers.RandomZoom, 0.1, { fill_mode = "edge" }))
    assert.matches("fill_value {1, 2} for images with 3 channels",
      message(layers.RandomErasing { fill_value = { 1, 2 } }, cdl.ones { 1, 2, 2, 3 }))
  end)
end)
