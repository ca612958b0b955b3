local class = require "cdl.class"

describe("classes", function()
  it("construct by call, with init and its arguments", function()
    local Point = class "Point"
    function Point:init(x, y) self.x, self.y = x, y end
    local p = Point(1, 2)
    assert.equal(1, p.x)
    assert.equal(2, p.y)
    assert.equal("Point", class.name_of(p))
    assert.equal("Point", class.name_of(Point))
    assert.same({}, rawget(class "Empty" {}, "x") or {})
  end)

  it("inherit methods, metamethods and the constructor", function()
    local Base = class "Base"
    function Base:init(args) self.size = args.size end
    function Base:double() return 2 * self.size end
    Base.__add = function(a, b) return a.size + b.size end
    local Derived = Base:extend "Derived"
    local d = Derived { size = 4 }
    assert.equal(8, d:double())
    assert.equal(9, d + Derived { size = 5 })
    function Derived:double() return "own " .. Derived.super.double(self) end
    assert.equal("own 8", d:double())
    assert.equal(8, Base { size = 4 }:double())
    assert.equal(Base, class("Other", Base).super)
  end)

  it("know what is an instance of what", function()
    local A = class "A"
    local B = A:extend "B"
    local C = A:extend "C"
    local b = B()
    assert.is_true(class.is(b, A))
    assert.is_true(class.is(b, B))
    assert.is_false(class.is(b, C))
    assert.is_false(class.is(B, A))
    assert.is_false(class.is(5, A))
    assert.is_false(class.is({}, A))
    assert.is_true(class.is_class(A))
    assert.is_false(class.is_class(b))
    assert.is_false(class.is_class("A"))
    assert.equal(B, class.of(b))
    assert.is_nil(class.of(A))
    assert.is_nil(class.of({}))
    assert.is_nil(class.name_of(setmetatable({}, {})))
  end)

  it("compute fields", function()
    local Circle = class "Circle"
    function Circle:init(radius) self.radius = radius end
    Circle.get = { diameter = function(self) return 2 * self.radius end,
      name_length = function() return 6 end }
    Circle.set = { diameter = function(self, d) self.radius = d / 2 end }
    local c = Circle(3)
    assert.equal(6, c.diameter)
    c.diameter = 10
    assert.equal(5, c.radius)
    assert.is_nil(rawget(c, "diameter"))
    local Ring = Circle:extend "Ring"
    Ring.get = { hole = function(self) return self.radius / 2 end }
    local r = Ring(4)
    assert.equal(8, r.diameter)
    assert.equal(2, r.hole)
    r.diameter = 2
    assert.equal(1, r.radius)
    assert.is_nil(r.nothing)
  end)

  it("refuse to assign a field that is only computed", function()
    local Fixed = class "Fixed"
    Fixed.get = { weight = function() return 1 end }
    local f = Fixed()
    assert.error_matches(function() f.weight = 2 end, "Fixed: 'weight' is computed and cannot be assigned")
    assert.equal(1, f.weight)
    f.other = 3
    assert.equal(3, f.other)
  end)

  it("let a class make its instances itself", function()
    local Counted = class "Counted"
    local made = 0
    function Counted:new(...)
      made = made + 1
      return Counted.super.new(self, ...)
    end
    function Counted:init(value) self.value = value end
    local Sub = Counted:extend "Sub"
    assert.equal(7, Sub(7).value)
    assert.equal(1, made)
  end)

  it("show themselves", function()
    local Layer = class "Layer"
    local layer = Layer()
    assert.equal("class Layer", tostring(Layer))
    assert.equal("<Layer>", tostring(layer))
    layer.name = "first"
    assert.equal("<Layer first>", tostring(layer))
  end)

  it("want a name", function()
    assert.error_matches(function() class() end, "a class name %(string%) is wanted, got a nil")
  end)
end)
