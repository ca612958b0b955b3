--- Files that cdl and NumPy write for each other. Needs a python3 with numpy.
local cdl = require "cdl"
local folder = require "folder"
local program = require "program"

local function find_python()
  for _, name in ipairs { "python3", "/usr/bin/python3" } do
    if program.shell(name .. " -c 'import numpy'") == 0 then return name end
  end
end

describe("files of NumPy", function()
  local temporary, python
  setup(function()
    temporary = folder.new()
    python = find_python()
  end)
  teardown(function() temporary:remove() end)

  -- Runs Python in the folder; what it prints.
  local function numpy(code)
    local status, out, err = program.shell(("cd %s && %s -c %s"):format(program.quote(temporary.path), python,
      program.quote("import numpy as np\n" .. code)))
    assert.equal("", err)
    assert.equal(0, status)
    return out
  end

  local function test(name, f)
    it(name, function()
      if not python then return pending "python3 with numpy is not installed" end
      f()
    end)
  end

  test("NumPy reads every dtype", function()
    for _, dtype in ipairs { "float32", "float64", "int32", "int64", "uint8", "bool" } do
      cdl.io.save(temporary "x.npy", cdl.tensor({ { 1, 0, 1 }, { 0, 1, 1 } }, dtype))
      assert.equal(dtype .. " (2, 3) [[1, 0, 1], [0, 1, 1]] True\n", numpy [[
x = np.load("x.npy")
print(x.dtype, x.shape, x.astype(int).tolist(), x.flags["C_CONTIGUOUS"])]])
    end
    cdl.io.save(temporary "x.npy", cdl.tensor(2.5))
    assert.equal("() 2.5\n", numpy [[x = np.load("x.npy"); print(x.shape, x.item())]])
  end)

  test("NumPy reads archives, with names in folders", function()
    local arrays = { ["dense/kernel"] = cdl.arange(0, 5):reshape { 2, 3 }, bias = cdl.tensor({ 7 }, "int64") }
    for _, save in ipairs { cdl.io.savez, cdl.io.savez_compressed } do
      save(temporary "w.npz", arrays)
      assert.equal("['bias', 'dense/kernel'] [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]] int64\n", numpy [[
w = np.load("w.npz")
print(sorted(w.files), w["dense/kernel"].tolist(), w["bias"].dtype)]])
    end
    cdl.io.savez(temporary "l.npz", { cdl.ones { 1 }, cdl.zeros { 1 } })
    assert.equal("['arr_0', 'arr_1'] 0.0\n", numpy [[
w = np.load("l.npz"); print(w.files, w["arr_1"].item())]])
  end)

  test("NumPy's checks find nothing wrong with an archive", function()
    cdl.io.savez_compressed(temporary "w.npz", { a = cdl.ones { 1000 }, b = cdl.zeros { 3 } })
    assert.equal("None (1980, 1, 1, 0, 0, 0)\n", numpy [[
import zipfile
z = zipfile.ZipFile("w.npz")
print(z.testzip(), z.infolist()[0].date_time)]])
  end)

  test("cdl reads what NumPy writes", function()
    numpy [[
np.save("v1.npy", np.arange(6, dtype="<f4").reshape(2, 3))
np.save("fortran.npy", np.asfortranarray(np.arange(6).reshape(2, 3)))
np.save("big.npy", np.array([1.5, -2.0], dtype=">f8"))
np.save("half.npy", np.array([1.5, 65504, 6e-8, -0.0, np.inf], dtype="f2"))
np.save("u2.npy", np.array([65535], dtype="u2"))
np.save("i1.npy", np.array([-128], dtype="i1"))
np.save("u8.npy", np.array([2**63 - 1], dtype="u8"))
np.save("scalar.npy", np.float64(4.5))
np.save("none.npy", np.zeros((0, 3), dtype="i4"))
with open("v3.npy", "wb") as f: np.lib.format.write_array(f, np.arange(3, dtype="u1"), version=(3, 0))
np.savez("plain.npz", np.ones(2), x=np.array([True, False]))
np.savez_compressed("small.npz", **{"a/b": np.zeros((2, 2), dtype="i8")})]]
    local function load(name) return cdl.io.load(temporary(name .. ".npy")) end
    assert.same({ { 0, 1, 2 }, { 3, 4, 5 } }, load "v1":totable())
    assert.same({ { 0, 1, 2 }, { 3, 4, 5 } }, load "fortran":totable())
    assert.equal("int64", load "fortran".dtype)
    assert.same({ 1.5, -2 }, load "big":totable())
    assert.equal("float64", load "big".dtype)
    local half = load "half"
    assert.equal("float32", half.dtype)
    assert.same({ 1.5, 65504, 2 ^ -24, 0, math.huge }, half:totable())
    assert.equal(-math.huge, 1 / half[4])
    assert.equal(65535, load "u2":item())
    assert.equal(-128, load "i1":item())
    assert.equal(math.maxinteger, load "u8":item())
    assert.same({}, load "scalar".shape)
    assert.equal(4.5, load "scalar":item())
    assert.same({ 0, 3 }, load "none".shape)
    assert.same({ 0, 1, 2 }, load "v3":totable())
    local plain = cdl.io.loadz(temporary "plain.npz")
    assert.same({ 1, 1 }, plain.arr_0:totable())
    assert.equal("bool", plain.x.dtype)
    assert.same({ { 0, 0 }, { 0, 0 } }, cdl.io.loadz(temporary "small.npz")["a/b"]:totable())
  end)

  test("what cdl cannot read it names", function()
    numpy [[
np.save("c.npy", np.array([1j]))
np.save("s.npy", np.array(["text"]))
np.save("r.npy", np.zeros(2, dtype=[("a", "f4")]))
np.save("o.npy", np.array([None]), allow_pickle=True)
np.save("u8.npy", np.array([1, 2**63], dtype="u8"))]]
    local function message(name)
      local ok, text = pcall(cdl.io.load, temporary(name .. ".npy"))
      assert.is_false(ok)
      return text
    end
    assert.matches("dtype '<c16' cannot be read", message "c", 1, true)
    assert.matches("dtype '<U4' cannot be read", message "s", 1, true)
    assert.matches("structured arrays", message "r", 1, true)
    assert.matches("Python objects", message "o", 1, true)
    assert.matches("element 2 is 9223372036854775808, too large for int64", message "u8", 1, true)
  end)
end)
