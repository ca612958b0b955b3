--- The data sets that come in Keras's own files: texts, houses, CIFAR-10; and Python's pickles.
local cdl = require "cdl"
local core = require "cdl.core"
local folder = require "folder"
local order = require "cdl.datasets.order"
local program = require "program"

describe("the order of samples", function()
  it("is that of NumPy's shuffle", function()
    -- numpy.random.RandomState(113): two shuffles of arange(12).
    local draw = order.generator(113)
    assert.same({ 4, 3, 9, 8, 1, 0, 11, 7, 6, 10, 2, 5 }, order.shuffled(draw, 12))
    assert.same({ 0, 2, 3, 11, 9, 1, 6, 8, 5, 4, 7, 10 }, order.shuffled(draw, 12))
    assert.same({ 1, 2, 0 }, order.inverse { 2, 0, 1 })
  end)
end)

describe("Python's pickles", function()
  local temporary
  setup(function() temporary = folder.new() end)
  teardown(function() temporary:remove() end)

  local function load(bytes) return core.pickle_load(temporary:write("x", bytes)) end

  it("give numbers, texts, lists and dicts", function()
    -- pickle.dumps({"a": [1, 300, -2, 1 << 40], b"b": (True, None, 2.5), "c": []}, 2)
    local value = load("\x80\2}q\0(X\1\0\0\0aq\1]q\2(K\1M,\1J\xfe\xff\xff\xff\x8a\6\0\0\0\0\0\1e"
      .. "U\1bq\4\x88NG@\4\0\0\0\0\0\0\x87q\5X\1\0\0\0cq\6]q\7u.")
    assert.same({ a = { 1, 300, -2, 1 << 40 }, b = { true, false, 2.5 }, c = {} }, value)
    -- The same list twice, remembered; protocol 4 with a frame.
    value = load "\x80\4\x95\8\0\0\0\0\0\0\0]\x94(]\x94K\7ah\1e."
    assert.same({ { 7 }, { 7 } }, value)
  end)

  it("never run what they name", function()
    local value, message = load "\x80\2cos\nsystem\nq\0X\4\0\0\0trueq\1\x85q\2Rq\3."
    assert.is_nil(value)
    assert.matches("/x: refers to Python's os.system; loading never runs code", message, 1, true)
    value, message = load "\x80\4\x8c\x08builtins\x94\x8c\4eval\x94\x93\x94."
    assert.is_nil(value)
    assert.matches("refers to Python's builtins.eval", message, 1, true)
    value, message = load "\x80\2cnumpy\nndarray\n)R."
    assert.is_nil(value)
    assert.matches("damaged pickle at byte 19: a call of what is no function", message, 1, true)
  end)

  it("that are damaged are refused with the place", function()
    local whole = "\x80\2}q\0(X\1\0\0\0aq\1]q\2(K\1M,\1eX\1\0\0\0bK\5\x85u."
    assert.same({ a = { 1, 300 }, b = { 5 } }, load(whole))
    for length = 0, #whole - 1 do
      local value, message = load(whole:sub(1, length))
      assert.is_nil(value)
      assert.matches("damaged pickle at byte %d+: ", message)
    end
    for i = 1, #whole do -- one byte changed: another value, or a message
      for _, change in ipairs { 1, 0x20, 0xff } do
        local value, message = load(whole:sub(1, i - 1) .. string.char(whole:byte(i) ~ change) .. whole:sub(i + 1))
        assert.is_true(value ~= nil or message:find("/x: ", 1, true) ~= nil)
      end
    end
    for _, bytes in ipairs { ".", "e.", "a.", "s.", "R.", "b.", "K\1K\2a.", "(K\1e.", "h\1.", "X\xff\xff\xff\xffa.",
      ("("):rep(65) .. ".", "\x85.", "0.", "1.", "cos\n", "K\1(K\1K\2u.", "\x93.", "\0", "](K\1u." } do
      local value, message = load(bytes)
      assert.is_nil(value)
      assert.matches("damaged pickle at byte %d+: ", message)
    end
  end)

  it("names an absent entry and a foreign file", function()
    cdl.io.savez(temporary "x.npz", { y = cdl.tensor { 1 } })
    local value, message = core.pickle_load(temporary "x.npz", "z.npy")
    assert.is_nil(value)
    assert.matches("x.npz: has no 'z.npy'", message, 1, true)
    value, message = core.npz_entry(temporary "x.npz", "z.npy")
    assert.is_nil(value)
    assert.matches("x.npz: has no 'z.npy'", message, 1, true)
    assert.same({ 1 }, core.npz_entry(temporary "x.npz", "y.npy"):totable())
    value = core.pickle_load(temporary "absent")
    assert.is_nil(value)
  end)
end)

