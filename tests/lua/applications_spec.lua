--- Networks known by name. That they compute what Keras's do is in tests/keras.
local cdl = require "cdl"
local folder = require "folder"
local program = require "program"

local applications = cdl.applications

-- The smallest of them.
local function small(more)
  local args = { alpha = 0.35, include_top = false }
  for key, value in pairs(more or {}) do args[key] = value end
  return applications.MobileNetV2(args)
end

local function message_of(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.matches("^[^\n]*applications_spec.lua:%d+: ", message)
  return message
end

describe("cdl.applications", function()
  local temporary
  setup(function() temporary = folder.new() end)
  teardown(function() temporary:remove() end)

  it("takes images of any size without a classifier", function()
    local model = small()
    assert.same({ -1, -1, -1, 3 }, model.input_shape)
    assert.equal("mobilenetv2_0.35_None", model.name)
    assert.same({ 2, 1, 2, 1280 }, model:predict(cdl.zeros { 2, 32, 64, 3 }, { verbose = 0 }).shape)
    assert.same({ -1, 1280 }, small { pooling = "max", name = "m" }.output_shape)
    assert.equal("m", small { pooling = "max", name = "m" }.name)
  end)

  it("ends in a classifier", function()
    local model = small { include_top = true, input_shape = { 32, 32, 1 }, classes = 5 }
    assert.same({ -1, 5 }, model.output_shape)
    local y = model:predict(cdl.ones { 1, 32, 32, 1 }, { verbose = 0 })
    assert.is_true(math.abs(y:sum():item() - 1) < 1e-5)
  end)

  it("goes on from a symbolic tensor", function()
    local input = cdl.Input { shape = { 32, 32, 1 }, name = "grey" }
    local model = small { input_tensor = cdl.layers.Concatenate() { input, input, input }, pooling = "avg" }
    assert.equal("grey", model.input_names[1])
    assert.same({ 1, 1280 }, model:predict(cdl.ones { 1, 32, 32, 1 }, { verbose = 0 }).shape)
  end)

  it("reads weights from a file", function()
    local path = temporary "w.safetensors"
    cdl.layers.Layer.reset_names()
    local first = small { pooling = "avg" }
    first:save_weights(path)
    cdl.layers.Layer.reset_names()
    local second = small { pooling = "avg", weights = path }
    for i, weight in ipairs(first:get_weights()) do
      assert.same(0, (weight - second:get_weights()[i]):abs():max():item())
    end
    assert.matches("x.npz", message_of(small, { weights = temporary "x.npz" }), 1, true)
  end)

  it("says where the weights of imagenet belong", function()
    local script = 'cdl = require "cdl"; cdl.applications.VGG16 { weights = "imagenet", include_top = false }'
    local status, _, err = program.shell(("CDL_DATA=%s KERAS_HOME=%s %s -e %s"):format(temporary.path,
      temporary "keras", program.quote(program.path), program.quote(script)))
    assert.equal(1, status)
    assert.matches("VGG16: the weights are not on this machine", err, 1, true)
    assert.matches("vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", err, 1, true)
    assert.matches(temporary "keras/models", err, 1, true)
    assert.matches("https://", err, 1, true)
    assert.is_nil(err:find(".gz", 1, true))
  end)

  it("refuses what it cannot be", function()
    assert.matches("at least 32 x 32, got input_shape {16, 32, 3}",
      message_of(small, { input_shape = { 16, 32, 3 } }), 1, true)
    assert.matches("{height, width, channels}", message_of(small, { input_shape = { 32, 32 } }), 1, true)
    assert.matches("sizes of input_shape must be known",
      message_of(small, { include_top = true, input_shape = { -1, 32, 3 } }), 1, true)
    assert.matches("for 3 channels", message_of(small, { weights = "imagenet", input_shape = { 32, 32, 1 } }), 1, true)
    assert.matches("for 1000 classes",
      message_of(small, { weights = "imagenet", include_top = true, classes = 5 }), 1, true)
    assert.matches('"softmax" or cdl.null, got "relu"',
      message_of(small, { weights = "x.npz", include_top = true, classifier_activation = "relu" }), 1, true)
    assert.matches("alpha", message_of(small, { weights = "imagenet", alpha = 0.4 }), 1, true)
    assert.matches("input_tensor", message_of(small, { input_tensor = cdl.Input { 3 } }), 1, true)
    assert.matches("MobileNetV2: unknown argument 'alfa'", message_of(applications.MobileNetV2, { alfa = 1 }), 1, true)
  end)
end)

describe("imagenet_utils", function()
  local temporary
  setup(function() temporary = folder.new() end)
  teardown(function() temporary:remove() end)

  it("prepares images of every kind of tensor", function()
    local x = cdl.tensor({ { { 0, 255, 51 } } }, "uint8")
    local y = applications.imagenet_utils.preprocess_input(x, "tf")
    assert.equal("float32", y.dtype)
    assert.is_true(math.abs(y[{ 1, 1, 3 }] + 0.6) < 1e-6)
    local input = cdl.Input { shape = { -1, -1, 3 } }
    local model = cdl.Model { inputs = input, outputs = applications.vgg16.preprocess_input(input) }
    assert.is_true(math.abs(model:predict(cdl.zeros { 1, 1, 1, 3 }, { verbose = 0 })[{ 1, 1, 1, 1 }] + 103.939) < 1e-4)
    assert.equal(x, applications.efficientnet.preprocess_input(x))
    assert.matches("3 colours", message_of(applications.vgg16.preprocess_input, cdl.ones { 2, 2, 1 }), 1, true)
  end)

  it("names the likeliest classes", function()
    local rows = {}
    for k = 0, 999 do rows[#rows + 1] = ('"%d": ["n%08d", "thing_%d"]'):format(k, k, k) end
    local path = temporary:write("index.json", "{" .. table.concat(rows, ", ") .. "}")
    local p = cdl.zeros { 2, 1000 }
    p[{ 1, 8 }], p[{ 1, 3 }], p[{ 2, 1000 }] = 0.75, 0.25, 1
    local best = applications.vgg16.decode_predictions(p, { top = 2, class_index = path })
    assert.same({ { "n00000007", "thing_7", 0.75 }, { "n00000002", "thing_2", 0.25 } }, best[1])
    assert.same({ "n00000999", "thing_999", 1 }, best[2][1])
    assert.matches("{batch, 1000}, got shape {2, 10}",
      message_of(applications.vgg16.decode_predictions, cdl.zeros { 2, 10 }), 1, true)
    for name, text in pairs { ["cut.json"] = "{", ["list.json"] = "3", ["few.json"] = '{"0": ["a", "b"]}' } do
      local bad = temporary:write(name, text)
      assert.matches(name, message_of(applications.vgg16.decode_predictions, p, { class_index = bad }), 1, true)
    end
    assert.matches("none.json", message_of(applications.vgg16.decode_predictions, p,
      { class_index = temporary "none.json" }), 1, true)
  end)
end)
