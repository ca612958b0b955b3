local class = require "cdl.class"
local core = require "cdl.core"
local signature = require "cdl.signature"

local null = signature.null
local tensor = core.tensor { 1, 2 }

local Dense = signature.new("Dense", {
  { "units", "integer", required = true, min = 1, doc = "size of the output" },
  { "activation", "string|function" },
  { "use_bias", "boolean", true },
  { "rate", "number", 0.5, min = 0, below = 1, alias = "r" },
}, { doc = "y = activation(x w + b)" })

local SHOWN = "Dense(units, activation=nil, use_bias=true, rate=0.5)"

-- The error must begin with this file's line, then say `message`.
local function refused(f, ...)
  local ok, err = pcall(f)
  assert.is_false(ok)
  assert.matches("signature_spec.lua:%d+: ", err)
  for _, message in ipairs { ... } do assert.matches(message, err, 1, true) end
end

local function read(kind, value, options)
  local row = { "value", kind }
  for key, option in pairs(options or {}) do row[key] = option end
  return signature.new("f", { { "first", "any" }, row }):read { value = value }.value
end

local function refused_value(kind, value, message, options)
  refused(function() read(kind, value, options) end, "f: value must be " .. message)
end

describe("reading arguments", function()
  it("fills the defaults in", function()
    assert.same({ units = 64, use_bias = true, rate = 0.5 }, Dense:read(64))
    assert.same({ units = 64, use_bias = false, rate = 0.5 }, Dense:read(64, nil, false))
  end)

  it("takes positions, names, and both", function()
    local want = { units = 64, activation = "relu", use_bias = false, rate = 0.5 }
    assert.same(want, Dense:read(64, "relu", false))
    assert.same(want, Dense:read(64, "relu", { use_bias = false }))
    assert.same(want, Dense:read { 64, "relu", use_bias = false })
    assert.same(want, Dense:read { units = 64, activation = "relu", use_bias = false })
    assert.same(want, Dense:read({ 64, "relu", false }))
    assert.equal(0.25, Dense:read(3, { r = 0.25 }).rate)
  end)

  it("takes nil as left out and an empty table at the end as no names", function()
    assert.same(Dense:read(64), Dense:read(64, nil, nil))
    assert.same(Dense:read(64), Dense:read(64, nil, nil, nil, nil, nil))
    assert.same(Dense:read(64), Dense:read(64, {}))
  end)

  it("tells unknown arguments with the nearest name and the signature", function()
    refused(function() Dense:read { 64, actvation = "relu" } end,
      "Dense: unknown argument 'actvation' (did you mean 'activation'?)", SHOWN)
    refused(function() Dense:read(64, { bias = true }) end, "Dense: unknown argument 'bias'")
    local _, err = pcall(function() Dense:read(64, { zzz = true }) end)
    assert.not_matches("did you mean", err)
  end)

  it("refuses arguments given twice, too many, and holes, showing the signature", function()
    refused(function() Dense:read { 64, units = 32 } end, "Dense: argument 'units' is given twice", SHOWN)
    refused(function() Dense:read(64, { units = 32 }) end, "'units' is given twice", SHOWN)
    refused(function() Dense:read { 1, rate = 0.5, r = 0.5 } end, "'rate' is given twice", SHOWN)
    refused(function() Dense:read(1, "relu", true, 0.5, 5) end, "takes at most 4 arguments, got 5", SHOWN)
    refused(function() Dense:read { 1, "relu", true, 0.5, 5 } end, "takes at most 4 arguments, got 5", SHOWN)
    refused(function() Dense:read { 64, nil, true } end, "argument 3 is given but 2 is nil", SHOWN)
    refused(function() Dense:read { 64, [9] = true } end, "argument 9 is given but 2 is nil", SHOWN)
    refused(function() Dense:read { 64, [0] = true } end,
      "the key 0 is neither a name nor a position", SHOWN)
    refused(function() Dense:read { 64, [1.5] = true } end, "the key 1.5", SHOWN)
  end)

  it("wants what is required", function()
    refused(function() Dense:read() end, "Dense: argument 'units' is missing", SHOWN)
    refused(function() Dense:read {} end, "Dense: argument 'units' is missing", SHOWN)
    refused(function() Dense:read { activation = "relu" } end, "'units' is missing")
    refused(function() Dense:read(null) end, "Dense: units must be an integer, got null")
  end)

  it("takes null as none only where there may be none", function()
    assert.is_nil(Dense:read(1, null).activation)
    refused(function() Dense:read(1, { use_bias = null }) end, "use_bias must be true or false, got null")
    local sig = signature.new("f", { { "x", "string", "abc", null = true } })
    assert.equal("abc", sig:read().x)
    assert.is_nil(sig:read(null).x)
    assert.is_nil(sig:read { x = null }.x)
    assert.equal("null", tostring(null))
  end)

  it("gives every call its own copy of a default table", function()
    local sig = signature.new("f", { { "sizes", "size", { 1, 2 } } })
    local first = sig:read().sizes
    first[1] = 99
    assert.same({ 1, 2 }, sig:read().sizes)
  end)

  it("does not take instances for named arguments", function()
    local Thing = class "Thing"
    local thing = Thing()
    local sig = signature.new("f", { { "a", "any" }, { "b", "any" } })
    assert.equal(thing, sig:read(thing).a)
    assert.equal(thing, sig:read(1, thing).b)
  end)

  it("collects the rest where a signature says so", function()
    local sig = signature.new("einsum", { { "equation", "string", required = true },
      { "operands", "list", rest = true } })
    assert.same({ equation = "i,i", operands = { 1, 2 } }, sig:read("i,i", 1, 2))
    assert.same({ equation = "i,i", operands = { 1 } }, sig:read("i,i", 1))
    assert.same({ equation = "i,i" }, sig:read("i,i"))
    assert.equal("einsum(equation, ...)", sig:show())
  end)
end)