describe("data sets in Keras's files", function()
  local temporary, python
  setup(function()
    temporary = folder.new()
    for _, name in ipairs { "python3", "/usr/bin/python3" } do
      if not python and program.shell(name .. " -c 'import numpy'") == 0 then python = name end
    end
  end)
  teardown(function() temporary:remove() end)

  -- Runs code with CDL_DATA naming a folder; what it prints.
  local function run(name, code)
    local status, out, err = program.shell(("HOME=/nowhere CDL_DATA=%s %s -e %s"):format(
      program.quote(temporary(name)), program.quote(program.path), program.quote([[
      local cdl = require "cdl"
      local function show(rows)
        local texts = {}
        for i, row in ipairs(rows) do texts[i] = table.concat(row, " ") end
        print(table.concat(texts, ", "))
      end
      ]] .. code)))
    assert.equal("", err)
    assert.equal(0, status)
    return out
  end

  -- The texts {1, i} (ranks), i = 1 .. n, in the order of Keras with its default seed.
  -- split: how many of them are for training, of one order; else both halves have all of them.
  local function write_flat(path, n, split)
    local arrays = {}
    local draw = order.generator(113)
    local places = split and order.shuffled(draw, n)
    for _, half in ipairs { "train", "test" } do
      local tokens, offsets, labels = {}, { 0 }, {}
      local own = places and table.move(places, half == "train" and 1 or split + 1, half == "train" and split or n,
        1, {})
      for i, place in ipairs(own or order.shuffled(draw, n)) do
        table.move({ 1, 4, place + 4 }, 1, 3, #tokens + 1, tokens)
        offsets[i + 1] = #tokens
        labels[i] = place % 2
      end
      arrays[half .. "_tokens"], arrays[half .. "_offsets"] = cdl.tensor(tokens, "int32"), cdl.tensor(offsets, "int64")
      arrays[half .. "_labels"] = cdl.tensor(labels, "uint8")
    end
    cdl.io.savez(path, arrays)
  end

  -- Texts and labels of both parts, a line each.
  local function loader(set, arguments)
    return ([[
      local x, y, x_test, y_test = cdl.datasets.%s.load_data(%s)
      show(x) print(table.concat(y:totable(), " ")) show(x_test) print(table.concat(y_test:totable(), " "), y.dtype)
    ]]):format(set, arguments)
  end

  -- What Keras itself gives for these texts.
  local function check_imdb(name)
    assert.equal("1 4 5, 1 4 4, 1 4 7, 1 4 6, 1 4 8, 1 4 2\n1 0 1 0 0 1\n"
      .. "1 4 2, 1 4 7, 1 4 8, 1 4 5, 1 4 4, 1 4 6\n1 1 0 1 0 0\tint64\n", run(name, loader("imdb", "")))
    assert.equal(", , 6, , , 5\n0 1 1 0 1 0\n, 6, , , 5, \n0 1 1 0 0 1\tint64\n", run(name, loader("imdb",
      "{ num_words = 7, skip_top = 5, seed = 4, start_char = cdl.null, oov_char = cdl.null, index_from = 2 }")))
  end

  local function check_reuters(name)
    assert.equal("7 4 99, 7 4 99, 7 4 7\n0 1 1\n7 4 4, 7 4 5, 7 4 6\n0 1 0\tint64\n", run(name, loader("reuters",
      "{ test_split = 0.5, seed = 4, num_words = 8, oov_char = 99, start_char = 7 }")))
  end

  it("imdb and reuters from flat files", function()
    cdl.io.make_folder(temporary "flat")
    write_flat(temporary "flat/imdb_flat.npz", 6)
    write_flat(temporary "flat/reuters_flat.npz", 6, 4)
    check_imdb "flat"
    check_reuters "flat"
    cdl.io.savez(temporary "flat/houses.npz", { x = cdl.ones { 6, 13 }, y = cdl.ones { 6 } })
    assert.equal("3\n", run("flat", [[print(#(cdl.datasets.imdb.load_data { maxlen = 4 })[1])]]))
    assert.equal("6\n", run("nowhere", ([[print(#cdl.datasets.boston_housing.load_data { path = %q, test_split = 0 })]])
      :format(temporary "flat/houses.npz")))
    assert.equal("imdb: no text is shorter than maxlen = 3\n", run("flat", [[
      local ok, message = pcall(cdl.datasets.imdb.load_data, { maxlen = 3 })
      print((message:gsub("^.-: ", "")))]]))
  end)

  it("imdb and reuters from Keras's files", function()
    if not python then return pending "python3 with numpy is not installed" end
    cdl.io.make_folder(temporary "keras/reuters")
    local status, _, err = program.shell(("cd %s && %s -c %s"):format(program.quote(temporary "keras"), python,
      program.quote [[
import numpy as np
x = np.empty(6, object)
for i in range(6): x[i] = [1, i + 1]
y = np.arange(6) % 2
np.savez("imdb.npz", x_train=x, y_train=y, x_test=x, y_test=y)
np.savez("reuters/reuters.npz", x=x, y=y)
]]))
    assert.equal("", err)
    assert.equal(0, status)
    check_imdb "keras"
    check_reuters "keras"
  end)

  it("word indexes", function()
    cdl.io.make_folder(temporary "words")
    temporary:write("words/imdb_word_index.json", [[{"the": 1, "it's": 2, "caf\u00e9": 3}]])
    assert.equal("1\t2\t3\n", run("words", [[
      local index = cdl.datasets.imdb.get_word_index()
      print(index.the, index["it's"], index["café"])]]))
    temporary:write("words/imdb_word_index.json", [[{"the": 1,]])
    assert.matches("imdb: .*/words/imdb_word_index.json: line 1, column %d+", run("words",
      [[print(select(2, pcall(cdl.datasets.imdb.get_word_index)))]]))
    temporary:write("words/imdb_word_index.json", [=[["the"]]=])
    assert.matches("wanted an object with a number for each word", run("words",
      [[print(select(2, pcall(cdl.datasets.imdb.get_word_index)))]]))
    assert.equal("46\tcocoa\n", run("words", [[
      local names = cdl.datasets.reuters.get_label_names() print(#names, names[1])]]))
  end)

  it("boston_housing from the table, in Keras's order", function()
    cdl.io.make_folder(temporary "houses")
    local lines = {}
    for i = 0, 5 do lines[i + 1] = (" %d.5"):format(i) .. (" 1"):rep(12) .. ("  %d.0"):format(10 * i) end
    temporary:write("houses/housing.data", table.concat(lines, "\n") .. "\n")
    local show = [[
      local x, y, x_test, y_test = cdl.datasets.boston_housing.load_data(%s)
      print(table.concat(x[{ {}, 1 }]:totable(), " "), table.concat(y:totable(), " "))
      print(table.concat(x_test[{ {}, 1 }]:totable(), " "), table.concat(y_test:totable(), " "), x.dtype, x.shape[2])]]
    local out = run("houses", show:format "")
    -- numpy.random.RandomState(113) shuffles arange(6) to 1 0 3 2 4 5.
    local x = cdl.tensor { { 1.5 }, { 0.5 }, { 3.5 }, { 2.5 }, { 4.5 }, { 5.5 } } * cdl.ones { 1, 13 }
    assert.equal("1.5 0.5 3.5 2.5\t10.0 0.0 30.0 20.0\n4.5 5.5\t40.0 50.0\tfloat32\t13\n", out)
    os.remove(temporary "houses/housing.data")
    local y = cdl.tensor { 10, 0, 30, 20, 40, 50 }
    cdl.io.savez(temporary "houses/boston_housing_split.npz", { x_train = x[{ { 1, 4 } }], y_train = y[{ { 1, 4 } }],
      x_test = x[{ { 5, 6 } }], y_test = y[{ { 5, 6 } }] })
    assert.equal(out, run("houses", show:format ""))
    local seeded = run("houses", show:format "{ seed = 5, test_split = 0.5 }")
    local places = cdl.tensor(order.inverse(order.shuffled(order.generator(113), 6)), "int64")
    cdl.io.savez(temporary "houses/boston_housing.npz", { x = x:gather(places, 1):astype "float64",
      y = y:gather(places, 1):astype "float64" })
    assert.equal(seeded, run("houses", show:format "{ seed = 5, test_split = 0.5 }"))
  end)

  -- Picture i of a batch has label i % 10 and the bytes of its planes begin with i.
  local show_cifar = [[
    local x, y, x_test, y_test = cdl.datasets.cifar10.load_data()
    print(#x, x.dtype, table.concat(x.shape, " "), #x_test, table.concat(y_test.shape, " "), y.dtype)
    for _, i in ipairs { 1, 4 } do
      print(y[{ i, 1 }], table.concat(x[{ i, 1, 1, {} }]:totable(), " "), x[{ i, 1, 2, 3 }], x[{ i, 32, 32, 3 }])
    end]]
  local cifar_result = "10\tuint8\t10 32 32 3\t2\t2 1\tuint8\n7\t7 9 9\t9\t11\n8\t8 9 9\t9\t11\n"

  it("cifar10 from its binary files", function()
    cdl.io.make_folder(temporary "binary/cifar-10-batches-bin")
    for _, name in ipairs { "data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5",
      "test_batch" } do
      local pictures = {}
      for i = 7, 8 do pictures[i] = string.char(i, i) .. ("\9"):rep(3070) .. "\11" end
      temporary:write("binary/cifar-10-batches-bin/" .. name .. ".bin", pictures[7] .. pictures[8])
    end
    assert.equal(cifar_result, run("binary", show_cifar))
    temporary:write("binary/cifar-10-batches-bin/test_batch.bin", ("\9"):rep(3074))
    assert.matches("test_batch.bin: 3074 bytes are no whole number of pictures of 3073\n", run("binary",
      [[print(select(2, pcall(cdl.datasets.cifar10.load_data)))]]), 1, true)
  end)

  it("cifar10 from Python's files", function()
    if not python then return pending "python3 with numpy is not installed" end
    cdl.io.make_folder(temporary "cifar-10-batches-py")
    local status, _, err = program.shell(("cd %s && %s -c %s"):format(program.quote(temporary "cifar-10-batches-py"),
      python, program.quote [[
import numpy as np, pickle
x = np.full((2, 3072), 9, np.uint8)
x[:, 5] = 200
x[:, 0] = 7, 8
x[:, -1] = 11
for i, name in enumerate(["data_batch_%d" % n for n in range(1, 6)] + ["test_batch"]):
    batch = {"batch_label": name, "labels": [7, 8], "data": x, "filenames": ["a", "b"]}
    pickle.dump(batch, open(name, "wb"), i % 3 + 2)
]]))
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal(cifar_result, run("", show_cifar))
  end)

  it("absent ones say what is wanted", function()
    local out = run("nowhere", [[
      for _, name in ipairs { "imdb", "reuters", "boston_housing", "cifar10" } do
        local ok, message = pcall(cdl.datasets[name].load_data)
        print(message)
      end]])
    for _, text in ipairs { "imdb: the data set is not on this machine", "\n  imdb.npz\nor\n  imdb_flat.npz\nin one of",
      "/nowhere/imdb\n", "\n  housing.data\n", "\n  data_batch_1.bin\n", "/tf-keras-datasets/ has reuters.npz" } do
      assert.matches(text, out, 1, true)
    end
  end)
end)
