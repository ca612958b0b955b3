-- Tables as text: what a snapshot keeps of everything that is no array.
local capture = require "capture"
local serialize = require "cdl.serialize"

local function again(value) return serialize.read(serialize.write(value, "it")) end

describe("a table as text", function()
  it("comes back with its bits and kinds", function()
    for _, x in ipairs { 0, 1, -1, math.maxinteger, math.mininteger, 0.1, -2.5, 1e300, 5e-324, 2.0 ^ 53, 1 / 3,
      math.huge, -math.huge } do
      local got = again(x)
      assert.equal(math.type(x), math.type(got))
      assert.equal(x, got)
    end
    assert.is_true(again(0 / 0) ~= again(0 / 0))
    assert.equal(-math.huge, 1 / again(-0.0))
    local bytes = {}
    for code = 0, 255 do bytes[#bytes + 1] = string.char(code) end
    assert.equal(table.concat(bytes), again(table.concat(bytes)))
    local deep = { { { [true] = { a = 1, [2] = "b", [2.5] = {} } } }, "x=}{,@" }
    assert.same(deep, again(deep))
  end)

  it("is the same for the same table", function()
    assert.equal('{1="a",2=2.0,"a"=true,"b"={},true=0,false=1}',
      serialize.write({ "a", 2.0, b = {}, a = true, [true] = 0, [false] = 1 }, "it"))
  end)

  it("holds by name what it is told to", function()
    local thing = setmetatable({}, {})
    local text = serialize.write({ a = { thing } }, "it", function(value, place) return value == thing and place end)
    assert.equal('{"a"={1=@"a/1"}}', text)
    assert.equal(thing, serialize.read(text, function(name) return name == "a/1" and thing or nil end).a[1])
    assert.matches('the value named "a/1", which is missing,', select(2, serialize.read(text)), 1, true)
    assert.matches("it: a/1 is a table", capture.problem_of(serialize.write, { a = { thing } }, "it"), 1, true)
  end)

  it("is refused where it is damaged, without an error", function()
    local text = serialize.write({ a = { 1, 2.5, "b\n" }, c = true, [3] = math.huge }, "it")
    for cut = 0, #text - 1 do
      local value, problem = serialize.read(text:sub(1, cut))
      assert.is_nil(value)
      assert.matches("is wanted at byte %d+$", problem)
    end
    for _, damaged in ipairs { text .. "x", "{1=1,}", "{1=1 2=2}", "{nan=1}", "{{}=1}", '"\\999"', "0x", "1e", "--1",
      "nil", "print", ("{1="):rep(1000), "" } do
      assert.is_string(select(2, serialize.read(damaged)), damaged)
    end
  end)
end)
