local cdl = require "cdl"
local folder = require "folder"

describe("cdl.io", function()
  local temporary
  setup(function() temporary = folder.new() end)
  teardown(function() temporary:remove() end)

  -- The message of the error that f raises; it must begin with this file and a line.
  local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok)
    assert.matches("^[^\n]*io_spec.lua:%d+: ", message)
    return message
  end

  it("saves and loads one array of every dtype", function()
    for _, dtype in ipairs { "float32", "float64", "int32", "int64", "uint8", "bool" } do
      local x = cdl.tensor({ { 1, 0, 1 }, { 0, 1, 1 } }, dtype)
      cdl.io.save(temporary "x.npy", x)
      local y = cdl.io.load(temporary "x.npy")
      assert.equal(dtype, y.dtype)
      assert.same(x:totable(), y:totable())
    end
    assert.same({ "x.npy" }, temporary:names())
  end)

  it("saves tables, numbers, views and variables", function()
    local function stored(x)
      cdl.io.save(temporary "x.npy", x)
      return cdl.io.load(temporary "x.npy")
    end
    assert.same({ { 1, 2 }, { 3, 4 } }, stored({ { 1, 2 }, { 3, 4 } }):totable())
    assert.equal(2.5, stored(2.5):item())
    assert.same({ { 1, 3 }, { 2, 4 } }, stored(cdl.tensor({ { 1, 2 }, { 3, 4 } }):transpose()):totable())
    assert.same({ 5, 6 }, stored(cdl.Variable({ 5, 6 })):totable())
  end)

  it("writes archives from one tensor, lists and names", function()
    local a, b = cdl.tensor { 1, 2 }, cdl.tensor({ 3 }, "int64")
    local path = temporary "a.npz"
    cdl.io.savez(path, a)
    assert.same({ 1, 2 }, cdl.io.loadz(path).arr_0:totable())
    cdl.io.savez(path, { a, b })
    local list = cdl.io.loadz(path)
    assert.same({ 1, 2 }, list.arr_0:totable())
    assert.equal("int64", list.arr_1.dtype)
    cdl.io.savez_compressed(path, { ["dense/kernel"] = a, bias = b, rows = { { 1, 2 } } })
    local named, names = cdl.io.loadz(path), {}
    for name in cdl.utils.sorted_pairs(named) do names[#names + 1] = name end
    assert.same({ "bias", "dense/kernel", "rows" }, names)
    assert.same({ 1, 2 }, named["dense/kernel"]:totable())
    assert.same({ { 1, 2 } }, named.rows:totable())
    cdl.io.savez(path, {})
    assert.is_nil(next(cdl.io.loadz(path)))
  end)

  it("writes and reads safetensors with metadata", function()
    local path = temporary "a.safetensors"
    cdl.io.save_safetensors(path, { ["dense/kernel"] = cdl.ones { 2, 3 }, step = cdl.tensor(7, "int64") },
      { metadata = { format = "np", note = "two words" } })
    local arrays, metadata = cdl.io.load_safetensors(path)
    assert.same({ { 1, 1, 1 }, { 1, 1, 1 } }, arrays["dense/kernel"]:totable())
    assert.equal("int64", arrays.step.dtype)
    assert.same({ format = "np", note = "two words" }, metadata)
    cdl.io.save_safetensors(path, { cdl.tensor { 1 }, cdl.tensor { 2 } })
    arrays, metadata = cdl.io.load_safetensors(path)
    assert.same({ 2 }, arrays.arr_1:totable())
    assert.same({}, metadata)
    assert.matches("metadata holds texts by name; 'n' is 3",
      message_of(cdl.io.save_safetensors, path, { a = 1 }, { metadata = { n = 3 } }), 1, true)
    assert.matches("metadata holds texts by name, got a list",
      message_of(cdl.io.save_safetensors, path, { a = 1 }, { metadata = { "n" } }), 1, true)
    assert.matches("load_safetensors: .*x.npy", message_of(cdl.io.load_safetensors, temporary "x.npy"))
  end)

  it("compresses", function()
    local x = cdl.zeros { 1000 }
    cdl.io.savez(temporary "plain.npz", { x = x })
    cdl.io.savez_compressed(temporary "small.npz", { x = x })
    assert.is_true(#temporary:read "plain.npz" > 4000)
    assert.is_true(#temporary:read "small.npz" < 500)
  end)

  it("refuses what cannot be stored", function()
    local path = temporary "no.npy"
    assert.matches("save: the tensor must be a tensor, got a function", message_of(cdl.io.save, path, print), 1, true)
    assert.matches("savez: array 'x' must be a tensor, got \"abc\"",
      message_of(cdl.io.savez, path, { x = "abc" }), 1, true)
    assert.matches("symbolic tensor, which has no values yet",
      message_of(cdl.io.savez, path, { x = cdl.Input { shape = { 3 } } }), 1, true)
    assert.matches([["" cannot be the name of an array]], message_of(cdl.io.savez, path, { [""] = 1 }), 1, true)
    assert.matches("ragged", message_of(cdl.io.save, path, { { 1, 2 }, { 3 } }):lower(), 1, true)
    assert.same(nil, io.open(path))
  end)

  it("names the path when writing fails, and keeps the old file", function()
    local message = message_of(cdl.io.save, temporary "nowhere/x.npy", cdl.zeros { 2 })
    assert.matches("save: cannot write '", message, 1, true)
    assert.matches("there is no folder '", message, 1, true)
    temporary:write("old.npz", "old")
    assert.matches("the name 'arr_0' stands there twice", message_of(function()
      local core = require "cdl.core"
      local done, text = core.npz_save(temporary "old.npz", { "arr_0", "arr_0" }, { cdl.ones { 1 }, cdl.ones { 1 } })
      if not done then error(text) end
    end), 1, true)
    assert.equal("old", temporary:read "old.npz")
  end)

  it("names file, entry and reason of damage", function()
    cdl.io.savez(temporary "w.npz", { kernel = cdl.ones { 100 }, bias = cdl.ones { 3 } })
    local bytes = temporary:read "w.npz"
    temporary:write("cut.npz", bytes:sub(1, -40))
    assert.matches("loadz: .*cut.npz: not a zip archive, or one that is cut off",
      message_of(cdl.io.loadz, temporary "cut.npz"))
    local at = bytes:find("kernel.npy", 1, true) + 200
    temporary:write("flip.npz", bytes:sub(1, at) .. "\xee" .. bytes:sub(at + 2))
    assert.matches("flip.npz: entry 'kernel.npy': damaged: CRC error",
      message_of(cdl.io.loadz, temporary "flip.npz"))
    cdl.io.save(temporary "x.npy", cdl.ones { 100 })
    temporary:write("cut.npy", temporary:read("x.npy"):sub(1, 300))
    assert.matches("load: .*cut.npy: ends too early: its shape is given as {100}, but at most 172 bytes follow",
      message_of(cdl.io.load, temporary "cut.npy"))
    assert.matches("missing.npy: No such file or directory", message_of(cdl.io.load, temporary "missing.npy"))
    assert.matches("read it with loadz", message_of(cdl.io.load, temporary "w.npz"), 1, true)
    assert.matches("read it with load$", message_of(cdl.io.loadz, temporary "x.npy"))
  end)

  it("never loads Python objects", function()
    local header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    temporary:write("o.npy", "\x93NUMPY\1\0" .. string.char(#header, 0) .. header .. "pickle")
    assert.matches("holds Python objects, which are never loaded",
      message_of(cdl.io.load, temporary "o.npy"), 1, true)
  end)

  it("reads idx files", function()
    temporary:write("x.idx", "\0\0\x08\2\0\0\0\2\0\0\0\3\1\2\3\4\5\6")
    local x = cdl.io.read_idx(temporary "x.idx")
    assert.equal("uint8", x.dtype)
    assert.same({ { 1, 2, 3 }, { 4, 5, 6 } }, x:totable())
    temporary:write("bad.idx", "\0\0\x08\2\0\0\0\2\0\0\0\3\1\2\3\4\5")
    assert.matches("read_idx: .*bad.idx: ends too early", message_of(cdl.io.read_idx, temporary "bad.idx"))
  end)

  describe("read_csv", function()
    it("gives numbers and names", function()
      temporary:write("t.csv", "day,temp,wind\n1,2.5,NW\n2,,SE\n")
      local x, names = cdl.io.read_csv(temporary "t.csv", { columns = { "temp", 1 } })
      assert.same({ "temp", "day" }, names)
      assert.equal("float32", x.dtype)
      assert.equal(2.5, x[{ 1, 1 }])
      assert.is_true(x[{ 2, 1 }] ~= x[{ 2, 1 }])
      assert.equal(2, x[{ 2, 2 }])
    end)

    it("takes separators, skipped lines, headers and dtypes", function()
      temporary:write("t.txt", "made by hand\n  1  2\n 3 16777217\n")
      local x, names = cdl.io.read_csv(temporary "t.txt", { sep = " ", skip_rows = 1, dtype = "float64" })
      assert.is_nil(names)
      assert.same({ { 1, 2 }, { 3, 16777217 } }, x:totable())
      temporary:write("t.csv", "2001;2002\n1;2\n")
      assert.same({ { 1, 2 } }, cdl.io.read_csv(temporary "t.csv", { separator = ";", header = true }):totable())
      assert.same({ 2, 2 }, cdl.io.read_csv { temporary "t.csv", separator = ";", header = false }.shape)
    end)

    it("says where a cell is wrong", function()
      temporary:write("t.csv", "day,wind\n1,2\n2,NW\n")
      assert.matches("read_csv: .*t.csv:3:3: 'NW' is not a number %(column 2, 'wind'%)",
        message_of(cdl.io.read_csv, temporary "t.csv"))
      temporary:write("m.csv", "day,wind\n1,\n")
      assert.matches("m.csv:2:3: '' is a missing value",
        message_of(cdl.io.read_csv, temporary "m.csv", { missing = "error" }))
      assert.matches("has no column 'rain'; it has 2: day, wind",
        message_of(cdl.io.read_csv, temporary "t.csv", { columns = { "rain" } }))
      assert.matches("columns holds names and numbers from 1; entry 1 is 0",
        message_of(cdl.io.read_csv, temporary "t.csv", { columns = { 0 } }))
      assert.matches("separator must be one of", message_of(cdl.io.read_csv, temporary "t.csv", { sep = "e" }))
      assert.matches("did you mean 'columns'", message_of(cdl.io.read_csv, temporary "t.csv", { column = { 1 } }))
    end)
  end)

  it("writes text and makes folders", function()
    cdl.io.make_folder(temporary "a/b")
    cdl.io.make_folder(temporary "a/b")
    cdl.io.write_text(temporary "a/b/t.txt", "one\0two")
    assert.equal("one\0two", temporary:read "a/b/t.txt")
    assert.matches("write_text: cannot write '.*a/b': it is a folder",
      message_of(cdl.io.write_text, temporary "a/b", "x"))
    assert.matches("cannot make the folder '.*t.txt/c': Not a directory",
      message_of(cdl.io.make_folder, temporary "a/b/t.txt/c"))
  end)

  it("reports memory that runs out and stays usable", function()
    local core = require "cdl.core"
    local path = temporary "m.npz"
    cdl.io.savez(path, { a = cdl.ones { 5000 }, b = cdl.ones { 7 } })
    local failed = 0
    for n = 1, 30 do
      core.fail_allocation(n)
      local ok, message = pcall(cdl.io.loadz, path)
      core.fail_allocation(0)
      if ok then break end
      assert.matches("memory", message, 1, true)
      failed = failed + 1
    end
    assert.is_true(failed > 3)
    assert.equal(7, cdl.io.loadz(path).b:sum():item())
  end)
end)
