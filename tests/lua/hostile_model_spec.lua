-- Files of models that are damaged, hostile, or do not fit: an error that says what and where, and nothing
-- in the model has changed.
local cdl = require "cdl"
local core = require "cdl.core"
local folder = require "folder"
local json = require "cdl.json"
local layers = cdl.layers

describe("model files that are not as they should be", function()
  local temporary
  setup(function() temporary = folder.new() end)
  teardown(function() temporary:remove() end)

  local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok)
    assert.matches("^[^\n]*hostile_model_spec.lua:%d+: ", message)
    return message
  end

  local function small(units, names)
    return cdl.Sequential { cdl.Input { 4 }, layers.Dense { units, name = names and "first" },
      layers.Dense { 2, name = names and "second" } }
  end

  -- An archive of these texts, with the weights of a model.
  local function archive_of(config, arrays)
    local path = temporary "made.keras"
    local paths, tensors = {}, {}
    for name, tensor in cdl.utils.sorted_pairs(arrays or {}) do
      paths[#paths + 1], tensors[#tensors + 1] = name, tensor
    end
    assert(core.archive_write(path, { "config.json", "model.weights.h5" },
      { type(config) == "string" and config or json.encode(config), assert(core.h5_image(paths, tensors)) }))
    return path
  end

  local function sequential(...)
    return { module = "keras", class_name = "Sequential", config = { name = "s", layers = json.list { ... } } }
  end

  local function dense(config)
    return { module = "keras.layers", class_name = "Dense", config = config }
  end

  local input = { module = "keras.layers", class_name = "InputLayer",
    config = { name = "in", batch_shape = { cdl.null, 4 }, dtype = "float32" } }

  it("cut off, empty, foreign: the file is named", function()
    local model = small(3)
    model:save(temporary "m.keras")
    local text = temporary:read "m.keras"
    for name, content in pairs { empty = "", foreign = "nothing like it\n", cut = text:sub(1, #text // 2) } do
      local path = temporary:write(name .. ".keras", content)
      assert.matches(path, message_of(cdl.models.load_model, path), 1, true)
      assert.matches(path, message_of(model.load_weights, model, path), 1, true)
    end
    model:save_weights(temporary "m.weights.h5")
    text = temporary:read "m.weights.h5"
    for name, content in pairs { empty = "", foreign = "nothing like it\n", cut = text:sub(1, 700) } do
      local path = temporary:write(name .. ".weights.h5", content)
      assert.matches(path, message_of(model.load_weights, model, path), 1, true)
    end
    assert.matches("ends in .keras or .h5", message_of(cdl.models.load_model, temporary "m.npz"), 1, true)
    assert.matches("No such file", message_of(cdl.models.load_model, temporary "none.keras"), 1, true)
  end)

  it("bytes changed: an error or another number, and the process goes on", function()
    local model = small(3)
    model:save_weights(temporary "m.weights.h5")
    local text, path = temporary:read "m.weights.h5", temporary "flipped.weights.h5"
    for at = 1, #text, 97 do
      local flipped = string.char(text:byte(at) ~ 255)
      temporary:write("flipped.weights.h5", text:sub(1, at - 1) .. flipped .. text:sub(at + 1))
      local ok, message = pcall(model.load_weights, model, path)
      assert.is_true(ok or message:find("load_weights: " .. path, 1, true) ~= nil)
    end
    model:save(temporary "m.keras")
    text = temporary:read "m.keras"
    local at = text:find("Sequential", 1, true)
    temporary:write("flipped.keras", text:sub(1, at - 1) .. "X" .. text:sub(at + 1))
    assert.matches("config.json", message_of(cdl.models.load_model, temporary "flipped.keras"), 1, true)
  end)

  it("other weights: entry, layer and both shapes are named, and nothing has changed", function()
    local model, other = small(3, true), small(5, true)
    other:save_weights(temporary "other.weights.h5")
    local before = model:get_weights()
    local message = message_of(model.load_weights, model, temporary "other.weights.h5")
    assert.matches("weight kernel {4, 3} of layer 'first' must match the array /layers/dense/vars/0 of shape {4, 5}",
      message, 1, true)
    assert.matches("skip_mismatch = true", message, 1, true)
    for i, value in ipairs(model:get_weights()) do assert.same(before[i]:totable(), value:totable()) end
    model:load_weights(temporary "other.weights.h5", { skip_mismatch = true })
    assert.same(before[1]:totable(), model:get_weights()[1]:totable())
    local one = cdl.Sequential { cdl.Input { 4 }, layers.Dense { 3, name = "only" } }
    small(3):save_weights(temporary "two.weights.h5")
    assert.matches("it holds 2 arrays for which model", message_of(one.load_weights, one, temporary "two.weights.h5"),
      1, true)
    one:save_weights(temporary "one.weights.h5")
    assert.matches("'second' has 2 weights (kernel {3, 2}, bias {2}), the file holds 0 for it (/layers/dense_1/vars)",
      message_of(model.load_weights, model, temporary "one.weights.h5"), 1, true)
  end)

  it("configs: what cannot be made is named with its place", function()
    local function refused(config, words)
      local message = message_of(cdl.models.load_model, archive_of(config))
      assert.matches("made.keras", message, 1, true)
      assert.matches(words, message, 1, true)
    end
    refused("{", "config.json is damaged: line 1, column 1")
    refused(("["):rep(100000), "more than 200 deep")
    refused("[1, 2]", "it describes no model")
    refused(sequential(dense { units = 3, colour = "red" }),
      "Dense: the argument 'colour' = \"red\" is not known to cdl")
    refused(sequential(input, dense { name = "d", units = 3, activation = "relo" }),
      "Dense 'd': unknown activation 'relo'")
    refused(sequential(input, dense { name = "d", units = "many" }), "units must be")
    refused(sequential(input, dense { name = "d", units = 3, dtype = { class_name = "DTypePolicy",
      config = { name = "mixed_float16" } } }), "the dtype policy 'mixed_float16' is not known")
    refused(sequential { module = "keras.layers", class_name = "Dens", config = { name = "d" } },
      "the class 'Dens' of keras.layers is not known; pass custom_objects = {Dens = ...}")
    refused(sequential { module = "os", class_name = "system", config = "ls" }, "the class 'system' of os is not known")
    refused(sequential { class_name = "Lambda", config = { name = "l", ["function"] = { class_name = "__lambda__",
      config = { code = "x" } } }, module = "keras.layers" }, "Python lambda")
    refused({ module = "keras.src.models.functional", class_name = "Functional", config = { name = "f",
      layers = { { class_name = "InputLayer", module = "keras.layers", config = input.config, name = "in",
        inbound_nodes = {} } }, input_layers = { "in", 0, 0 }, output_layers = { "out", 0, 0 } } },
      "the layer \"out\", which is not in the list")
    refused(sequential(input, dense { name = "d", units = 1000000000 }),
      "the weight kernel {4, 1000000000} of layer 'd' is larger than the file")
    refused({ module = "keras.layers", class_name = "Dense", config = { units = 2 } },
      "it describes a Dense, not a model")
  end)

  it("weights with names that leave the folder are refused", function()
    local model = small(3)
    for _, name in ipairs { "../x.weights.h5", "/etc/passwd", "a/b.weights.h5", ".." } do
      temporary:write("t.weights.json", json.encode { weight_map = { ["/layers/dense/vars"] = name } })
      assert.matches("is not kept in a file of this folder", message_of(model.load_weights, model,
        temporary "t.weights.json"), 1, true)
    end
  end)

  it("a vocabulary that names a file of this machine is not read", function()
    assert.matches("is named by a path", message_of(cdl.models.load_model, archive_of(sequential(
      { module = "keras.layers", class_name = "IntegerLookup", config = { name = "l", vocabulary = "/etc/passwd" } }))),
      1, true)
  end)

  it("names of files: what is wanted is said", function()
    local model = small(3)
    assert.matches("use .keras", message_of(model.save, model, temporary "m.h5"), 1, true)
    assert.matches("must end in .keras", message_of(model.save, model, temporary "m"), 1, true)
    assert.matches("ends in .weights.h5", message_of(model.save_weights, model, temporary "m.h5"), 1, true)
    assert.matches("no layers' names", message_of(model.load_weights, model, temporary "other.weights.h5",
      { by_name = true }), 1, true)
    model:save(temporary "there.keras")
    model:save(temporary "there.keras")
    assert.matches("is there already", message_of(model.save, model, temporary "there.keras", { overwrite = false }),
      1, true)
    local unbuilt = cdl.Sequential { layers.Dense(2) }
    assert.matches("has no weights yet", message_of(unbuilt.save_weights, unbuilt, temporary "u.weights.h5"), 1, true)
  end)
end)
