-- Convolutions, pooling and borders: values by hand, shapes, weights, training, errors. Their
-- numbers are compared with Keras's in tests/keras.
local cdl = require "cdl"
local core = require "cdl.core"
local layers, ops = cdl.layers, cdl.ops

local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok)
  return text
end

local function shapes(list)
  local texts = {}
  for i, x in ipairs(list) do texts[i] = table.concat(x.shape, "x") end
  return texts
end

-- The shape of what a layer gives for a symbol of that shape (with the batch).
local function output_of(layer, shape) return layer(cdl.Input { batch_shape = shape }).shape end

describe("convolution layers", function()
  it("have Keras's weights in Keras's order", function()
    local function weights(layer, shape)
      layer(cdl.zeros(shape))
      return shapes(layer.weights)
    end
    assert.are.same({ "3x4x5", "5" }, weights(layers.Conv1D(5, 3), { 1, 8, 4 }))
    assert.are.same({ "3x2x2x6", "6" }, weights(layers.Conv2D(6, { 3, 2 }, { groups = 2 }), { 1, 8, 8, 4 }))
    assert.are.same({ "2x2x2x4x3" }, weights(layers.Conv3D { 3, 2, use_bias = false }, { 1, 4, 4, 4, 4 }))
    assert.are.same({ "3x3x4x2", "8" }, weights(layers.DepthwiseConv2D { 3, depth_multiplier = 2 }, { 1, 8, 8, 4 }))
    assert.are.same({ "3x4x2", "1x8x5", "5" },
      weights(layers.SeparableConv1D { 5, 3, depth_multiplier = 2 }, { 1, 8, 4 }))
    assert.are.same({ "3x3x6x4", "6" }, weights(layers.Conv2DTranspose(6, 3), { 1, 8, 8, 4 }))
    local conv = layers.Conv2D { 2, 3, name = "c" }
    conv(cdl.zeros { 1, 4, 4, 1 })
    assert.matches("c/kernel$", conv.weights[1].path)
  end)

  it("give Keras's shapes, also of unknown sizes", function()
    local image = { -1, 7, 8, 3 }
    assert.are.same({ -1, 5, 6, 4 }, output_of(layers.Conv2D(4, 3), image))
    assert.are.same({ -1, 7, 8, 4 }, output_of(layers.Conv2D(4, 3, { padding = "same" }), image))
    assert.are.same({ -1, 3, 3, 4 }, output_of(layers.Conv2D(4, 3, 2), image))
    assert.are.same({ -1, 4, 4, 4 }, output_of(layers.Conv2D(4, 3, 2, "same"), image))
    assert.are.same({ -1, 3, 4, 4 }, output_of(layers.Conv2D { 4, 3, dilation_rate = 2 }, image))
    assert.are.same({ -1, -1, -1, 4 }, output_of(layers.Conv2D(4, 3), { -1, -1, -1, 3 }))
    assert.are.same({ -1, -1, 4 }, output_of(layers.Conv1D(4, 3, { padding = "causal" }), { -1, -1, 3 }))
    assert.are.same({ -1, 15, 17, 4 }, output_of(layers.Conv2DTranspose(4, 3, 2), image))
    assert.are.same({ -1, 14, 16, 4 }, output_of(layers.Conv2DTranspose(4, 3, 2, "same"), image))
    assert.are.same({ -1, 3, 4, 3 }, output_of(layers.MaxPooling2D(), image))
    assert.are.same({ -1, 3, 4, 3 }, output_of(layers.MaxPooling2D { 2, 2 }, image))
    assert.are.same({ -1, 3, 3, 3 }, output_of(layers.MaxPooling2D { { 3, 3 }, strides = 2 }, image))
    assert.are.same({ -1, 4, 4, 3 }, output_of(layers.AveragePooling2D { 2, padding = "same" }, image))
    assert.are.same({ -1, 3 }, output_of(layers.GlobalMaxPooling2D(), image))
    assert.are.same({ -1, 1, 1, 3 }, output_of(layers.GlobalAveragePooling2D { keepdims = true }, image))
    assert.are.same({ -1, 3 }, output_of(layers.GlobalMaxPooling1D(), { -1, -1, 3 }))
    assert.are.same({ -1, 9, 14, 3 }, output_of(layers.ZeroPadding2D { { 1, { 2, 4 } } }, image))
    assert.are.same({ -1, 6, 3, 3 }, output_of(layers.Cropping2D { { { 1, 0 }, { 2, 3 } } }, image))
    assert.are.same({ -1, 14, 24, 3 }, output_of(layers.UpSampling2D { 2, 3 }, image))
    assert.are.same({ -1, -1, 3 }, output_of(layers.UpSampling1D(3), { -1, -1, 3 }))
  end)

  it("are found under Keras's second names", function()
    assert.are.equal(layers.Conv2D, layers.Convolution2D)
    assert.are.equal(layers.MaxPooling1D, layers.MaxPool1D)
    assert.are.equal(layers.AveragePooling3D, layers.AvgPool3D)
    assert.are.equal(layers.GlobalAveragePooling1D, layers.GlobalAvgPool1D)
  end)

  it("apply bias and any activation", function()
    local x = cdl.tensor { { { 1 }, { -2 } } }
    for _, case in ipairs { { "relu", 1.5, 0 }, { "linear", 1.5, -1.5 }, { "tanh", math.exp(3), math.exp(-3) } } do
      local conv = layers.Conv1D { 1, 1, activation = case[1], bias_initializer = cdl.initializers.Constant(0.5),
        kernel_initializer = "ones" }
      local y = conv(x):totable()[1]
      for i = 1, 2 do
        local want = case[1] == "tanh" and (case[i + 1] - 1) / (case[i + 1] + 1) or case[i + 1]
        assert.is_near(want, y[i][1], 1e-6)
      end
    end
  end)

  it("train: an image's bright quarter is found", function()
    cdl.random.seed(3)
    local n = 64
    local x, y = cdl.random.normal { shape = { n, 8, 8, 1 }, stddev = 0.3 }, {}
    for i = 1, n do
      local quarter = (i - 1) % 4
      local row, column = quarter // 2 * 4 + 1, quarter % 2 * 4 + 1
      local part = x[{ i, { row, row + 3 }, { column, column + 3 }, 1 }]
      x[{ i, { row, row + 3 }, { column, column + 3 }, 1 }] = part + 1
      y[i] = quarter
    end
    local model = cdl.Sequential {
      layers.Conv2D { 8, 3, activation = "relu", padding = "same", input_shape = { 8, 8, 1 } },
      layers.MaxPooling2D(2), layers.SeparableConv2D { 8, 3, activation = "relu" }, layers.Flatten(),
      layers.Dense { 4, activation = "softmax" } }
    model:compile { optimizer = cdl.optimizers.Adam { learning_rate = 0.01 },
      loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }
    local history = model:fit(x, cdl.tensor(y, "int64"), { epochs = 8, batch_size = 16, verbose = 0 }).history
    assert.is_true(history.loss[8] < 0.5 * history.loss[1])
    assert.is_true(history.accuracy[8] > 0.9)
  end)

  it("give the same bits with 1, 2 and 5 threads", function()
    local threads = core.threads()
    finally(function() core.threads(threads) end)
    local function train(n)
      core.threads(n)
      cdl.random.seed(9)
      local x = cdl.random.normal { shape = { 40, 14, 14, 3 } }
      local model = cdl.Sequential {
        layers.Conv2D { 20, 3, activation = "relu", padding = "same", input_shape = { 14, 14, 3 } },
        layers.MaxPooling2D { { 3, 3 }, strides = 2 }, layers.DepthwiseConv2D { 3, padding = "same" },
        layers.Conv2D { 35, 2, strides = 2 }, layers.Conv2DTranspose { 4, 3, strides = 2 },
        layers.AveragePooling2D { 2, padding = "same" }, layers.Flatten(), layers.Dense(1) }
      model:compile { optimizer = "sgd", loss = "mse" }
      model:fit(x, x:mean { 2, 3, 4 }, { epochs = 2, batch_size = 16, verbose = 0 })
      return model:get_weights()
    end
    local first = train(1)
    for _, n in ipairs { 2, 5 } do
      for i, weight in ipairs(train(n)) do
        assert.is_true(weight:eq(first[i]):all():item(), ("weight %d, %d threads"):format(i, n))
      end
    end
  end)

  it("have second gradients", function()
    local w = cdl.tensor { { { 1 } }, { { 2 } } }
    local function squares(x) return ops.conv(x, w):square():sum() end
    local second = cdl.grad(function(x) return cdl.grad(squares)(x)[{ 1, 2, 1 }] end)
    -- y1 = x1 + 2 x2, y2 = x2 + 2 x3: d/dx2 of the sum of squares is 4 y1 + 2 y2.
    assert.are.same({ { { 4 }, { 10 }, { 4 } } }, second(cdl.tensor { { { 3 }, { 5 }, { 7 } } }):totable())
  end)
end)

