--- Models as ONNX files. That onnxruntime computes the same is in tests/keras; here is what the file
-- says, and what is refused.
local cdl = require "cdl"
local folder = require "folder"
local protobuf = require "cdl.protobuf"

local layers = cdl.layers

-- The fields of a message by number: lists of values.
local function fields(bytes)
  local all = {}
  for field, value in protobuf.fields(bytes) do
    all[field] = all[field] or {}
    table.insert(all[field], value)
  end
  return all
end

describe("model:export", function()
  local temporary
  setup(function() temporary = folder.new() end)
  teardown(function() temporary:remove() end)

  -- The graph in the file that a model is exported to.
  local function graph_of(model, options)
    model:export(temporary "m.onnx", options)
    return fields(fields(temporary:read "m.onnx")[7][1])
  end

  local function operators(graph)
    local list = {}
    for i, node in ipairs(graph[1]) do list[i] = fields(node)[4][1] end
    return table.concat(list, " ")
  end

  -- The shape of an input or output: numbers and names.
  local function shape_text(info)
    local shape = fields(fields(fields(fields(info)[2][1])[1][1])[2][1])[1] or {}
    for i, dim in ipairs(shape) do
      local parts = fields(dim)
      shape[i] = parts[1] and parts[1][1] or parts[2] and parts[2][1] or "?"
    end
    return table.concat(shape, ",")
  end

  local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok)
    assert.matches("^[^\n]*export_spec.lua:%d+: ", message)
    return message
  end

  it("writes one operator after the other, constants folded", function()
    local model = cdl.Sequential { layers.Input { shape = { 8, 8, 3 }, name = "image" },
      layers.Conv2D { 4, 3, activation = "relu" }, layers.MaxPooling2D(2), layers.BatchNormalization(),
      layers.Flatten(), layers.Dense { 2, activation = "softmax", name = "class" } }
    local graph = graph_of(model)
    assert.equal("Transpose Conv Relu Transpose MaxPool Transpose Sub Mul Add Reshape MatMul Add Softmax Identity",
      operators(graph))
    assert.equal("image", fields(graph[11][1])[1][1])
    assert.equal("class", fields(graph[12][1])[1][1])
    assert.equal("batch,8,8,3", shape_text(graph[11][1]))
    assert.equal("batch,2", shape_text(graph[12][1]))
  end)

  it("keeps several inputs and outputs by name, and unknown sizes", function()
    local words, other = cdl.Input { shape = { -1 }, dtype = "int32", name = "words" }, cdl.Input { 3, name = "other" }
    local mean = layers.GlobalAveragePooling1D()(layers.Embedding(10, 3)(words))
    local both = layers.Concatenate { name = "both" } { mean, other }
    local y = layers.Dense { 1, name = "y" }(both)
    local graph = graph_of(cdl.Model { inputs = { words, other }, outputs = { both, y } })
    assert.equal("batch,words_size_2", shape_text(graph[11][1]))
    assert.equal("batch,3", shape_text(graph[11][2]))
    assert.equal("batch,6", shape_text(graph[12][1]))
    assert.equal("y", fields(graph[12][2])[1][1])
  end)

  it("takes sizes from input_signature", function()
    local model = cdl.Sequential { layers.Dense(2) }
    assert.matches("give input_signature", message_of(model.export, model, temporary "x.onnx"), 1, true)
    assert.equal("4,3", shape_text(graph_of(model, { input_signature = { { 4, 3 } } })[11][1]))
    assert.matches("has shape {?, 3}, got data of shape {?, 5}",
      message_of(model.export, model, temporary "x.onnx", { input_signature = { { -1, 5 } } }), 1, true)
    assert.matches("has 1 inputs, input_signature has 2 shapes",
      message_of(model.export, model, temporary "x.onnx", { input_signature = { { 1, 3 }, { 1, 3 } } }), 1, true)
  end)

  it("writes recurrent layers as one operator each", function()
    local x = cdl.Input { shape = { -1, 4 }, name = "x" }
    local h = layers.Bidirectional { layers.GRU { 2, return_sequences = true } }(x)
    local graph = graph_of(cdl.Model { inputs = x, outputs = layers.LSTM(3)(h) })
    local list = operators(graph)
    assert.equal(2, select(2, list:gsub("%f[%u]GRU%f[%U]", "")))
    assert.equal(1, select(2, list:gsub("%f[%u]LSTM%f[%U]", "")))
    assert.equal("batch,3", shape_text(graph[12][1]))
  end)

  it("writes recurrent layers over masked sequences as loops", function()
    local x = cdl.Input { shape = { -1 }, dtype = "int32", name = "x" }
    local h = layers.LSTM(3)(layers.Embedding { 10, 4, mask_zero = true }(x))
    local list = operators(graph_of(cdl.Model { inputs = x, outputs = h }))
    assert.equal(1, select(2, list:gsub("Scan", "")))
    assert.is_nil(list:find "LSTM")
  end)

  it("exports models with a call of their own", function()
    local Twice = cdl.Model:extend "Twice"
    function Twice:init() self.dense = layers.Dense(2) end
    function Twice:call(x) return self.dense(x) * 2 end
    assert.equal("MatMul Add Mul Identity", operators(graph_of(Twice(), { input_signature = { { -1, 3 } } })))
  end)

  it("names operation, layer and line of what cannot be written", function()
    local function export(layer, shape)
      local x = cdl.Input { shape = shape or { 4 } }
      local model = cdl.Model { inputs = x, outputs = layer(x), name = "m" }
      return message_of(model.export, model, temporary "no.onnx")
    end
    local noisy = layers.Lambda { function(x) return x + cdl.random.normal { shape = { 4 } } end, name = "noisy" }
    assert.matches("export: model 'm', layer 'm/noisy': the operation 'random_normal' has no counterpart in ONNX",
      export(noisy), 1, true)
    local mean = layers.Lambda { function(x) return x - x:sum(1, true) / x.shape[1] end, name = "mean" }
    assert.matches("layer 'm/mean': a number in it depends on the sizes of its inputs; input_signature",
      export(mean), 1, true)
    local loop = layers.Lambda { function(x)
      for _ = 1, x.shape[1] do x = x + 1 end
      return x
    end, name = "loop" }
    assert.matches("model 'm': what it computes depends on the sizes of its inputs", export(loop), 1, true)
    local same = layers.Conv2D { 2, 3, strides = 2, padding = "same", name = "same" }
    assert.matches("layer 'm/same': how 'conv_bias' works depends on the sizes of the inputs",
      export(same, { -1, -1, 1 }), 1, true)
    assert.is_nil(io.open(temporary "no.onnx"))
  end)

  it("names the path that cannot be written", function()
    local model = cdl.Sequential { layers.Dense { 1, input_shape = { 2 } } }
    assert.matches("nowhere/m.onnx", message_of(model.export, model, temporary "nowhere/m.onnx"), 1, true)
    assert.matches("format must be one of", message_of(model.export, model, temporary "m.tf", { format = "tf" }))
  end)
end)