describe("list kinds", function()
  local Reshape = signature.new("Reshape", { { "shape", "shape", required = true },
    { "name", "string" } })
  local Pool = signature.new("Pool", { { "pool_size", "size", 2, axes = 2 },
    { "strides", "size", axes = 2 } })

  it("take the array part of the one table", function()
    assert.same({ shape = { 7, 7, 64 } }, Reshape:read { 7, 7, 64 })
    assert.same({ shape = { 7, 7, 64 }, name = "r" }, Reshape:read { 7, 7, 64, name = "r" })
    assert.same({ shape = { 7, 7, 64 }, name = "r" }, Reshape:read({ 7, 7, 64 }, "r"))
    assert.same({ shape = { 7, 7, 64 }, name = "r" }, Reshape:read({ 7, 7, 64 }, { name = "r" }))
    assert.same({ shape = { 7, 7 }, name = "r" }, Reshape:read { shape = { 7, 7 }, name = "r" })
    assert.same({ 2, 3 }, Pool:read { 2, 3 }.pool_size)
  end)

  it("take a table alone in it for the list itself", function()
    assert.same({ 3, 3 }, Pool:read { { 3, 3 }, strides = 2 }.pool_size)
    assert.same({ shape = { 4 } }, Reshape:read { { 4 } })
  end)

  it("take the empty table for the empty list", function()
    assert.same({ shape = {} }, Reshape:read {})
    refused(function() Reshape:read { name = "r" } end, "argument 'shape' is missing")
  end)

  it("take the empty table for no arguments where the list has a default", function()
    local Norm = signature.new("Norm", { { "axis", "axes", 1 } })
    assert.same({ axis = 1 }, Norm:read {})
    assert.same({ axis = { 2, 3 } }, Norm:read { 2, 3 })
  end)

  it("refuse a list given twice", function()
    refused(function() Reshape:read { 7, shape = { 7 } } end, "'shape' is given twice")
  end)
end)

