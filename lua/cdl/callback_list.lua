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

local function append(self, value, place, around)
  if value == false then return end
  if type(value) ~= "table" or class.is_class(value) then refuse(place, value) end
  local length = list_length(value, place)
  if length then
    around = around or {}
    if around[value] then core.raise(("%s is a list that holds itself"):format(place)) end
    around[value] = true
    for i = 1, length do append(self, value[i], ("%s[%d]"):format(place, i), around) end
    around[value] = nil
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

--- The first callback of that class, or nil.
function CallbackList:has(wanted)
  for _, callback in ipairs(self) do
    if class.is(callback, wanted) then return callback end
  end
end

-- Where an error was raised, in the loop's words.
local function place_of(callback, n, hook)
  local name, class_name = callback.name, class.name_of(callback)
  local who = type(name) == "string" and ("'%s'"):format(name) or tostring(n)
  return ("in callback %s%s, %s"):format(who, class_name and (" (%s)"):format(class_name) or "", hook)
end

local function introduce(self, callback)
  callback.model, callback.params = self.model, self.params
  callback.validation_data = self.validation_data
  self.hook = "set_model"
  if callback.set_model then callback:set_model(self.model) end
  self.hook = "set_params"
  if callback.set_params then callback:set_params(self.params) end
end

--- Calls f(...); an error of it is told to the callbacks as one within the loop is: `on_exception`, then
-- `on_exit`, whose own errors do not mask it. It is raised again.
function CallbackList:guard(model, f, ...)
  self.message = nil
  local results = table.pack(pcall(f, ...))
  if results[1] then return table.unpack(results, 2, results.n) end
  local message = self.message or tostring(results[2])
  for _, callback in ipairs(self) do
    callback.model = model
    if callback.on_exception then pcall(callback.on_exception, callback, message) end
  end
  for _, callback in ipairs(self) do
    if callback.on_exit then pcall(callback.on_exit, callback, "error") end
  end
  return error(results[2], 0)
end

--- Gives all callbacks the model, the run's parameters and the validation data, if any.
function CallbackList:start(model, params, validation_data)
  self.model, self.params, self.validation_data = model, params, validation_data
  for i, callback in ipairs(self) do
    local function explain(message)
      self.message = tostring(message)
      return debug.traceback(("%s\n%s"):format(self.message, place_of(callback, i, self.hook)), 2)
    end
    local ok, message = xpcall(introduce, explain, self, callback)
    if not ok then error(message, 0) end
  end
end

--- The key of each callback, in order: its name, or its class (`callback` without one) and its
-- number among those of that class. States are saved under it.
function CallbackList:keys()
  local keys, count, seen = {}, {}, {}
  for i, callback in ipairs(self) do
    local key = callback.name
    if type(key) ~= "string" then
      local base = class.name_of(callback) or "callback"
      count[base] = (count[base] or 0) + 1
      key = ("%s_%d"):format(base, count[base])
    end
    if seen[key] then
      core.raise(("callbacks %d and %d are both named '%s'; what is saved of them needs names that differ"):format(
        seen[key], i, key))
    end
    keys[i], seen[key] = key, i
  end
  return keys
end

--- The one callback that keeps the run in a folder (BackupAndRestore); nil: none.
function CallbackList:keeper()
  local found
  for _, callback in ipairs(self) do
    if class.name_of(callback) and callback.state_for then
      if found then
        core.raise(("two callbacks keep the run, in '%s' and in '%s'; one is enough"):format(found.backup_dir,
          callback.backup_dir))
      end
      found = callback
    end
  end
  return found
end

--- True when this run goes on with one that was cut short, and the callback gets its state of then
-- after on_train_begin: what it has in files should stay.
function CallbackList:will_restore(callback)
  local keeper = self:keeper()
  for i, key in ipairs(keeper and self:keys() or {}) do
    if self[i] == callback then return keeper:state_for(key) ~= nil end
  end
  return false
end

--- Adds a callback (or a list of them). In a run its hooks are called from the next epoch on.
function CallbackList:add(callback)
  local before = #self
  append(self, callback, "callbacks:add")
  if not self.model then return end
  for i = before + 1, #self do introduce(self, self[i]) end
end

return CallbackList
