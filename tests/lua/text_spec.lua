--- Texts as numbers, and windows over time series. Expected values are those of Keras.
local cdl = require "cdl"
local utils = cdl.utils

local samples = { "The cat sat on the mat.", "The dog ate my homework, twice! The END" }

local function message_of(f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  return message
end

local function fitted(args)
  local tokenizer = utils.Tokenizer(args or {})
  tokenizer:fit_on_texts(samples)
  tokenizer:fit_on_texts { "sat sat" }
  return tokenizer
end

describe("words of a text", function()
  it("are in small letters, without punctuation", function()
    assert.same({ "the", "cat's", "mat", "a", "b" }, utils.text_to_word_sequence "The cat's  (mat)\tA,b!\n")
    assert.same({ "àé", "öß", "σα", "привет", "ёж", "žý", "ÿ" }, utils.text_to_word_sequence "ÀÉ Öß ΣΑ Привет ЁЖ ŽÝ Ÿ")
    assert.same({}, utils.text_to_word_sequence " !? ")
  end)

  it("are what filters and split say", function()
    assert.same({ "t s", "The c", "t" }, utils.text_to_word_sequence("t saThe c]-^t%--", { filters = "a%-]^",
      split = "--", lower = false }))
    assert.same({ "a", "b", "c" }, utils.text_to_word_sequence("a«b»c", { filters = "«»" }))
    assert.same({ "a.b", "c" }, utils.text_to_word_sequence("a.b%c", { filters = "", split = "%" }))
  end)
end)

describe("Tokenizer", function()
  it("numbers words by how often they stand", function()
    local tokenizer = fitted()
    assert.same({ "the", "sat", "cat", "on", "mat", "dog", "ate", "my", "homework", "twice", "end" },
      tokenizer.index_word)
    assert.equal(3, tokenizer.word_index.cat)
    assert.equal(4, tokenizer.word_counts.the)
    assert.equal(2, tokenizer.word_docs.the)
    assert.equal(2, tokenizer.index_docs[2])
    assert.equal(3, tokenizer.document_count)
  end)

  it("turns texts into numbers and back", function()
    local tokenizer = fitted()
    local sequences = tokenizer:texts_to_sequences { samples[1], samples[2], "unknown cat", { "The", "dog" } }
    assert.same({ { 1, 3, 2, 4, 1, 5 }, { 1, 6, 7, 8, 9, 10, 1, 11 }, { 3 }, { 1, 6 } }, sequences)
    assert.same({ "the cat sat on the mat", "the dog ate my homework twice the end", "cat", "the dog" },
      tokenizer:sequences_to_texts(sequences))
    assert.same({ "the cat" }, tokenizer:sequences_to_texts { cdl.tensor({ 0, 1, 3, 99 }, "int64") })
  end)

  it("keeps the frequent words alone, and marks unknown ones", function()
    assert.same({ { 1, 3, 2, 1 }, { 1, 1 } }, fitted { num_words = 4 }:texts_to_sequences(samples))
    local tokenizer = fitted { num_words = 5, oov_token = "<unk>" }
    local sequences = tokenizer:texts_to_sequences { samples[1], "unknown cat" }
    assert.same({ { 2, 4, 3, 1, 2, 1 }, { 1, 4 } }, sequences)
    assert.same({ "the cat sat <unk> the <unk>", "<unk> cat" }, tokenizer:sequences_to_texts(sequences))
  end)

  it("takes characters for words", function()
    local tokenizer = fitted { char_level = true, num_words = 9 }
    assert.same({ " ", "t", "e", "a", "h", "o" }, table.move(tokenizer.index_word, 1, 6, 1, {}))
    assert.same({ { 2, 5, 3 }, {} }, tokenizer:texts_to_sequences { "The", "é" })
  end)

  it("makes matrices in four modes", function()
    local tokenizer = fitted { num_words = 4 }
    local expected = {
      binary = { { 0, 1, 1, 1 }, { 0, 1, 0, 0 } }, count = { { 0, 2, 1, 1 }, { 0, 2, 0, 0 } },
      freq = { { 0, 0.5, 0.25, 0.25 }, { 0, 1, 0, 0 } },
      tfidf = { { 0, 1.1736, 0.69315, 0.91629 }, { 0, 1.1736, 0, 0 } },
    }
    for mode, rows in pairs(expected) do
      local x = tokenizer:texts_to_matrix(samples, mode)
      assert.equal("float32", x.dtype)
      for i, row in ipairs(rows) do
        for k, value in ipairs(row) do assert.near(value, x[{ i, k }], 1e-5) end
      end
    end
    assert.same({ { 0, 0, 1, 1 }, { 0, 0, 0, 0 } }, tokenizer:sequences_to_matrix({ { 2, 3, 3, 7 }, {} }):totable())
    assert.same({ 2, 12 }, fitted():texts_to_matrix(samples).shape)
  end)

  it("counts documents of numbers", function()
    local tokenizer = utils.Tokenizer { num_words = 3 }
    tokenizer:fit_on_sequences { { 1, 2, 2 }, { 2 } }
    assert.same({ 1, 2 }, tokenizer.index_docs)
    assert.near(math.log(1 + 2 / 3), tokenizer:sequences_to_matrix({ { 2 } }, "tfidf")[{ 1, 3 }], 1e-6)
  end)

  it("writes Keras's JSON", function()
    local text = fitted { num_words = 4 }:to_json()
    assert.matches('"class_name": "Tokenizer"', text, 1, true)
    assert.matches('"num_words": 4, "oov_token": null', text, 1, true)
    assert.matches([["word_index": "{\"ate\": 7, \"cat\": 3,]], text, 1, true)
    assert.matches([["index_docs": "{\"1\": 2, \"10\": 1,]], text, 1, true)
  end)

  it("is read from JSON, Keras's too", function()
    local tokenizer = fitted { num_words = 5, oov_token = "<unk>" }
    local again = utils.tokenizer_from_json(tokenizer:to_json())
    for _, name in ipairs { "word_index", "index_word", "word_counts", "word_docs", "index_docs", "document_count",
      "num_words", "oov_token", "filters" } do
      assert.same(tokenizer[name], again[name])
    end
    tokenizer:fit_on_texts { "new on" }
    again:fit_on_texts { "new on" }
    assert.same(tokenizer.index_word, again.index_word)
    -- json.dumps of Keras's Tokenizer after fit_on_texts(["b a a"]).
    again = utils.tokenizer_from_json([[{"class_name": "Tokenizer", "config": {"num_words": null, "filters": "!",
      "lower": true, "split": " ", "char_level": false, "oov_token": null, "document_count": 1,
      "word_counts": "{\"b\": 1, \"a\": 2}", "word_docs": "{\"a\": 1, \"b\": 1}", "index_docs": "{\"1\": 1, \"2\": 1}",
      "index_word": "{\"1\": \"a\", \"2\": \"b\"}", "word_index": "{\"a\": 1, \"b\": 2}"}}]])
    assert.same({ { 2, 1 } }, again:texts_to_sequences { "B a!" })
    assert.matches("tokenizer_from_json: line 1", message_of(utils.tokenizer_from_json, "{"))
    assert.matches("there is no 'config'", message_of(utils.tokenizer_from_json, "[]"))
    assert.matches("word_counts is no JSON object", message_of(utils.tokenizer_from_json, '{"config": {}}'))
  end)

  it("says what is wrong", function()
    local tokenizer = utils.Tokenizer()
    assert.matches("texts must be a list, got \"abc\"", message_of(tokenizer.fit_on_texts, tokenizer, "abc"))
    assert.matches("text 2 must be a string or a list of words, got 3",
      message_of(tokenizer.fit_on_texts, tokenizer, { "a", 3 }))
    assert.matches("give num_words, or fit on texts first",
      message_of(tokenizer.sequences_to_matrix, tokenizer, { { 1 } }))
    tokenizer = utils.Tokenizer { num_words = 3 }
    assert.matches("tfidf needs counts of documents",
      message_of(tokenizer.sequences_to_matrix, tokenizer, { { 1 } }, "tfidf"))
    assert.matches("sequence 1 holds 1.5", message_of(tokenizer.sequences_to_matrix, tokenizer, { { 1.5 } }))
    assert.matches("mode must be one of", message_of(tokenizer.texts_to_matrix, tokenizer, { "a" }, "bin"))
  end)
end)

describe("timeseries_windows", function()
  local x, y = cdl.arange(0, 19):reshape { 10, 2 }, cdl.arange(0, 9) * 10

  local function collect(...)
    local xs, ys = {}, {}
    for a, b in utils.timeseries_windows(...):iterate() do
      xs[#xs + 1], ys[#ys + 1] = a:totable(), b and b:totable()
    end
    return xs, ys
  end

  it("gives batches of windows and their targets", function()
    local dataset = utils.timeseries_windows(x, y, 3, { batch_size = 4 })
    assert.equal(2, #dataset)
    local xs, ys = collect(x, y, { sequence_length = 3, batch_size = 4 })
    assert.equal(2, #xs)
    assert.same({ { 0, 1 }, { 2, 3 }, { 4, 5 } }, xs[1][1])
    assert.same({ { 14, 15 }, { 16, 17 }, { 18, 19 } }, xs[2][4])
    assert.same({ { 0, 10, 20, 30 }, { 40, 50, 60, 70 } }, ys)
  end)

  it("takes strides, rates and parts", function()
    local xs, ys = collect(x, y, { sequence_length = 3, sampling_rate = 2, sequence_stride = 2, batch_size = 2,
      start_index = 1, end_index = 9 })
    assert.same({ { { { 2, 3 }, { 6, 7 }, { 10, 11 } }, { { 6, 7 }, { 10, 11 }, { 14, 15 } } } }, xs)
    assert.same({ { 10, 30 } }, ys)
  end)

  it("gives single windows, and data without targets", function()
    local xs, ys = collect { data = y, sequence_length = 4, sequence_stride = 3, batch_size = cdl.null }
    assert.same({ { 0, 10, 20, 30 }, { 30, 40, 50, 60 }, { 60, 70, 80, 90 } }, xs)
    assert.same({}, ys)
  end)

  it("shuffles each pass anew, the same for a seed", function()
    local function firsts(dataset)
      local list = {}
      for _, b in dataset:iterate() do table.move(b:totable(), 1, #b, #list + 1, list) end
      return list
    end
    local one = utils.timeseries_windows(y, y, 2, { shuffle = true, seed = 1, batch_size = 4 })
    local first, second = firsts(one), firsts(one)
    assert.not_same(first, second)
    assert.same(first, firsts(utils.timeseries_windows(y, y, 2, { shuffle = true, seed = 1, batch_size = 4 })))
    table.sort(second)
    assert.same({ 0, 10, 20, 30, 40, 50, 60, 70, 80 }, second)
  end)

  it("trains a model", function()
    cdl.random.seed(1)
    local series = cdl.sin(cdl.arange(0, 99) / 5)
    local dataset = utils.timeseries_windows(series[{ { 1, 90 } }]:reshape { 90, 1 }, series[{ { 6, 100 } }], 5)
    local model = cdl.Sequential { cdl.layers.Flatten { input_shape = { 5, 1 } }, cdl.layers.Dense(1) }
    model:compile { loss = "mse", optimizer = cdl.optimizers.Adam(0.1) }
    local history = model:fit(dataset, { epochs = 20, verbose = 0 })
    assert.is_true(history.history.loss[20] < 0.1 * history.history.loss[1])
  end)

  it("says what does not fit", function()
    assert.matches("10 rows from 0 on hold no window of 6 points, 2 rows apart",
      message_of(utils.timeseries_windows, x, nil, { sequence_length = 6, sampling_rate = 2 }))
    assert.matches("rows 3 to 12 %(start_index, end_index%) of data with 10 rows",
      message_of(utils.timeseries_windows, x, nil, 2, { start_index = 3, end_index = 12 }))
    assert.matches("data must be a tensor whose rows are", message_of(utils.timeseries_windows, 3, nil, 2))
  end)
end)
