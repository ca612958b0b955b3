--- Names of objects: what `initializer = "he_normal"` and the like mean.
--
--     local registry = require("cdl.registry").new("initializer", Initializer)
--     registry:add(HeNormal, "he_normal")
--     registry:get "he_normal"     --> HeNormal(), a new one
--     registry:get(x)              --> x itself when it is an instance or a function
local class = require "cdl.class"
local core = require "cdl.core"
local signature = require "cdl.signature"
local words = require "cdl.words"

local Registry = {}
Registry.__index = Registry

local M = {}

--- "HeNormal" -> "he_normal", "MeanIoU" -> "mean_io_u", "L1L2" -> "l1_l2".
function M.snake_case(name)
  local snake = name:gsub("(.)(%u%l+)", "%1_%2"):gsub("([%l%d])(%u)", "%1_%2"):lower()
  return (snake:gsub("__+", "_"))
end

--- An empty registry; what is the word in messages, base the class of the instances.
function M.new(what, base)
  return setmetatable({ what = what, base = base, entries = {}, names = {} }, Registry)
end

--- Adds a class (or any value) under its class's name, that in snake case and further names.
function Registry:add(entry, ...)
  local names = { ... }
  local class_name = class.is_class(entry) and class.name_of(entry)
  if class_name then
    table.insert(names, 1, class_name)
    table.insert(names, 1, M.snake_case(class_name))
  end
  for _, name in ipairs(names) do
    if self.entries[name] == nil then self.names[#self.names + 1] = name end
    self.entries[name] = entry
  end
  return entry
end

--- What a name stands for; raises, with a suggestion, when it stands for nothing.
function Registry:find(name)
  local entry = self.entries[name]
  if entry ~= nil then return entry end
  local lower = name:lower()
  for _, known in ipairs(self.names) do
    if known:lower() == lower then return self.entries[known] end
  end
  local suggestion = words.suggestion(name, self.names)
  return core.raise(("unknown %s '%s'%s"):format(self.what, name,
    suggestion ~= "" and suggestion or "; there are: " .. self:list()))
end

--- The snake-case names in alphabetical order, for messages.
function Registry:list()
  local list = {}
  for _, name in ipairs(self.names) do
    if name == name:lower() then list[#list + 1] = name end
  end
  table.sort(list)
  return table.concat(list, ", ")
end

--- The object that is meant by a name, an instance, a class, a {class_name =, config =} table or
-- a function (which stays what it is). nil and cdl.null give nil.
function Registry:get(identifier)
  if identifier == nil or identifier == signature.null then return nil end
  if type(identifier) == "string" then identifier = self:find(identifier) end
  if words.is_plain(identifier) and type(identifier.class_name) == "string" then
    return self:find(identifier.class_name):from_config(identifier.config or {})
  end
  if class.is_class(identifier) then
    local parent = identifier
    while parent and parent ~= self.base do parent = rawget(parent, "super") end
    if parent then return identifier() end
  elseif class.is(identifier, self.base) or type(identifier) == "function" then
    return identifier
  elseif type(identifier) == "table" and getmetatable(identifier) and getmetatable(identifier).__call then
    return identifier
  end
  return core.raise(("%s must be a name, an object or a function, got %s"):format(self.what,
    words.describe(identifier)))
end

return M