describe("pooling", function()
  it("ignores padding: no zero is a maximum, none is counted", function()
    local x = cdl.tensor { { { -1 }, { -2 }, { -3 } } }
    assert.are.same({ { { -1 }, { -3 } } }, layers.MaxPooling1D { 2, padding = "same" }(x):totable())
    assert.are.same({ { { -1.5 }, { -3 } } }, layers.AveragePooling1D { 2, padding = "same" }(x):totable())
  end)

  it("gives the gradient to the first of equal maxima", function()
    local gradient = cdl.grad(function(x) return ops.max_pool(x, 2, 1):sum() end)
    assert.are.same({ { { 1 }, { 1 }, { 0 } } }, gradient(cdl.tensor { { { 5 }, { 5 }, { 5 } } }):totable())
  end)

  it("leaves masked steps out of a global mean", function()
    local x = cdl.tensor { { { 1, 10 }, { 3, 30 }, { 100, 100 } } }
    local mask = cdl.tensor { { true, true, false } }
    assert.are.same({ { 2, 20 } }, layers.GlobalAveragePooling1D()(x, false, mask):totable())
    assert.are.same({ { { 2, 20 } } }, layers.GlobalAveragePooling1D { keepdims = true }(x, false, mask):totable())
  end)
end)

describe("a convolution and its pooling in one pass", function()
  local function stack(shape, list)
    table.insert(list, 1, cdl.Input { shape = shape })
    local model = cdl.Sequential(list)
    for _, weight in ipairs(model.weights) do weight:assign(cdl.random.normal { shape = weight.shape }) end
    return { model = model, shape = shape }
  end

  local models = {
    stack({ 28, 28, 1 }, { layers.Conv2D { 32, 3, activation = "relu" }, layers.MaxPooling2D(2),
      layers.Conv2D { 64, 3, activation = "relu" }, layers.MaxPooling2D(2),
      layers.Conv2D { 64, 3, activation = "relu" } }),
    stack({ 19, 23, 3 }, { layers.Conv2D { 20, 3, padding = "same" },
      layers.AveragePooling2D { { 3, 2 }, padding = "same" },
      layers.Conv2D { 9, 2, strides = 2, activation = "relu" }, layers.MaxPooling2D { 2, strides = 3 } }),
    stack({ 90, 4 }, { layers.Conv1D { 33, 5, activation = "relu", dilation_rate = 2, padding = "causal" },
      layers.MaxPooling1D(4), layers.Conv1D { 5, 3 }, layers.AveragePooling1D { 3, strides = 2 } }),
    stack({ 9, 8, 10, 2 }, { layers.Conv3D { 17, 3, activation = "relu", padding = "same" },
      layers.MaxPooling3D { { 2, 2, 3 } } }),
  }

  it("has the bits of the layers one by one, for any batch and 1, 2 and 5 threads", function()
    local threads = core.threads()
    finally(function() core.threads(threads) end)
    for number, case in ipairs(models) do
      local model = case.model
      for _, batch in ipairs { 1, 3, 40 } do
        local x = cdl.random.normal { shape = { batch, table.unpack(case.shape) } }
        core.threads(threads)
        local want = x
        for _, layer in ipairs(model.layers) do want = layer(want) end
        for _, n in ipairs { 1, 2, 5 } do
          core.threads(n)
          assert.is_true(model:predict_on_batch(x):eq(want):all():item(),
            ("model %d, batch of %d, %d threads"):format(number, batch, n))
        end
      end
    end
  end)

  it("is a row of the plan with the convolution's name", function()
    local model = models[1].model
    local text = cdl.graph.dump { model, mode = "predict" }
    assert.matches("= conv_pool%(.-# " .. model.name .. "/" .. model.layers[1].name .. " ", text)
    assert.is_nil(text:find("max_pool", 1, true))
  end)
end)

