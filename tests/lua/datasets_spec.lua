local cdl = require "cdl"
local folder = require "folder"
local program = require "program"

describe("data sets in files", function()
  local temporary
  setup(function() temporary = folder.new() end)
  teardown(function() temporary:remove() end)

  local function size(n) return string.pack(">I4", n) end

  -- The four files, with n pictures whose pixels are all `pixel`, and as many labels.
  local function write_set(name, n, pixel, labels)
    cdl.io.make_folder(temporary(name))
    local images = "\0\0\x08\3" .. size(n) .. size(28) .. size(28) .. string.char(pixel):rep(n * 784)
    for _, part in ipairs { "train", "t10k" } do
      temporary:write(name .. "/" .. part .. "-images-idx3-ubyte", images)
      temporary:write(name .. "/" .. part .. "-labels-idx1-ubyte",
        "\0\0\x08\1" .. size(labels or n) .. ("\7"):rep(labels or n))
    end
  end

  -- Loads a set in a process with its own environment; prints the first pixel and the shapes.
  local function load(set, data)
    local code = ([[
      local x, y, x_test, y_test = require("cdl").datasets.%s.load_data()
      print(x[{1, 1, 1}], x.dtype, #x, y[1], y.dtype, #y, #x_test, #y_test)]]):format(set)
    return program.shell(("HOME=%s CDL_DATA=%s %s -e %s"):format(program.quote(temporary "home"),
      program.quote(data and temporary(data) or ""), program.quote(program.path), program.quote(code)))
  end

  it("reads a set from its own folder, from a flat one, and from home", function()
    write_set("data/mnist", 3, 10)
    write_set("data/fashion-mnist", 2, 20)
    write_set("flat", 4, 30)
    write_set("home/.cdl/datasets/mnist", 5, 40)
    local function loaded(...)
      local status, out, err = load(...)
      assert.equal("", err)
      assert.equal(0, status)
      return out
    end
    assert.equal("10\tuint8\t3\t7\tuint8\t3\t3\t3\n", loaded("mnist", "data"))
    assert.equal("20\tuint8\t2\t7\tuint8\t2\t2\t2\n", loaded("fashion_mnist", "data"))
    assert.equal("30\tuint8\t4\t7\tuint8\t4\t4\t4\n", loaded("mnist", "flat"))
    assert.equal("30\tuint8\t4\t7\tuint8\t4\t4\t4\n", loaded("mnist", "flat/"))
    assert.equal("20\tuint8\t2\t7\tuint8\t2\t2\t2\n", loaded("fashion_mnist", "data/fashion-mnist"))
    assert.equal("40\tuint8\t5\t7\tuint8\t5\t5\t5\n", loaded("mnist"))
  end)

  it("never takes the one set for the other", function()
    write_set("digits", 3, 10)
    local _, out = load("fashion_mnist", "digits")
    assert.not_matches("^10\t", out)
    write_set("my-fashion", 3, 20)
    _, out = load("mnist", "my-fashion")
    assert.not_matches("^20\t", out)
  end)

  it("says which files belong where and how to get them", function()
    write_set("part/mnist", 3, 10)
    os.remove(temporary "part/mnist/t10k-labels-idx1-ubyte")
    os.remove(temporary "home/.cdl/datasets/mnist/train-images-idx3-ubyte")
    local status, _, err = load("mnist", "part")
    assert.equal(1, status)
    assert.matches("(command line)", err, 1, true)
    assert.matches("mnist: the data set is not on this machine", err, 1, true)
    assert.matches("\n  train-images-idx3-ubyte.gz\n", err, 1, true)
    assert.matches("/part/mnist  (without t10k-labels-idx1-ubyte.gz)\n", err, 1, true)
    assert.matches("/home/.cdl/datasets/mnist  (without train-images-idx3-ubyte.gz)\n", err, 1, true)
    assert.matches("To get them: https://", err, 1, true)
  end)

  it("names a file that is damaged or does not fit", function()
    write_set("wrong/mnist", 3, 10, 4)
    local status, _, err = load("mnist", "wrong")
    assert.equal(1, status)
    assert.matches("train%-images%-idx3%-ubyte has 3 images, but .*train%-labels%-idx1%-ubyte has 4 labels", err)
    temporary:write("wrong/mnist/train-images-idx3-ubyte", "\0\0\x08\1\0\0\0\1x")
    status, _, err = load("mnist", "wrong")
    assert.equal(1, status)
    assert.matches("train-images-idx3-ubyte: wanted uint8 {n, 28, 28}, got uint8 {1}", err, 1, true)
    temporary:write("wrong/mnist/train-images-idx3-ubyte", "\0\0\x08\3\0\0\0\1")
    status, _, err = load("mnist", "wrong")
    assert.equal(1, status)
    assert.matches("mnist: .*/wrong/mnist/train%-images%-idx3%-ubyte: ends too early", err)
  end)

  it("reads Keras's mnist.npz", function()
    cdl.io.make_folder(temporary "npz")
    local x, y = cdl.full({ 3, 28, 28 }, 9, "uint8"), cdl.full({ 3 }, 7, "uint8")
    cdl.io.savez(temporary "npz/mnist.npz", { x_train = x, y_train = y, x_test = x, y_test = y })
    local status, out, err = load("mnist", "npz")
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("9\tuint8\t3\t7\tuint8\t3\t3\t3\n", out)
    cdl.io.savez(temporary "npz/mnist.npz", { x_train = x })
    status, out, err = load("mnist", "npz")
    assert.equal("", out)
    assert.equal(1, status)
    assert.matches("mnist: .*/npz/mnist.npz: wanted x_train", err)
  end)

  it("has names for the classes of clothes", function()
    assert.equal(10, #cdl.datasets.fashion_mnist.class_names)
    assert.equal("Ankle boot", cdl.datasets.fashion_mnist.class_names[10])
  end)
end)

describe("synthetic data", function()
  local synthetic = cdl.datasets.synthetic

  -- How many of the labels are each class.
  local function counts(y)
    local list = {}
    for i = 1, #y do list[y[i] + 1] = (list[y[i] + 1] or 0) + 1 end
    return list
  end

  for _, name in ipairs { "blobs", "moons", "spirals", "sine", "digits" } do
    it(name .. " depends on its arguments alone", function()
      local x, y = synthetic[name] { n_samples = 20 }
      cdl.random.normal { shape = { 3 } }
      local again_x, again_y = synthetic[name] { n_samples = 20, seed = 0 }
      assert.same(x:totable(), again_x:totable())
      assert.same(y:totable(), again_y:totable())
      local other = synthetic[name] { n_samples = 20, seed = 1 }
      assert.not_same(x:totable(), other:totable())
      assert.equal(20, #x)
      assert.equal(20, #y)
      assert.has_error(function() synthetic[name] { n_samples = 0 } end)
    end)
  end

  it("blobs are clouds of the given size around their centres", function()
    local x, y = synthetic.blobs { n_samples = 300, n_features = 4, n_classes = 3, stddev = 0.1 }
    assert.same({ 300, 4 }, x.shape)
    assert.equal("float32", x.dtype)
    assert.equal("int64", y.dtype)
    assert.same({ 100, 100, 100 }, counts(y))
    for class = 0, 2 do
      local rows = {}
      for i = 1, 300 do
        if y[i] == class then rows[#rows + 1] = x[i]:totable() end
      end
      local spread = cdl.tensor(rows):std(1)
      for k = 1, 4 do assert.near(0.1, spread[k], 0.03) end
    end
  end)

  it("moons lie on two half circles", function()
    local x, y = synthetic.moons { n_samples = 100, noise = 0 }
    assert.same({ 50, 50 }, counts(y))
    for i = 1, 100 do
      local dx, dy = x[{ i, 1 }] - y[i], x[{ i, 2 }] - 0.5 * y[i]
      assert.near(1, dx * dx + dy * dy, 1e-5)
      assert.is_true(y[i] == 0 and dy >= -1e-6 or y[i] == 1 and dy <= 1e-6)
    end
  end)

  it("spirals have their arms where they say", function()
    local x, y = synthetic.spirals { n_samples = 90, n_classes = 3, turns = 0.5, noise = 0 }
    assert.same({ 30, 30, 30 }, counts(y))
    for i = 1, 90 do
      local radius = math.sqrt(x[{ i, 1 }] ^ 2 + x[{ i, 2 }] ^ 2)
      assert.is_true(radius <= 1 + 1e-6)
      local angle = 2 * math.pi * (0.5 * radius + y[i] / 3)
      assert.near(radius * math.cos(angle), x[{ i, 1 }], 1e-4)
      assert.near(radius * math.sin(angle), x[{ i, 2 }], 1e-4)
    end
  end)

  it("sine goes on as it began", function()
    local x, y = synthetic.sine { n_samples = 5, length = 8 }
    assert.same({ 5, 8, 1 }, x.shape)
    assert.same({ 5, 1 }, y.shape)
    for i = 1, 5 do
      -- sin(a + w) + sin(a - w) = 2 cos(w) sin(a) for all steps of one wave.
      local function wave(k) return k <= 8 and x[{ i, k, 1 }] or y[{ i, 1 }] end
      local double_cos = (wave(3) + wave(1)) / wave(2)
      assert.near(double_cos * wave(8), wave(9) + wave(7), 1e-3)
      local period = 2 * math.pi / math.acos(double_cos / 2)
      assert.is_true(period > 9.9 and period < 40.1)
    end
  end)

  it("digits are pictures that can be told apart", function()
    local x, y = synthetic.digits { n_samples = 4200, size = 8, noise = 0 }
    assert.same({ 4200, 8, 8 }, x.shape)
    assert.equal("uint8", x.dtype)
    assert.equal("uint8", y.dtype)
    assert.equal(420, counts(y)[1])
    -- Without noise a picture has as many bright dots as its digit.
    local dots = {}
    for i = 4000, 4200 do
      local bright = x[i]:gt(0):sum():item()
      assert.is_true(dots[y[i]] == nil or dots[y[i]] == bright)
      dots[y[i]] = bright
      local light = x[i]:max():item()
      assert.is_true(light >= 152 and light <= 255)
    end
    assert.equal(10, dots[1])
    assert.equal(17, dots[8])
    assert.same({ 2, 28, 28 }, synthetic.digits { n_samples = 2, size = 28 }.shape)
  end)
end)
