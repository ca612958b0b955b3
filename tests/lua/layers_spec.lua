-- What the comparison with Keras does not show of layers: masks, errors, functional forms.
local cdl = require "cdl"
local layers = cdl.layers

local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok)
  return text
end

describe("masks", function()
  local ids = cdl.tensor({ { 1, 2, 0 }, { 3, 0, 0 } }, "int32")

  -- A layer that hands its mask out as numbers.
  local Probe = cdl.Layer:extend "Probe"
  Probe.takes_mask = true
  function Probe:call(x, _, mask)
    return mask and mask:astype "float32" or x:sum(-1) * 0 - 1
  end

  it("come from Embedding and pass through layers that support them", function()
    local want = { { 1, 1, 0 }, { 1, 0, 0 } }
    local embed = { input_dim = 5, output_dim = 4, mask_zero = true }
    local function chain(...)
      local list = { layers.Embedding(embed), ... }
      list[#list + 1] = Probe()
      return cdl.Sequential(list):predict(ids, { verbose = 0 }):totable()
    end
    assert.are.same(want, chain())
    assert.are.same(want, chain(layers.Dense(3), layers.Dropout(0.5), layers.LayerNormalization(), layers.LeakyReLU()))
    assert.are.same({ { -1, -1, -1 }, { -1, -1, -1 } }, chain(layers.Reshape { 3, 4 }))
    assert.are.same({ { -1, -1, -1 }, { -1, -1, -1 } },
      cdl.Sequential { layers.Embedding(5, 4), Probe() }:predict(ids, { verbose = 0 }):totable())
  end)

  it("come from Masking, which zeroes the masked steps", function()
    local x = cdl.tensor { { { 9, 9 }, { 1, 9 } } }
    assert.are.same({ { { 0, 0 }, { 1, 9 } } }, layers.Masking(9)(x):totable())
    assert.are.same({ { false, true } }, layers.Masking(9)(x).mask:totable())
  end)

  it("weigh the loss: sum(l m) / sum(m)", function()
    local model = cdl.Sequential {
      layers.Masking { input_shape = { 2, 1 } }, layers.Dense { 1, kernel_initializer = "ones" } }
    model:compile { optimizer = "sgd", loss = "mse" }
    local x = cdl.tensor { { { 2 }, { 0 } } }
    assert.are.equal(4, model:evaluate(x, cdl.tensor { { { 0 }, { 7 } } }, { verbose = 0 }))
  end)

  it("are combined by merging layers", function()
    local a, b = cdl.Input { -1 }, cdl.Input { -1 }
    local embed = layers.Embedding { input_dim = 5, output_dim = 2, mask_zero = true }
    local added = cdl.Model { inputs = { a, b }, outputs = Probe()(layers.add { embed(a), embed(b) }) }
    local other = cdl.tensor({ { 0, 2, 0 }, { 0, 0, 1 } }, "int32")
    assert.are.same({ { 1, 1, 0 }, { 1, 0, 1 } }, added:predict({ ids, other }, { verbose = 0 }):totable())
  end)

  it("can be read from a symbol", function()
    local x = cdl.Input { 3 }
    local y = layers.Embedding { input_dim = 5, output_dim = 2, mask_zero = true }(x)
    assert.are.same({ -1, 3 }, y.mask.shape)
    assert.are.equal("bool", y.mask.dtype)
    local f = cdl.Function { inputs = { x }, outputs = { y.mask } }
    assert.are.same({ { true, true, false }, { true, false, false } }, f(ids:astype "float32"):totable())
  end)

  it("make Softmax give 0 where they are false", function()
    local y = layers.Softmax()(cdl.tensor { { 1, 1, 5 } }, false, cdl.tensor { { true, true, false } })
    assert.are.same({ { 0.5, 0.5, 0 } }, y:totable())
  end)
end)

describe("layers", function()
  it("TimeDistributed applies one layer to every step", function()
    local inner = layers.Dense(2)
    local x = cdl.random.normal { shape = { 3, 4, 5 } }
    local y = layers.TimeDistributed(inner)(x)
    assert.are.same({ 3, 4, 2 }, y.shape)
    assert.is_true((y[{ {}, 2 }] - inner(x[{ {}, 2 }])):abs():max():item() < 1e-6)
    assert.are.equal(2, #inner.weights)
    assert.matches("TimeDistributed: layer must be a layer", message(layers.TimeDistributed, 3))
  end)

  it("adaptive pooling gives the same sizes for any input", function()
    local x = cdl.arange(0, 10):reshape { 1, 11, 1 }
    assert.are.same({ 1, 3.5, 6.5, 9 }, layers.AdaptiveAveragePooling1D(4)(x):flatten():totable())
    assert.are.same({ 2, 5, 8, 10 }, layers.AdaptiveMaxPooling1D(4)(x):flatten():totable())
    local more = layers.AdaptiveMaxPooling1D(22)(x):flatten()
    assert.are.same({ 0, 0, 1, 1 }, more[{ { 1, 4 } }]:totable())
    local input = cdl.Input { -1, -1, 3 }
    assert.are.same({ -1, 2, 3, 3 }, layers.AdaptiveAveragePooling2D { 2, 3 }(input).shape)
    local model = cdl.Model { inputs = input, outputs = layers.AdaptiveAveragePooling2D { 2, 3 }(input) }
    for _, size in ipairs { 3, 6, 7 } do
      local y = model:predict(cdl.ones { 2, size, size, 3 }, { verbose = 0 })
      assert.is_true((y - 1):abs():max():item() < 1e-6)
    end
    assert.matches("layer 'p' wants inputs of shape {batch, steps, channels}",
      message(layers.AdaptiveMaxPooling1D { 2, name = "p" }, cdl.ones { 2, 3 }))
  end)

  it("SpectralNormalization brings the largest singular value to 1", function()
    local layer = layers.SpectralNormalization { layers.Dense(3), power_iterations = 50 }
    local x = cdl.random.normal { shape = { 2, 4 } }
    layer(x)
    local first = layer.kernel:value()
    layer(x) -- not in training: stays
    assert.are.equal(0, (layer.kernel:value() - first):abs():max():item())
    layer(x, true)
    local kernel = layer.kernel:value()
    local ratio = (first / kernel):flatten()
    assert.is_true((ratio / ratio[1] - 1):abs():max():item() < 1e-4)
    local v = cdl.random.normal { shape = { 3, 1 } }
    for _ = 1, 100 do
      v = kernel:transpose():matmul(kernel:matmul(v))
      v = v / (v * v):sum():sqrt()
    end
    assert.is_true(math.abs((kernel:matmul(v) ^ 2):sum():sqrt():item() - 1) < 1e-3)
    assert.are.equal(3, #layer.weights)
    local zeros = layers.SpectralNormalization(layers.Embedding { 4, 3, embeddings_initializer = "zeros" })
    assert.are.equal(0, zeros(cdl.tensor { { 1, 2 } }, true):abs():max():item())
    assert.matches("has neither kernel nor embeddings",
      message(layers.SpectralNormalization(layers.Flatten()), cdl.ones { 2, 3 }))
    assert.matches("layer must be a layer", message(layers.SpectralNormalization, 3))
  end)

  it("ReversibleEmbedding leads back to scores of the tokens", function()
    local embed = layers.ReversibleEmbedding { 5, 3, mask_zero = true, name = "e" }
    local y = embed(cdl.tensor { { 1, 2, 0 } })
    assert.are.same({ { true, true, false } }, y.mask:totable())
    local scores = embed(y, { reverse = true })
    assert.are.same({ 1, 3, 5 }, scores.shape)
    assert.is_nil(scores.mask)
    assert.is_true((scores - y:matmul(embed.embeddings:value():transpose())):abs():max():item() < 1e-6)
    assert.matches("layer 'e': vectors {..., 3} are wanted with reverse = true, got {1, 4}",
      message(embed, cdl.ones { 1, 4 }, { reverse = true }))
  end)

  it("Pipeline runs layers one after the other, in training by itself", function()
    local pipeline = layers.Pipeline { layers.Rescaling(2), layers.RandomFlip "horizontal", layers.Dropout(0.5) }
    local x = cdl.ones { 2, 8, 8, 3 }
    assert.are.equal(2, pipeline(x, false):max():item())
    assert.are.same({ 0, 4 }, { pipeline(x):min():item(), pipeline(x):max():item() })
    local nested = layers.Pipeline { layers.Dense(2), layers.Dense(3, { name = "last" }) }
    assert.are.same({ -1, 3 }, nested(cdl.Input { 4 }).shape)
    assert.are.equal(4, #nested.weights)
    local same = cdl.models.clone_model(cdl.Sequential { layers.Pipeline { layers.Dense { 2 }, input_shape = { 4 } } })
    assert.are.same({ -1, 2 }, same.output_shape)
    local text = message(layers.Pipeline, { layers.Dense(2), 3 })
    assert.matches("Pipeline: layer 2 must be a layer, got 3", text)
    assert.matches("layer 'last'", message(nested.layers[2], cdl.ones { 2, 5 }) or "")
  end)

  it("spectrograms find a tone", function()
    local time = cdl.arange(0, 1023) / 8000
    local tone = cdl.ops.sin(time * (2 * math.pi * 1000)):reshape { 1, 1024, 1 }
    local y = layers.STFTSpectrogram { frame_length = 64, mode = "magnitude" }(tone)
    assert.are.same({ 1, 31, 33 }, y.shape)
    assert.are.equal(8, y[{ 1, 10 }]:argmax():item()) -- 8 of 64 steps of 125 Hz
    local plain = layers.STFTSpectrogram { frame_length = 4, mode = "stft", window = cdl.null, scaling = cdl.null }
    assert.are.same({ { { 3, 0, 1, 0, -1, 0 } } }, -- three real parts, three imaginary ones
      plain(cdl.tensor { { { 1 }, { 1 }, { 1 }, { 0 } } }):round():totable())
    local mel = layers.MelSpectrogram { fft_length = 256, sequence_stride = 128, num_mel_bins = 20,
      sampling_rate = 8000 }
    local loud = mel(tone:reshape { 1024 })
    assert.are.same({ 20, 9 }, loud.shape)
    assert.is_true(loud:max():item() - loud:min():item() <= 80)
    local lower = mel(tone[{ {}, {} }]:reshape { 1024 } * 0.1)
    assert.is_true(math.abs(loud:max():item() - lower:max():item() - 20) < 1e-3)
    assert.matches("frame_step must be from 1 to frame_length %(8%), got 9",
      message(layers.STFTSpectrogram, { frame_length = 8, frame_step = 9 }))
    assert.matches("fft_length must not be less than frame_length", message(layers.STFTSpectrogram,
      { frame_length = 8, fft_length = 4 }))
    assert.matches("max_freq must be above min_freq", message(layers.MelSpectrogram, { max_freq = 10 }))
    assert.matches("window must be 'hann', 'hamming' or a list", message(layers.MelSpectrogram, { window = "tukey" }))
  end)

  it("Embedding names an id out of range", function()
    local embed = layers.Embedding(4, 2)
    assert.matches("layers_spec.lua:%d+: .*7", message(embed, cdl.tensor({ { 1, 7 } }, "int32")))
    local fixed = layers.Embedding { 2, 2, weights = { { 1, 2 }, { 3, 4 } } }
    assert.are.same({ { { 3, 4 } } }, fixed(cdl.tensor({ { 1 } }, "int32")):totable())
  end)

  it("ActivityRegularization joins the loss", function()
    local model = cdl.Sequential { layers.ActivityRegularization { l1 = 0.5, l2 = 0.1, input_shape = { 2 } } }
    model:compile { optimizer = "sgd", loss = "mse" }
    local x = cdl.tensor { { 1, -2 }, { 0, 0 } }
    assert.is_true(math.abs(model:evaluate(x, x, { verbose = 0 }) - (0.5 * 3 + 0.1 * 5) / 2) < 1e-6)
  end)

  it("say what they want", function()
    assert.matches("at least 1", message(layers.Add(), cdl.ones { 2, 2 }))
    assert.matches("2 tensors", message(layers.Subtract(), { cdl.ones { 2 }, cdl.ones { 2 }, cdl.ones { 2 } }))
    assert.matches("each of 1 to 2 once", message(layers.Permute, { 1, 1 }))
    assert.matches("{batch, features}", message(layers.RepeatVector(2), cdl.ones { 2, 3, 4 }))
    assert.matches("do not fall into 4 groups", message(layers.GroupNormalization(4), cdl.ones { 2, 6 }))
    assert.matches("axis 1 is the batch", message(layers.Concatenate, { axis = 1 }))
    assert.matches("summed axes have 3 and 4", message(layers.Dot(2), { cdl.ones { 2, 3 }, cdl.ones { 2, 4 } }))
    assert.matches("5 axes", message(layers.SpatialDropout3D(0.5), cdl.ones { 2, 6 }, true))
  end)

  it("that take one tensor say so when they get two, or what is none", function()
    local x = cdl.ones { 2, 6, 6, 3 }
    for _, layer in ipairs { layers.Conv2D(1, 2), layers.DepthwiseConv2D(2), layers.SeparableConv2D(1, 2),
      layers.Conv2DTranspose(1, 2), layers.MaxPooling2D(), layers.GlobalAveragePooling2D(), layers.UpSampling2D(),
      layers.ZeroPadding2D(), layers.Cropping2D(), layers.LayerNormalization(), layers.UnitNormalization(),
      layers.PReLU(), layers.Permute { 1, 3, 2 }, layers.SpatialDropout2D(0.5), layers.ReLU(), layers.Embedding(2, 2),
      layers.TimeDistributed(layers.Dense(1)) } do
      local wanted = ("^tests/lua/layers_spec.lua:%%d+: layer '%s' takes one tensor, got 2$"):format(layer.name)
      assert.matches(wanted, message(layer, x, x))
      assert.matches(wanted, message(layer, { x, x }))
      assert.matches("entry .axis. is", message(layer, { axis = "x", y = x }))
      assert.are.equal(2, layer({ x }).shape[1])
    end
    assert.matches("layer 'add.*' is called on a tensor or a list of tensors; entry 2 is 5",
      message(layers.Add(), { x, 5 }))
  end)

  it("show the arguments they were made with as fields", function()
    local conv = layers.Conv2D { 8, { 3, 5 }, padding = "same" }
    assert.same({ 3, 5 }, conv.kernel_size)
    assert.equal("same", conv.padding)
    assert.equal(0, layers.Dropout(0).rate)
    assert.equal(2, layers.UnitNormalization { axis = 2 }.axis)
    assert.equal(0.5, cdl.losses.Huber(0.5).delta)
    assert.is_nil(conv.no_such_argument)
  end)

  it("want an initializer to give the weight's shape", function()
    local function made_by(initializer)
      local Own = cdl.Layer:extend "Own"
      function Own:build() self.w = self:add_weight { name = "w", shape = { 2 }, initializer = initializer } end
      function Own:call(x) return x * self.w end
      return function() return Own()(cdl.ones { 1, 2 }) end
    end
    local problem = message(made_by(function() return cdl.ones { 3 } end))
    assert.matches("^tests/lua/layers_spec.lua:%d+: add_weight: the initializer of 'w' must give a tensor of "
      .. "shape {2}, got a float32 tensor {3}", problem)
    assert.matches("got nil", message(made_by(function() end)))
    assert.same({ { 1, 2 } }, made_by(function() return cdl.tensor({ 1, 2 }, "int32") end)():totable())
  end)

  it("have functional forms for merging", function()
    local a, b = cdl.tensor { { 1, 2 } }, cdl.tensor { { 3, 4 } }
    assert.are.same({ { 4, 6 } }, layers.add { a, b }:totable())
    assert.are.same({ { 1, 2, 3, 4 } }, layers.concatenate { a, b }:totable())
    assert.are.same({ { 11 } }, layers.dot({ a, b }, { axes = 2 }):totable())
  end)
end)

describe("what a call takes by name", function()
  local Scale = cdl.Layer:extend "Scale"
  Scale.call_options = {
    { "factor", "number", 1 },
    { "shift", "any" },
  }
  Scale.one_input = true
  function Scale:call(x, training, mask, options)
    local y = x * options.factor
    if options.shift then y = y + options.shift end
    if training then y = y * 100 end
    return mask and y * mask:astype "float32" or y
  end
  local x = cdl.tensor { 1, 2 }

  it("is read by call_options, with defaults", function()
    assert.are.same({ 1, 2 }, Scale()(x):totable())
    assert.are.same({ 3, 6 }, Scale()(x, { factor = 3 }):totable())
    assert.are.same({ 3, 6 }, Scale() { x, factor = 3 }:totable())
    assert.are.same({ 200, 400 }, Scale()(x, true, nil, { factor = 2 }):totable())
    assert.are.same({ 0, 400 },
      Scale()(x, { factor = 2, training = true, mask = cdl.tensor { false, true } }):totable())
  end)

  it("may hold symbols", function()
    local a, b = cdl.Input { 2 }, cdl.Input { 2 }
    local model = cdl.Model { inputs = { a, b }, outputs = Scale()(a, { factor = 2, shift = b }) }
    assert.are.same({ { 2.5, 4.5 } },
      model:predict({ cdl.tensor { { 1, 2 } }, cdl.tensor { { 0.5, 0.5 } } }, { verbose = 0 }):totable())
  end)

  it("knows only training and mask for other layers", function()
    assert.are.same({ 1, 2 }, layers.Dropout(0.5)(x, { training = false }):totable())
    assert.matches("layers_spec%.lua:%d+: Dropout: unknown argument 'trainning' %(did you mean 'training'%?%)",
      message(function() layers.Dropout(0.5)(x, { trainning = true }) end))
  end)

  it("trains by default where the class says so", function()
    local Noisy = Scale:extend "Noisy"
    Noisy.default_training = true
    assert.are.same({ 100, 200 }, Noisy()(x):totable())
    local model = cdl.Sequential { Noisy() }
    assert.are.same({ { 1, 2 } }, model:predict(cdl.tensor { { 1, 2 } }, { verbose = 0 }):totable())
  end)
end)
