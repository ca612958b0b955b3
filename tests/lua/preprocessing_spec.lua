-- Layers that stand before a model: what they learn, what they give, and what they refuse. The numbers
-- are those of Keras 3.15 for the same data.
local cdl = require "cdl"
local folder = require "folder"
local layers = cdl.layers

local function message(f, ...)
  local ok, text = pcall(f, ...)
  assert.is_false(ok)
  return text
end

local function near(want, got)
  want = cdl.tensor(want)
  assert.are.same(want.shape, got.shape)
  assert.is_true((want - got):abs():max():item() < 2e-6)
end

local TEXTS = { "The cat sat on the mat.", "The DOG, the cat; and the -- bird!", "a b a c", "", "Hello it's me  hello" }
local NEW = { "the cat and the zebra", "Hello! me", "" }

describe("Normalization", function()
  local data = { { 0, 7, 4 }, { 2, 9, 6 }, { 0, 7, 4 }, { 2, 9, 6 } }

  it("finds mean and variance, whole or in parts", function()
    local whole, parts, of_dataset = layers.Normalization(), layers.Normalization(), layers.Normalization()
    whole:adapt(data)
    near({ { 0, -6, -2 } }, whole { { 1, 2, 3 } })
    parts:adapt { cdl.tensor { data[1] }, cdl.tensor { data[2], data[3] }, cdl.tensor { data[4] } }
    near(whole.mean:value():totable(), parts.mean:value())
    near(whole.variance:value():totable(), parts.variance:value())
    of_dataset:adapt(cdl.data.Dataset(cdl.tensor(data)))
    near({ 1, 8, 5 }, of_dataset.mean:value())
    of_dataset:adapt(cdl.data.Dataset(cdl.tensor(data)):batch(3))
    near({ 1, 1, 1 }, of_dataset.variance:value())
  end)

  it("goes back, keeps one number for all, takes given ones", function()
    local back = layers.Normalization { invert = true }
    back:adapt(data)
    near({ { 2, 10, 8 } }, back { { 1, 2, 3 } })
    local one = layers.Normalization { axis = cdl.null }
    one:adapt { { 1, 3 }, { 5, 7 } }
    assert.are.same({}, one.mean.shape)
    near({ { -3 / math.sqrt(5), -1 / math.sqrt(5) } }, one { { 1, 3 } })
    assert.are.equal(cdl.null, one:get_config().axis)
    near({ { 0, 1 } }, layers.Normalization { mean = { 1, 2 }, variance = { 4, 9 } } { { 1, 5 } })
    near({ { -0.5, 1.5 } }, layers.Normalization { mean = 2, variance = 4 } { { 1, 5 } })
  end)

  it("works in a model, which keeps its numbers", function()
    local layer = layers.Normalization { input_shape = { 3 } }
    layer:adapt(data)
    local model = cdl.Sequential { layer, layers.Dense(1) }
    assert.are.equal(7, model:count_params() - 4)
    assert.are.equal(2, #model.trainable_weights)
    near({ { 0, -6, -2 } }, cdl.Sequential { layer }:predict({ { 1, 2, 3 } }, { verbose = 0 }))
  end)

  it("says what it wants", function()
    local layer = layers.Normalization { name = "norm" }
    assert.matches("preprocessing_spec%.lua:%d+: layer 'norm': adapt wants a tensor, .*got \"abc\"",
      message(function() layer:adapt "abc" end))
    assert.matches("no samples", message(layer.adapt, layer, cdl.zeros { 0, 3 }))
    layer:adapt(data)
    assert.matches("statistics of shape {3}, the data {2, 4} would give {4}",
      message(layer.adapt, layer, cdl.ones { 2, 4 }))
    assert.matches("given together or not at all", message(layers.Normalization, { mean = 1 }))
    assert.matches("axis 4 is given twice or out of range", message(layers.Normalization(4), cdl.ones { 2, 3 }))
    local given = layers.Normalization { mean = 1, variance = 1 }
    assert.matches("does not adapt", message(given.adapt, given, data))
  end)
end)

describe("CategoryEncoding", function()
  it("weighs what it counts, and keeps other axes", function()
    near({ { 0.1, 0.2, 0, 0 }, { 0.2, 0, 0, 0 } }, layers.CategoryEncoding(4, "count")({ { 0, 1 }, { 0, 0 } },
      { count_weights = { { 0.1, 0.2 }, { 0.1, 0.1 } } }))
    near({ { { 1, 1, 0 }, { 0, 1, 1 } } }, layers.CategoryEncoding(3) { { { 0, 1 }, { 2, 1 } } })
  end)

  it("says what it wants", function()
    assert.matches("index 3 at position 2 is out of range for size 3 .*layer 'c'",
      message(layers.CategoryEncoding { 3, name = "c" }, { { 1, 3 } }))
    assert.matches("count_weights go with",
      message(layers.CategoryEncoding(3), { { 1 } }, { count_weights = { { 1 } } }))
    assert.matches("no sparse tensors", message(layers.CategoryEncoding, 3, { sparse = true }))
  end)
end)

describe("Discretization", function()
  it("finds boundaries with equally many numbers between them", function()
    local layer = layers.Discretization { num_bins = 4 }
    layer:adapt { { -1.5, 1, 3.4, 0.5 }, { 0, 3, 1.3, 0 } }
    near({ 0, 0.5, 1.3 }, cdl.tensor(layer.bin_boundaries))
    assert.are.same({ { 0, 2, 3, 2 }, { 1, 3, 3, 1 } }, layer { { -1.5, 1, 3.4, 0.5 }, { 0, 3, 1.3, 0 } }:totable())
    local twin = layers.Discretization.from_config(layers.Discretization, layer:get_config())
    assert.are.same(layer.bin_boundaries, twin.bin_boundaries)
    layer:adapt(cdl.arange(1, 1000))
    for i, boundary in ipairs(layer.bin_boundaries) do assert.is_true(math.abs(boundary - 250 * i) < 15) end
    layer:adapt(cdl.data.Dataset(cdl.arange(1, 1000)))
    assert.are.equal(3, #layer.bin_boundaries)
  end)

  it("gives bins or rows", function()
    local boundaries = { 0, 1, 2 }
    assert.are.same({ { 0, 1 }, { 3, 2 } }, layers.Discretization { bin_boundaries = boundaries }
      { { -0.1, 0 }, { 9, 1.5 } }:totable())
    near({ { 0, 1, 0, 0 }, { 0, 0, 0, 1 } },
      layers.Discretization { bin_boundaries = boundaries, output_mode = "one_hot" } { { 0.5 }, { 3 } })
    near({ { 1, 2, 0, 0 } }, layers.Discretization { bin_boundaries = boundaries, output_mode = "count" }
      { { -1, 0.5, 0.7 } })
  end)

  it("says what it wants", function()
    assert.matches("either bin_boundaries or num_bins", message(layers.Discretization))
    assert.matches("must rise, but 2 stands before 1", message(layers.Discretization, { bin_boundaries = { 2, 1 } }))
    assert.matches("layer 'd' has no boundaries yet",
      message(layers.Discretization { num_bins = 2, name = "d" }, { 1 }))
    local layer = layers.Discretization { num_bins = 2 }
    assert.matches("nan or infinity", message(layer.adapt, layer, { 1, 0 / 0 }))
  end)
end)

describe("StringLookup", function()
  local rows = { { "b", "a", "c" }, { "b", "b", "d" }, { "a", "zz", "q" } }

  it("numbers tokens by how often they come, then backwards by name", function()
    local layer = layers.StringLookup { mask_token = "" }
    layer:adapt(rows)
    assert.are.same({ "", "[UNK]", "b", "a", "zz", "q", "d", "c" }, layer:get_vocabulary())
    assert.are.same({ "b", "a", "zz", "q", "d", "c" }, layer:get_vocabulary(false))
    assert.are.equal(8, layer:vocabulary_size())
    local y = layer { { "a", "zebra", "b" }, { "q", "", "d" } }
    assert.are.same({ { 3, 1, 2 }, { 5, 0, 6 } }, y:totable())
    assert.are.equal("int64", y.dtype)
    assert.are.equal(3, layer "a":item())
  end)

  it("gives rows of numbers", function()
    local one_hot = layers.StringLookup { vocabulary = { "a", "b" }, output_mode = "one_hot" }
    near({ { 0, 1, 0 }, { 1, 0, 0 } }, one_hot { "a", "nope" })
    local counts = layers.StringLookup { vocabulary = { "a", "b" }, output_mode = "count", mask_token = "" }
    near({ { 1, 2, 0 }, { 0, 0, 1 } }, counts { { "a", "x", "a" }, { "b", "", "" } })
    local weights = layers.StringLookup { output_mode = "tf_idf" }
    weights:adapt { { "a", "b" }, { "a", "a" } }
    local a, b = math.log(1 + 2 / 3), math.log(1 + 2 / 2)
    near({ { (a + b) / 2, 2 * a, 0 } }, weights { { "a", "x", "a" } })
  end)

  it("goes back from a tensor", function()
    local back = layers.StringLookup { vocabulary = { "a", "b" }, invert = true }
    assert.are.same({ { "a", "b" }, { "[UNK]", "[UNK]" } }, back(cdl.tensor({ { 1, 2 }, { 0, 9 } }, "int32")))
  end)

  it("spreads unknown strings as Keras", function()
    local layer = layers.StringLookup { vocabulary = { "a" }, num_oov_indices = 3 }
    local texts = { "one", "two", "a longer text than that, 16", "even longer text that has more than 32 bytes" }
    local got = layer(texts):totable()
    for _, n in ipairs(got) do assert.is_true(n >= 0 and n < 3) end
    assert.are.same(got, layer(texts):totable())
  end)

  it("reads a file, and is made again from its config", function()
    local temporary = folder.new()
    local path = temporary:write("words.txt", "x\ny\n")
    local layer = layers.StringLookup { vocabulary = path }
    assert.are.same({ "[UNK]", "x", "y" }, layer:get_vocabulary())
    local twin = layers.StringLookup.from_config(layers.StringLookup, layer:get_config())
    assert.are.same(layer:get_vocabulary(), twin:get_vocabulary())
    assert.matches("vocabulary cannot be read: .*none", message(layers.StringLookup, { vocabulary = path .. "none" }))
    temporary:remove()
  end)

  it("says what it wants", function()
    local layer = layers.StringLookup { name = "words", num_oov_indices = 0 }
    assert.matches("preprocessing_spec%.lua:%d+: layer 'words': there is no vocabulary yet",
      message(function() layer { "a" } end))
    layer:set_vocabulary { "a", "b" }
    assert.matches("\"c\" is not in the vocabulary", message(layer, { "c" }))
    assert.matches("strings in tables are wanted, got a float32 tensor", message(layer, cdl.ones { 2 }))
    assert.matches("stands before a model", message(layer, cdl.Input { 2 }))
    assert.matches("strings are wanted, in tables, got 3", message(layer, { "a", 3 }))
    assert.matches("the vocabulary has \"a\" twice", message(layer.set_vocabulary, layer, { "a", "a" }))
    assert.matches("holds 1", message(layer.set_vocabulary, layer, { 1 }))
    assert.matches("max_tokens is 2", message(layers.StringLookup, { max_tokens = 2, vocabulary = { "a", "b", "c" } }))
    assert.matches("comes with idf_weights",
      message(layers.StringLookup, { vocabulary = { "a" }, output_mode = "tf_idf" }))
  end)
end)

describe("IntegerLookup", function()
  it("numbers integers, in a model, too", function()
    local layer = layers.IntegerLookup { mask_token = 0 }
    layer:adapt(cdl.tensor({ { 5, 1, -3 }, { 5, 5, 1000 }, { 7, 1, 0 } }, "int32"))
    assert.are.same({ 0, -1, 5, 1, 1000, 7, -3 }, layer:get_vocabulary())
    local x = cdl.tensor({ { 5, 2, 1 }, { -3, 0, 1000 } }, "int32")
    assert.are.same({ { 2, 1, 3 }, { 6, 0, 4 } }, layer(x):totable())
    local input = cdl.Input { shape = { 3 }, dtype = "int32" }
    local model = cdl.Model { inputs = input, outputs = layers.Embedding(7, 2)(layer(input)) }
    assert.are.same({ 2, 3, 2 }, model:predict(x, { verbose = 0 }).shape)
  end)

  it("spreads unknown ones by division", function()
    local layer = layers.IntegerLookup { num_oov_indices = 4, vocabulary = { 5, 44 } }
    assert.are.same({ 4, 2, 3, 3, 5 }, layer(cdl.tensor({ 5, 2, -9, 3, 44 }, "int64")):totable())
  end)

  it("counts rows and goes back", function()
    local counts = layers.IntegerLookup { vocabulary = { 5, 1 }, output_mode = "count" }
    near({ { 1, 2, 0 }, { 0, 1, 2 } }, counts { { 5, 5, 9 }, { 1, 5, 1 } })
    local back = layers.IntegerLookup { vocabulary = { 9, -2, 4 }, invert = true }
    assert.are.same({ -1, 9, -2, 4, -1 }, back { 0, 1, 2, 3, 7 }:totable())
  end)

  it("says what it wants", function()
    local layer = layers.IntegerLookup { vocabulary = { 5, 1 }, num_oov_indices = 0, name = "ids" }
    assert.matches("layer 'ids': 4 %(element 2%) is not in the vocabulary", message(layer, { 5, 4 }))
    assert.matches("holds 2.5", message(layers.IntegerLookup, { vocabulary = { 2.5 } }))
  end)
end)

describe("TextVectorization", function()
  local function adapted(args)
    local layer = layers.TextVectorization(args)
    layer:adapt(TEXTS)
    return layer
  end

  it("numbers words, fills up with 0", function()
    local layer = adapted()
    assert.are.same({ "", "[UNK]", "the", "hello", "cat", "a", "sat", "on", "me", "mat", "its", "dog", "c", "bird", "b",
      "and" }, layer:get_vocabulary())
    assert.are.same({ { 2, 4, 15, 2, 1 }, { 3, 8, 0, 0, 0 }, { 0, 0, 0, 0, 0 } }, layer(NEW):totable())
    assert.are.same({ 2, 4 }, layer "The CAT!":totable())
    assert.are.same({ 1, 2 }, layer { { "the cat" } }.shape)
  end)

  it("cuts or fills to one length, and knows max_tokens words", function()
    local layer = adapted { max_tokens = 5, output_sequence_length = 3 }
    assert.are.same({ { 2, 4, 1 }, { 3, 1, 0 }, { 0, 0, 0 } }, layer(NEW):totable())
  end)

  it("gives rows of numbers for a text", function()
    local known = { vocabulary = { "cat", "the" } }
    local function rows(mode, more)
      local args = { output_mode = mode }
      for _, set in ipairs { known, more or {} } do
        for key, value in pairs(set) do args[key] = value end
      end
      return layers.TextVectorization(args)(NEW)
    end
    near({ { 1, 1, 1 }, { 1, 0, 0 }, { 0, 0, 0 } }, rows "multi_hot")
    near({ { 2, 1, 2 }, { 2, 0, 0 }, { 0, 0, 0 } }, rows "count")
    near({ { 2, 1, 2, 0, 0 }, { 2, 0, 0, 0, 0 }, { 0, 0, 0, 0, 0 } },
      rows("count", { max_tokens = 5, pad_to_max_tokens = true }))
    near({ { 3, 1, 4 }, { 3, 0, 0 }, { 0, 0, 0 } }, rows("tf_idf", { idf_weights = { 1, 2 } }))
  end)

  it("joins words to runs", function()
    local layer = layers.TextVectorization { ngrams = 2 }
    layer:adapt { "a b a b" }
    assert.are.same({ "", "[UNK]", "b", "a b", "a", "b a" }, layer:get_vocabulary())
    assert.are.same({ { 4, 2, 3 } }, layer { "a b" }:totable())
    local pairs_only = layers.TextVectorization { ngrams = { 2 } }
    pairs_only:adapt { "a b c" }
    assert.are.same({ "", "[UNK]", "b c", "a b" }, pairs_only:get_vocabulary())
  end)

  it("simplifies and splits as it is told", function()
    local characters = layers.TextVectorization { split = "character", standardize = "lower" }
    characters:adapt { "Aé" }
    assert.are.same({ "", "[UNK]", "é", "a" }, characters:get_vocabulary())
    local own = layers.TextVectorization {
      standardize = function(text) return text:gsub("<br>", " ") end,
      split = function(text)
        local list = {}
        for piece in text:gmatch "[^,]+" do list[#list + 1] = piece end
        return list
      end,
    }
    own:adapt { "x<br>y,z" }
    assert.are.same({ "", "[UNK]", "z", "x y" }, own:get_vocabulary())
    local whole = layers.TextVectorization { split = cdl.null, standardize = "strip_punctuation" }
    whole:adapt { "A b.", "A b!" }
    assert.are.same({ 2, 1 }, whole { "A b", "zz" }:totable())
  end)

  it("makes the data of a model", function()
    local layer = adapted { output_mode = "multi_hot" }
    local model = cdl.Sequential { layers.Dense { 1, input_shape = { layer:vocabulary_size() } } }
    model:compile { optimizer = "sgd", loss = "mse" }
    model:fit(layer(TEXTS), cdl.zeros { 5, 1 }, { epochs = 1, verbose = 0 })
    local twin = layers.TextVectorization.from_config(layers.TextVectorization, layer:get_config())
    assert.are.same(layer(NEW):totable(), twin(NEW):totable())
  end)

  it("says what it wants", function()
    local layer = layers.TextVectorization { name = "text" }
    assert.matches("layer 'text': there is no vocabulary yet", message(layer, { "a" }))
    assert.matches("preprocessing_spec%.lua:%d+: layer 'text': text 2 is 7, a string is wanted",
      message(function() layer:adapt { "a", 7 } end))
    assert.matches("strings in a table are wanted, got a float32 tensor", message(layer, cdl.ones { 2 }))
    assert.matches("no tokens", message(layer.adapt, layer, { "", "..." }))
    assert.matches("'whitspace' %(did you mean 'whitespace'%?%)",
      message(layers.TextVectorization, { split = "whitspace" }))
    assert.matches("goes with output_mode 'int'",
      message(layers.TextVectorization, { output_sequence_length = 4, output_mode = "count" }))
    assert.matches("no ragged tensors", message(layers.TextVectorization, { ragged = true }))
  end)
end)

describe("Hashing", function()
  it("gives the numbers of Keras", function()
    local strings = { "", "a", "abcd", "abcdefgh", "0123456789abcdefg", ("x"):rep(63), ("z"):rep(65), ("w"):rep(129) }
    assert.are.same({ 377723, 291400, 267500, 229479, 663110, 652133, 666247, 383011 },
      layers.Hashing(1000003)(strings):totable())
    assert.are.same({ 953272, 554259, 483067, 676107, 126932, 753391, 498803, 925681 },
      layers.Hashing { 1000003, salt = { 133, 137 } }(strings):totable())
  end)

  it("keeps 0 for what is masked, and takes integers", function()
    local layer = layers.Hashing { 7, mask_value = "a" }
    local y = layer { { "a", "b", "c" } }:totable()[1]
    assert.are.equal(0, y[1])
    assert.is_true(y[2] > 0 and y[3] > 0)
    assert.are.same({ 2, 7 },
      layers.Hashing { 7, output_mode = "count" }(cdl.tensor({ { 1, 2 }, { 3, 3 } }, "int32")).shape)
    assert.matches("layer 'h': strings or integers are wanted, got 2.5",
      message(layers.Hashing { 7, name = "h" }, { 2.5 }))
  end)
end)

describe("HashedCrossing", function()
  it("gives Keras's numbers for what features are together", function()
    local cross = layers.HashedCrossing(10)
    local y = cross { { "A", "B", "A", "A", "A" }, cdl.tensor({ 101, 101, 101, 102, 102 }, "int32") }
    assert.are.same({ 1, 4, 1, 3, 3 }, y:totable())
    assert.are.equal("int64", y.dtype)
    assert.are.same({ 2, 4 }, cross({ "AAA", "h\u{e9}\u{e9}" }, { ("x"):rep(40), "" }):totable())
    assert.are.same({ 380, 129, 874 }, layers.HashedCrossing(1000) { { 1, 2, -3 }, { 4, 5, 6 }, { 7, 8, 9 } }:totable())
    assert.are.equal(6, cross("A", 3):item())
    assert.are.same({ 2, 1 }, cross({ { "a" }, { "b" } }, { { 1 }, { 2 } }).shape)
    local rows = layers.HashedCrossing { 5, output_mode = "one_hot" } { { { 1 }, { 2 } }, { { 4 }, { 5 } } }
    assert.are.same({ { 1, 0, 0, 0, 0 }, { 0, 0, 0, 1, 0 } }, rows:totable())
  end)

  it("says what it wants", function()
    local cross = layers.HashedCrossing { 10, name = "c" }
    assert.matches("layer 'c': a list of two or more features is wanted, got 1", message(cross, { { "a" } }))
    assert.matches("layer 'c': features must have one shape, got {2} and {1}", message(cross, { 1, 2 }, { 3 }))
    assert.matches("layer 'c': strings or integers are wanted, got 1.5", message(cross, { 1.5 }, { 3 }))
    assert.matches("features have shape {}, {batch} or {batch, 1}", message(cross, { { 1, 2 } }, { { 3, 4 } }))
    assert.matches("layer 'c': an eager tensor or tables are wanted", message(cross, cdl.Input { 1 }, cdl.Input { 1 }))
    assert.matches("there are no sparse tensors", message(layers.HashedCrossing, 3, { sparse = true }))
  end)
end)

describe("tokens that are not known, by their hash", function()
  it("have Keras's numbers, with and without salt", function()
    local ids = cdl.tensor({ 12, 36, 5, 99, 1000, 7 }, "int64")
    local given = { vocabulary = { 12, 36, 1138 }, num_oov_indices = 4, oov_method = "farmhash" }
    assert.are.same({ 4, 5, 3, 2, 1, 0 }, layers.IntegerLookup(given)(ids):totable())
    given.salt = 7
    assert.are.same({ 4, 5, 1, 0, 0, 0 }, layers.IntegerLookup(given)(ids):totable())
    local letters = { "a", "c", "d", "e" }
    assert.are.same({ 3, 1, 2, 1 },
      layers.StringLookup { vocabulary = { "a", "b" }, num_oov_indices = 3 }(letters):totable())
    assert.are.same({ 3, 2, 0, 1 },
      layers.StringLookup { vocabulary = { "a", "b" }, num_oov_indices = 3, salt = { 1, 2 } }(letters):totable())
  end)

  it("want a method that takes salt", function()
    assert.error_matches(function() layers.IntegerLookup { salt = 7 } end, "salt goes with oov_method 'farmhash'")
    assert.error_matches(function() layers.StringLookup { salt = { 1, 2, 3 } } end, "one or two integers")
  end)
end)