describe("data", function()
  local Tensor = signature.new("tensor", { { "data", "data", required = true },
    { "dtype", "dtype", "float32" } })
  local fit = signature.new("fit", { { "x", "data", required = true }, { "y", "data" },
    { "epochs", "integer", 1 }, { "batch_size", "integer" } })

  it("is never read as arguments or unwrapped", function()
    assert.same({ 1, 2, 3 }, Tensor:read { 1, 2, 3 }.data)
    assert.same({ { 1 } }, Tensor:read { { 1 } }.data)
    assert.same({ dtype = "int32" }, Tensor:read { dtype = "int32" }.data)
    assert.same({ data = { 1 }, dtype = "int32" }, Tensor:read({ 1 }, "int32"))
    assert.same({ data = { 1 }, dtype = "int32" }, Tensor:read({ 1 }, { dtype = "int32" }))
    assert.equal(null, Tensor:read(null).data)
  end)

  it("gives way only to a table of option names", function()
    assert.same({ x = "gen", epochs = 3 }, fit:read("gen", { epochs = 3 }))
    assert.same({ x = "a", y = { out = 1 }, epochs = 1 }, fit:read("a", { out = 1 }))
    assert.same({ x = "a", y = { out = 1, epochs = 3 }, epochs = 1 }, fit:read("a", { out = 1, epochs = 3 }))
    assert.same({ x = "a", y = { 1, 2 }, epochs = 2 }, fit:read("a", { 1, 2 }, { epochs = 2 }))
    assert.same({ x = "a", y = {}, epochs = 1 }, fit:read("a", {}))
  end)
end)

describe("methods", function()
  local sum = signature.method("sum", { { "x", "tensor", required = true }, { "axis", "axes" },
    { "keepdims", "boolean", false } }, "adds", function(...) return ... end)
  local pad = signature.method("pad", { { "x", "tensor", required = true }, { "padding", "padding" },
    { "value", "number", 0 } }, "borders", function(...) return ... end)

  it("have the object in front and never unwrap", function()
    assert.same({ tensor, { { 1, 0 } }, 0 }, { pad(tensor, { { 1, 0 } }) })
    assert.same({ tensor, { { 1, 0 } }, 5 }, { pad(tensor, { { 1, 0 }, value = 5 }) })
    assert.same({ tensor, { { 1, 0 }, { 2, 2 } }, 5 }, { pad(tensor, { { 1, 0 }, 2 }, 5) })
    assert.same({}, select(2, pad(tensor, {})))
  end)

  it("read lists, names and positions behind it", function()
    assert.same({ tensor, nil, false, n = 3 }, table.pack(sum(tensor)))
    assert.same({ tensor, 1, true }, { sum(tensor, 1, true) })
    assert.same({ tensor, -1, false }, { sum(tensor, -1) })
    assert.same({ tensor, { 1, 2 }, false }, { sum(tensor, { 1, 2 }) })
    assert.same({ tensor, 2, true }, { sum(tensor, { axis = 2, keepdims = true }) })
    assert.same({ tensor, 2, true }, { sum(tensor, 2, { keepdims = true }) })
    assert.same({ tensor, 2, false }, { sum { tensor, 2 } })
    assert.same({ tensor, 2, false }, { sum { x = tensor, axis = 2 } })
  end)

  it("are refused like everything else", function()
    refused(function() sum(3) end, "sum: x must be a tensor, got 3")
    refused(function() sum() end, "sum: argument 'x' is missing", "x:sum(axis=nil, keepdims=false)")
    refused(function() sum(tensor, 0) end, "sum: axis must be an axis or a list of axes, from 1", "got 0")
    refused(function() sum(tensor, 1, 2) end, "sum: keepdims must be true or false, got 2")
    refused(function() sum(tensor, 1, true, 5) end, "sum: takes at most 2 arguments, got 3")
    refused(function() sum(tensor, { axes = 1 }) end, "unknown argument 'axes' (did you mean 'axis'?)")
    refused(function() sum(tensor, null, null) end, "keepdims must be true or false, got null")
  end)
end)

