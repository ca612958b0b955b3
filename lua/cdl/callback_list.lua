--- The callbacks of one run, in the order in which they are called.
--
-- While a fit runs its list is `model.callbacks`; `model.callbacks:add(cb)` adds one, which
-- takes part from the next epoch on.
local class = require "cdl.class"
local core = require "cdl.core"
local words = require "cdl.words"

local CallbackList = class "CallbackList"

local hooks = core.hook_names()
local known = { on_batch_begin = true, on_batch_end = true }
for _, name in ipairs(hooks) do known[name] = true end

local hook_names = { "on_batch_begin", "on_batch_end", table.unpack(hooks) }

-- Every on_ name that the object has, its own or inherited, must be a hook's.
local function check_names(callback, place)
  local level = callback
  while type(level) == "table" do
    for name in next, level do
      if type(name) == "string" and name:find "^on_" and not known[name] then
        core.raise(("%s: there is no hook '%s'%s"):format(place, name,
          words.suggestion(name, hook_names)))
      end
    end
    local meta = getmetatable(level)
    if not meta then break end
    level = class.is_class(level) and level.super or (class.is_class(meta) and meta) or meta.__index
  end
end

local function refuse(place, value)
  core.raise(("%s: wanted a callback or a list of them, got %s"):format(place,
    class.is_class(value) and ("the class %s; make one: %s{...}"):format(value.__name, value.__name)
    or words.describe(value)))
end

-- Whether a plain table is a list; lists have no named entries, callbacks no array part.
local function list_length(value, place)
  if not words.is_plain(value) then return nil end
  local last, names = 0, false
  for key in pairs(value) do
    if math.type(key) == "integer" and key >= 1 then last = math.max(last, key) else names = true end
  end
  if last > 0 and names then
    core.raise(("%s: a table with both list entries and names is neither a list nor a callback"):format(
      place))
  end
  return (last > 0 or not names) and last or nil
end

local function append(self, value, place)
  if value == false then return end
  if type(value) ~= "table" or class.is_class(value) then refuse(place, value) end
  local length = list_length(value, place)
  if length then
    for i = 1, length do append(self, value[i], ("%s[%d]"):format(place, i)) end
    return
  end
  if self.places[value] then
    core.raise(("%s is the same callback as %s"):format(place, self.places[value]))
  end
  check_names(value, place)
  self.places[value] = place
  self[#self + 1] = value
end

--- where: the call, for messages ("fit"). callbacks: a callback or a list of them, which may
-- hold further lists; false is skipped.
function CallbackList:init(where, callbacks)
  rawset(self, "places", {})
  if callbacks ~= nil then append(self, callbacks, where .. ": callbacks") end
end

--- True when one of the callbacks is of that class.
function CallbackList:has(wanted)
  for _, callback in ipairs(self) do
    if class.is(callback, wanted) then return callback end
  end
end

local function introduce(self, callback)
  callback.model, callback.params = self.model, self.params
  callback.validation_data = self.validation_data
  if callback.set_model then callback:set_model(self.model) end
  if callback.set_params then callback:set_params(self.params) end
end

--- Gives all callbacks the model, the run's parameters and the validation data, if any.
function CallbackList:start(model, params, validation_data)
  self.model, self.params, self.validation_data = model, params, validation_data
  for _, callback in ipairs(self) do introduce(self, callback) end
end

--- Adds a callback (or a list of them). In a run its hooks are called from the next epoch on.
function CallbackList:add(callback)
  local before = #self
  append(self, callback, "callbacks:add")
  if not self.model then return end
  for i = before + 1, #self do introduce(self, self[i]) end
end

return CallbackList
