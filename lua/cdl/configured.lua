--- Objects that are made from arguments: initializers, regularizers, constraints, losses, metrics,
-- optimizers, schedules. Their constructors read the arguments by the class's `signature` (and the
-- `base_arguments` of its parents), keep them as `args` and call `init(args)`; so `help` and
-- `get_config` know them.
--
-- A class without a signature gets its constructor's table as it is, but for the base arguments.
local class = require "cdl.class"
local core = require "cdl.core"
local signature = require "cdl.signature"
local words = require "cdl.words"

local Configured = class "Configured"

local base_signatures = setmetatable({}, { __mode = "k" })

-- The table with its base arguments read; the class's own entries stay as they are.
local function read_base(cls, given)
  local args, base = {}, {}
  local sig = base_signatures[cls]
  if not sig then
    sig = signature.new(class.name_of(cls), cls.base_arguments or {})
    base_signatures[cls] = sig
  end
  for key, value in pairs(given) do
    local into = type(key) == "string" and sig.by_name[key] and base or args
    into[key] = value
  end
  for key, value in pairs(sig:read(base)) do args[key] = value end
  return args
end

--- The arguments that a constructor of this class was given, by name, with defaults filled in.
function Configured.read_arguments(cls, ...)
  local sig = signature.of(cls)
  if sig then return sig:read(...) end
  local given = (...)
  if given ~= nil and type(given) ~= "table" then
    core.raise(("%s: arguments are a table, got %s"):format(class.name_of(cls), words.describe(given)))
  end
  return read_base(cls, given or {})
end

function Configured:new(...)
  local object = setmetatable({}, self)
  rawset(object, "args", self:read_arguments(...))
  if self.init then object:init(object.args) end
  return object
end

Configured.get = {
  class_name = function(self) return class.name_of(self) end,
}

--- The arguments from which an equal object can be made, by name.
function Configured:get_config()
  local config = {}
  for key, value in pairs(self.args) do
    if type(key) == "string" then config[key] = value end
  end
  return config
end

--- An equal object, from what get_config gave.
function Configured.from_config(cls, config) return cls(config) end

return Configured