describe("functions", function()
  it("read the same on the quick way and the slow one", function()
    for count = 1, 5 do
      local rows, given = {}, {}
      for i = 1, count do rows[i], given[i] = { "p" .. i, "integer", 10 * i }, i end
      local f = signature.fn("f", rows, "counts", function(...) return select("#", ...), ... end)
      assert.same({ count, table.unpack(given) }, { f(table.unpack(given)) })
      local defaults = { f() }
      assert.same(count, defaults[1])
      assert.equal(10 * count, defaults[count + 1])
      given[count] = count + 0.0
      assert.equal("integer", math.type(select(count + 1, f(table.unpack(given)))))
      assert.equal(7, select(count + 1, f { ["p" .. count] = 7 }))
      given[count + 1] = 1
      refused(function() f(table.unpack(given)) end,
        ("takes at most %d arguments, got %d"):format(count, count + 1))
      refused(function() f("x") end, 'f: p1 must be an integer, got "x" (a string)')
    end
  end)

  it("keep false", function()
    local f = signature.fn("f", { { "flag", "boolean", true } }, "", function(flag) return flag end)
    assert.is_false(f(false))
    assert.is_true(f(nil))
    assert.is_true(f())
  end)

  it("are known to help", function()
    local f = signature.fn("f", { { "flag", "boolean", true } }, "about f", function() end)
    assert.equal("about f", signature.of(f).doc)
    assert.equal("f(flag=true)", signature.of(f):show())
    assert.is_nil(signature.of(print))
    local Own = class "Own"
    Own.signature = { { "units", "integer", 3 } }
    assert.equal("Own(units=3)", signature.of(Own):show())
    assert.equal(signature.of(Own), signature.of(Own()))
    assert.same({ units = 3 }, signature.of(Own):read())
  end)

  it("are refused with an unknown kind or a bad default", function()
    assert.error_matches(function() signature.new("f", { { "x", "integr" } }) end,
      "no kind named integr")
    assert.error_matches(function() signature.new("f", { { "x", "integer", "a" } }) end,
      "the default of x must be an integer")
  end)
end)

