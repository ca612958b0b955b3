--- Classes: single inheritance, constructors by call, computed fields.
--
--     local Shape = class "Shape"                    -- or class("Circle", Shape)
--     local Circle = Shape:extend "Circle"
--     function Circle:init(radius) self.radius = radius end
--     Circle.get = { area = function(self) return math.pi * self.radius ^ 2 end }
--     Circle.set = { area = function(self, area) self.radius = (area / math.pi) ^ 0.5 end }
--     local c = Circle(2)                            -- Circle{...} likewise; calls c:init(...)
--     c.area = 7; class.is(c, Shape)                 --> true
--
-- A class is the metatable of its instances, so metamethods (`__tostring`, `__call`, ...) are
-- fields of it, and a subclass starts with its parent's. `Class.super` is the parent. A class
-- that wants to treat constructor arguments itself overrides `Class:new(...)`.
local core = require "cdl.core"

local M = {}

-- A class without such a table shows its parent's.
local function find_accessor(class, where, key)
  local accessors = class[where]
  while accessors do
    if accessors[key] then return accessors[key] end
    class = class.super
    accessors = class and class[where]
  end
end

--- Reads a field that the instance itself does not have: the class's, then a computed one, then what the
-- constructor was given under that name. It is every class's `__index`; a class with its own ends in a
-- call of this.
function M.index(self, key)
  local class = getmetatable(self)
  local value = class[key]
  if value ~= nil then return value end
  local getter = find_accessor(class, "get", key)
  if getter then return getter(self) end
  local args = class.signature and rawget(self, "args")
  if args then return args[key] end
end

--- Assigns a field that the instance does not have yet; every class's `__newindex`.
function M.assign(self, key, value)
  local class = getmetatable(self)
  local setter = find_accessor(class, "set", key)
  if setter then return setter(self, value) end
  if find_accessor(class, "get", key) then
    core.raise(("%s: '%s' is computed and cannot be assigned"):format(class.__name, tostring(key)))
  end
  rawset(self, key, value)
end

local function describe(self)
  local name = self.name
  local class_name = getmetatable(self).__name
  return type(name) == "string" and ("<%s %s>"):format(class_name, name) or ("<%s>"):format(class_name)
end

local Object = { __name = "Object", __index = M.index, __newindex = M.assign, __tostring = describe }

--- Makes an instance and calls its `init` with the arguments.
function Object:new(...)
  local instance = setmetatable({}, self)
  local init = self.init
  if init then init(instance, ...) end
  return instance
end

--- Makes a subclass. Metamethods are copied, everything else is looked up in the parent.
function Object:extend(name)
  if type(name) ~= "string" then
    core.raise(("extend: a class name (string) is wanted, got a %s"):format(type(name)))
  end
  local class = { super = self }
  for key, value in pairs(self) do
    if type(key) == "string" and key:sub(1, 2) == "__" then class[key] = value end
  end
  class.__name = name
  return setmetatable(class, {
    __index = self,
    __call = function(cls, ...) return cls:new(...) end,
    __tostring = function() return "class " .. name end,
    is_class = true,
  })
end

--- True when x is a class (not an instance of one).
function M.is_class(x)
  local meta = type(x) == "table" and getmetatable(x)
  return type(meta) == "table" and rawget(meta, "is_class") == true
end

--- True when x is an instance of the class or of a class below it.
function M.is(x, class)
  local own = type(x) == "table" and getmetatable(x)
  while type(own) == "table" do
    if own == class then return true end
    own = rawget(own, "super")
  end
  return false
end

--- True when cls is the parent or a class below it.
function M.extends(cls, parent)
  while cls and cls ~= parent do cls = rawget(cls, "super") end
  return cls ~= nil
end

--- The name of a class, or of the class of an instance; nil for anything else.
function M.name_of(x)
  if M.is_class(x) then return x.__name end
  local class = type(x) == "table" and getmetatable(x)
  if M.is_class(class) then return class.__name end
end

--- The class of an instance; nil for anything else.
function M.of(x)
  local class = type(x) == "table" and getmetatable(x)
  if M.is_class(class) then return class end
end

return setmetatable(M, {
  __call = function(_, name, parent) return (parent or Object):extend(name) end,
})