describe("upsampling", function()
  it("repeats, or goes in straight lines", function()
    local x = cdl.tensor { { { { 0 }, { 4 } } } }
    assert.are.same({ { { { 0 }, { 0 }, { 4 }, { 4 } }, { { 0 }, { 0 }, { 4 }, { 4 } } } },
      layers.UpSampling2D()(x):totable())
    assert.are.same({ { { { 0 }, { 1 }, { 3 }, { 4 } } } },
      layers.UpSampling2D { { 1, 2 }, interpolation = "bilinear" }(x):totable())
  end)
end)

describe("errors of spatial layers", function()
  it("name the layer, the line, what was given and what was wanted", function()
    local conv = layers.Conv2D { 4, 3, name = "c" }
    assert.matches("conv_spec.lua:%d+: layer 'c' wants inputs of shape {batch, rows, columns, channels}, "
      .. "got {2, 5, 5}$",
      message(conv, cdl.zeros { 2, 5, 5 }))
    assert.matches("a window of 3 does not fit into axis 3 of inputs of shape {2, 5, 2, 1}",
      message(conv, cdl.zeros { 2, 5, 2, 1 }))
    conv(cdl.zeros { 2, 5, 5, 1 })
    assert.matches("layer 'c': inputs of shape {2, 5, 5, 3} do not fit a kernel of shape {3, 3, 1, 4}",
      message(conv, cdl.zeros { 2, 5, 5, 3 }))
    assert.matches("known number of channels", message(layers.Conv1D(2, 3), cdl.Input { batch_shape = { -1, 9, -1 } }))
    assert.matches("7 filters do not divide into 2 groups", message(layers.Conv2D, { 7, 3, groups = 2 }))
    assert.matches("5 channels, which do not divide into 2 groups",
      message(layers.Conv1D { 4, 3, groups = 2 }, cdl.zeros { 1, 9, 5 }))
    assert.matches("strides {2, 2} cannot be combined with dilation_rate {3, 3}",
      message(layers.Conv2D, { 2, 3, strides = 2, dilation_rate = 3 }))
    assert.matches("output_padding {2, 2} must be less than strides {2, 2}",
      message(layers.Conv2DTranspose, { 2, 3, strides = 2, output_padding = 2 }))
    assert.matches("padding must be one of 'valid', 'same'", message(layers.Conv2D, { 2, 3, padding = "causal" }))
    assert.matches("data_format must be one of 'channels_last'",
      message(layers.MaxPooling2D, { 2, data_format = "channels_first" }))
    assert.matches("pool_size", message(layers.AveragePooling1D))
    assert.matches("kernel_size", message(layers.Conv2D, { 2, { 3, 3, 3 } }))
    assert.matches("cropping {3, 3} leaves nothing of axis 2 of inputs of shape {1, 6, 2}",
      message(layers.Cropping1D(3), cdl.zeros { 1, 6, 2 }))
    assert.matches("layer 's': windows, strides and dilation must be at most 1073741824, got 4611686018427387904",
      message(layers.Conv1D { 2, 3, dilation_rate = 2 ^ 62, name = "s" }, cdl.zeros { 1, 6, 2 }))
    assert.matches("layer 't': windows, strides and dilation must be at most",
      message(layers.Conv1DTranspose { 2, 3, strides = 2 ^ 40, name = "t" }, cdl.zeros { 1, 6, 2 }))
    assert.matches("wants inputs of shape {batch, steps, channels}",
      message(layers.GlobalMaxPooling1D(), cdl.zeros { 2, 3 }))
  end)

  it("of ops name the op", function()
    local x = cdl.zeros { 1, 4, 4, 2 }
    assert.matches("conv_spec.lua:%d+: conv: inputs of shape {1, 4, 4, 2} want a kernel with 4 axes, got {3, 2, 5}",
      message(ops.conv, x, cdl.zeros { 3, 2, 5 }))
    assert.matches("conv: inputs of shape {1, 4, 4, 2} do not fit a kernel of shape {3, 3, 3, 5}",
      message(ops.conv, x, cdl.zeros { 3, 3, 3, 5 }))
    assert.matches("conv: causal padding wants inputs of shape {batch, steps, channels}",
      message(ops.conv, x, cdl.zeros { 3, 3, 2, 5 }, { padding = "causal" }))
    assert.matches("max_pool: pool_size must be an integer or a list of 2 integers, got {2, 2, 2}",
      message(ops.max_pool, x, { 2, 2, 2 }))
    assert.matches("max_pool wants inputs of shape {batch, sizes ..., channels} with one to three sizes, got {4, 4}",
      message(ops.max_pool, cdl.zeros { 4, 4 }, 2))
    assert.matches("conv_bias: bias of shape {3} for 5 filters, wanted {5}",
      message(ops.conv, x, cdl.zeros { 3, 3, 2, 5 }, { bias = cdl.zeros { 3 } }))
  end)
end)