describe("kinds", function()
  it("take integral floats for integers", function()
    assert.equal("integer", math.type(read("integer", 2 ^ 10)))
    assert.equal(1024, read("integer", 2 ^ 10))
    assert.equal(-3, read("integer", -3))
    for _, bad in ipairs { 3.5, 0 / 0, 1 / 0, "3", true, {} } do
      refused_value("integer", bad, "an integer, got")
    end
  end)

  it("limit numbers", function()
    assert.equal(0, read("number", 0, { min = 0 }))
    refused_value("number", -0.5, "at least 0, got -0.5", { min = 0 })
    refused_value("number", 0 / 0, "at least 0, got", { min = 0 })
    refused_value("number", 0, "greater than 0, got 0", { above = 0 })
    refused_value("number", 1, "less than 1, got 1", { below = 1 })
    refused_value("integer", 7, "at most 6, got 7", { max = 6 })
    refused_value("number", "1", 'a number, got "1" (a string)')
  end)

  it("tell strings, booleans, functions, tensors and tables", function()
    assert.equal("s", read("string", "s"))
    assert.equal(print, read("function", print))
    assert.equal(tensor, read("tensor", tensor))
    assert.same({ a = 1 }, read("table", { a = 1 }))
    local callable = setmetatable({}, { __call = function() end })
    assert.equal(callable, read("function", callable))
    refused_value("string", 5, "a string, got 5")
    refused_value("boolean", 1, "true or false, got 1")
    refused_value("function", "f", "a function, got")
    refused_value("tensor", { 1, 2 }, "a tensor, got {1, 2} (a table)")
    refused_value("table", tensor, "a table, got a float32 tensor {2}")
    refused_value("string|function", tensor, "a string or a function, got a float32 tensor {2}")
  end)

  it("choose", function()
    assert.equal("same", read({ "valid", "same" }, "same"))
    refused_value({ "valid", "same" }, "smae", "one of 'valid', 'same' (did you mean 'same'?), got")
    assert.equal("int64", read("dtype", "int64"))
    refused_value("dtype", "flaot32", "one of 'float32'")
    refused_value("dtype", 5, "one of 'float32'")
  end)

  it("read shapes", function()
    assert.same({ -1, 14, -1 }, read("shape", { nil, 14, "?" }))
    assert.same({ 2, 3 }, read("shape", { 2.0, 3 }))
    assert.same({}, read("shape", {}))
    refused_value("shape", { 2, -2 }, "a list of sizes (entry 2 is -2)")
    refused_value("shape", { 2, "x" }, 'a list of sizes (entry 2 is "x")')
    refused_value("shape", { 2, 1.5 }, "a list of sizes (entry 2 is 1.5)")
    refused_value("shape", 5, "a list of sizes, got 5")
    refused_value("shape", { a = 5 }, 'a list of sizes (it has the key "a")')
    refused_value("shape", { [100] = 5 }, "a list of at most 8 sizes")
    refused_value("shape", { 2, -1 }, "a list of known sizes (entry 2 is unknown)", { unknown = false })
    refused_value("shape", {}, "a list of at least one size; write {-1} for an unknown length, got {}",
      { nonempty = true })
  end)

  it("read sizes", function()
    assert.same({ 3, 3 }, read("size", 3, { axes = 2 }))
    assert.same({ 3, 3 }, read("size", { 3 }, { axes = 2 }))
    assert.same({ 3, 4 }, read("size", { 3, 4.0 }, { axes = 2 }))
    assert.equal(3, read("size", 3))
    refused_value("size", { 1, 2, 3 }, "an integer or a list of 2 integers, got {1, 2, 3}", { axes = 2 })
    refused_value("size", { 1, 2.5 }, "an integer or a list of 2 integers", { axes = 2 })
    refused_value("size", 0, "at least 1, got 0", { axes = 2 })
    refused_value("size", { 2, 0 }, "at least 1", { axes = 2 })
    refused_value("size", "3", "an integer or a list of 2 integers", { axes = 2 })
  end)

  it("read paddings", function()
    assert.same({ { 1, 1 }, { 1, 1 } }, read("padding", 1, { axes = 2 }))
    assert.same({ { 1, 1 }, { 1, 1 } }, read("padding", { 1 }, { axes = 2 }))
    assert.same({ { 1, 1 }, { 2, 2 } }, read("padding", { 1, 2 }, { axes = 2 }))
    assert.same({ { 1, 0 }, { 2, 3 } }, read("padding", { { 1, 0 }, { 2, 3 } }, { axes = 2 }))
    assert.same({ { 1, 2 } }, read("padding", { 1, 2 }, { axes = 1 }))
    assert.same({ { 1, 0 }, { 2, 2 } }, read("padding", { { 1, 0 }, 2 }))
    refused_value("padding", { 1, 2, 3 }, "a number, or a list of 2 numbers or pairs", { axes = 2 })
    refused_value("padding", { { 1, 2, 3 }, 1 }, "a number, a list of numbers", { axes = 2 })
    refused_value("padding", -1, "at least 0, got -1", { axes = 2 })
    refused_value("padding", { 1, -1 }, "a number", { axes = 2 })
  end)

  it("read axes", function()
    assert.equal(-1, read("axis", -1.0))
    assert.same({ 1, -2 }, read("axes", { 1, -2 }))
    assert.equal(2, read("axes", 2))
    refused_value("axis", 0, "an axis, from 1, or from the end, -1, got 0")
    refused_value("axes", { 1, 0 }, "an axis or a list of axes")
    refused_value("axes", { 1, nil, 2 }, "a list without holes (entry 2 is nil)")
  end)

  it("read lists", function()
    assert.same({ "a", "b" }, read("list", { "a", "b" }, { of = "string" }))
    assert.same({ 1, "b" }, read("list", { 1, "b" }))
    refused_value("list", { "a", 5 }, "a list; entry 2 must be a string, got 5", { of = "string" })
    refused_value("list", { "a", nil, "c" }, "a list without holes (entry 2 is nil)")
    refused_value("list", { a = 1 }, 'a list (it has the key "a")')
    refused_value("list", tensor, "a list, got a float32 tensor {2}")
  end)
end)

describe("suggestions", function()
  it("are the nearest name, or none", function()
    local names = { "units", "activation", "use_bias", "kernel_initializer" }
    assert.equal("activation", signature.nearest("actvation", names))
    assert.equal("activation", signature.nearest("Activation", names))
    assert.equal("units", signature.nearest("untis", names))
    assert.equal("kernel_initializer", signature.nearest("kernel_init", names))
    assert.is_nil(signature.nearest("zzz", names))
    assert.is_nil(signature.nearest("epochs", names))
  end)
end)
