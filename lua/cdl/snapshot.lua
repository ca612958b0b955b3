--- Snapshots: the state of a training run in one file, from which it goes on with the same bits.
--
-- A snapshot is a table: where the run is (the epoch to run next, the batches of it that are done
-- already, and the position in the data), the model's weights, step counter and optimizers, the
-- running metrics, the random numbers' state, each callback's state() (History's is the history), and
-- what the run was made of, so that differences can be told. It is written as .safetensors: an array
-- for each tensor, named by its place in the table, and an array of bytes, `snapshot`, the rest as
-- text (cdl/serialize.lua). One file is one rename, so a snapshot is whole or not there.
local class = require "cdl.class"
local core = require "cdl.core"
local optimizers_of = require "cdl.optimizers.of_model"
local random = require "cdl.random"
local serialize = require "cdl.serialize"
local words = require "cdl.words"

local M = {}

local VERSION = 2
local TEXT = "snapshot" -- the name of the array that holds the text

-- ---- callbacks ----

-- The states of the callbacks that have one, by the callbacks' keys in the list.
local function states_of(list)
  local states = {}
  for i, key in ipairs(list:keys()) do
    local callback = list[i]
    if type(callback.state) == "function" then
      local state = callback:state()
      if type(state) ~= "table" then
        core.raise(("callback '%s': state() must return a table, got %s"):format(key, words.describe(state)))
      end
      states[key] = state
    end
  end
  return states
end

local function type_text(x) return ("%s {%s}"):format(x.dtype, table.concat(x.shape, ", ")) end

local function is_array(value) return core.is_variable(value) or core.is_tensor(value) end

local function copy_array(value, old)
  if core.is_tensor(old) and type_text(old) == type_text(value) then
    core.assign_into(old, value)
    return old
  end
  return core.is_variable(value) and core.value(value) or core.copy(value)
end

-- A copy that later changes of tables, tensors and variables do not reach. old: a former copy, whose
-- tensors may be overwritten.
local function copy(value, old)
  if is_array(value) then return copy_array(value, old) end
  if not words.is_plain(value) then return value end
  old = words.is_plain(old) and old or nil
  local result = {}
  for key, entry in next, value do
    result[key] = type(entry) == "number" and entry or copy(entry, old and old[key])
  end
  return result
end

M.copy = copy

local width = { float64 = 8, int64 = 8, float32 = 4, int32 = 4, uint8 = 1, bool = 1 }

--- The bytes of the tensors and variables in it.
function M.bytes(value)
  if is_array(value) then return width[value.dtype] * value.size end
  local sum = 0
  for _, entry in next, words.is_plain(value) and value or {} do
    if type(entry) ~= "number" then sum = sum + M.bytes(entry) end
  end
  return sum
end

-- Gives the callbacks their states; a state may be given several times.
local function restore_callbacks(states, list)
  for i, key in ipairs(list:keys()) do
    local callback = list[i]
    if states[key] and callback.load_state then callback:load_state(copy(states[key])) end
  end
end

-- ---- the model ----

local function optimizer_state(entry)
  local optimizer, numbers = entry.optimizer, {}
  for name in pairs(optimizer._numeric) do
    local driven = name == "learning_rate" and optimizer._schedule
    if not driven then numbers[name] = optimizer[name] end
  end
  return { name = entry.name, class = class.name_of(optimizer), numbers = numbers,
    scheduled = optimizer._schedule ~= nil, variables = optimizer.variables }
end

-- The model's part: its variables themselves, which are read when the snapshot is written.
local function state_of_model(model)
  local paths, optimizers = {}, {}
  for i, variable in ipairs(model.weights) do paths[i] = variable.path end
  for i, entry in ipairs(optimizers_of(model)) do optimizers[i] = optimizer_state(entry) end
  return { fits = model._fits or 0, number = model.number, step = rawget(model, "_steps"), paths = paths,
    weights = model.weights, states = model:state_variables(), optimizers = optimizers }
end

-- The first difference between arrays and the variables that they are for, in words; nil: none.
local function misfit(arrays, names, variables)
  for i = 1, math.max(#arrays, #variables) do
    local array, variable = arrays[i], variables[i]
    if not array then return ("'%s' is missing there"):format(variable.path) end
    if not variable then return ("'%s' is there but not here"):format(names[i] or i) end
    if type_text(array) ~= type_text(variable) then
      return ("number %d is '%s', %s, there and '%s', %s, here"):format(i, names[i] or i, type_text(array),
        variable.path, type_text(variable))
    end
  end
end

local function assign_all(variables, arrays)
  for i, variable in ipairs(variables) do core.assign(variable, arrays[i]) end
end

-- Why an optimizer cannot take over the state; nil: it can.
local function optimizer_misfit(saved, optimizer)
  if saved.class ~= class.name_of(optimizer) then
    return ("it was %s and is %s"):format(saved.class, class.name_of(optimizer))
  end
  for name, value in pairs(saved.numbers) do
    if optimizer[name] == nil then return ("%s was %s and is not given"):format(name, words.literal(value)) end
  end
end

local function restore_optimizer(saved, optimizer)
  local problem = optimizer_misfit(saved, optimizer)
  if problem then return problem end
  if not saved.scheduled and optimizer._schedule then optimizer:set_schedule(nil) end
  if saved.scheduled and not optimizer._schedule then return "a schedule drove its learning rate" end
  for name, value in pairs(saved.numbers) do
    if optimizer[name] ~= value then optimizer[name] = value end
  end
  problem = misfit(saved.variables, {}, optimizer.variables)
  if not problem then assign_all(optimizer.variables, saved.variables) end
  return problem
end

--- What must be as it was before the model is built and the data are read: the seed, the number
-- of the fit that comes, and the model's number, by which its random streams are named. Gives a
-- list of differences, in words.
function M.prepare(contents, model)
  local before, now, differences = contents.random, random.state(), {}
  if before.given and now.given and before.seed ~= now.seed then
    differences[1] = ("the seed: was %d, is %d; the run keeps the old one"):format(before.seed, now.seed)
  end
  model._fits = contents.model.fits - 1
  random.load_seed(contents.random)
  if not rawget(model, "number") then rawset(model, "number", contents.model.number) end
  return differences
end

-- Puts weights, optimizers and counters into the model. Raises when the weights are other ones;
-- an optimizer that does not fit begins anew, and is named in the list that is returned.
local function restore_model(saved, model, where)
  local states = model:state_variables()
  local problem = misfit(saved.weights, saved.paths, model.weights) or misfit(saved.states or {}, {}, states)
  if problem then
    core.raise(("%s is of another model than '%s': of the weights, %s"):format(where, model.name, problem))
  end
  assign_all(model.weights, saved.weights)
  assign_all(states, saved.states or {})
  model._fits = saved.fits
  local steps = rawget(model, "_steps")
  if steps and saved.step then core.assign(steps, saved.step) end
  local by_name, differences = {}, {}
  for _, entry in ipairs(optimizers_of(model)) do by_name[entry.name] = entry.optimizer end
  for _, state in ipairs(saved.optimizers) do
    problem = by_name[state.name] and restore_optimizer(state, by_name[state.name])
      or (not by_name[state.name] and "it is missing here")
    if problem then differences[#differences + 1] = ("the optimizer '%s': %s"):format(state.name, problem) end
  end
  return differences
end

-- ---- running metrics ----

local function trackers_of(model)
  local trackers = rawget(model, "_trackers")
  return trackers and trackers.list or {}
end

local function state_of_metrics(model)
  local states = {}
  for _, tracker in ipairs(trackers_of(model)) do states[tracker.name] = tracker.metric.variables end
  return states
end

-- Puts the running metrics of an epoch back; adds differences, in words.
local function restore_metrics(saved, model, differences)
  local seen = {}
  for _, tracker in ipairs(trackers_of(model)) do
    local arrays, variables = saved[tracker.name], tracker.metric.variables
    seen[tracker.name] = true
    local problem = not arrays and "is new" or misfit(arrays, {}, variables)
    if problem then
      differences[#differences + 1] = ("the metric '%s': %s"):format(tracker.name, problem)
    else
      assign_all(variables, arrays)
    end
  end
  for _, name in ipairs(words.sorted_keys(saved)) do
    if not seen[name] then differences[#differences + 1] = ("the metric '%s': is missing"):format(name) end
  end
end

-- ---- the whole run ----

--- The state of a run whose callbacks are `list` (nil: driven by hand). place: {epoch =, batch =}, and
-- in a fit {pass =, drawn =}, the position in the data; data: generators that have a state, by
-- mode. Variables stand there themselves.
function M.take(model, list, place, data)
  local states = {}
  for mode, part in pairs(data or {}) do states[mode] = part.state() end
  return { epoch = place.epoch, batch = place.batch, pass = place.pass or 0, drawn = place.drawn or 0,
    stop = model.stop_training == true, steps = list and list.params and list.params.steps,
    model = state_of_model(model), metrics = place.batch > 0 and state_of_metrics(model) or {},
    callbacks = list and states_of(list) or {}, data = states, random = random.state() }
end

--- Puts model, callbacks, data and random numbers into that state; gives differences, in words.
-- where: what the state is called in messages.
function M.restore(contents, model, list, data, where)
  local differences = restore_model(contents.model, model, where)
  if contents.batch > 0 then restore_metrics(contents.metrics, model, differences) end
  if list then
    restore_callbacks(contents.callbacks, list)
    if list.params and list.params.steps == nil then list.params.steps = contents.steps end
  end
  for mode, state in pairs(contents.data) do
    if data and data[mode] then data[mode].load_state(copy(state)) end
  end
  random.load_state(contents.random)
  return differences
end

-- ---- what the run is made of ----

local function script_digest()
  local arguments = rawget(_G, "arg")
  local path = arguments and arguments[0]
  local file = type(path) == "string" and core.path_kind(path) == "file" and io.open(path, "rb")
  if not file then return nil end
  local text = file:read "a"
  file:close()
  return ("%016x"):format(core.hash(text))
end

--- What decides the numbers of a run besides its state. tensors: its data, nil when they come
-- batch by batch; options: numbers and words by name.
function M.identity(tensors, options)
  local version, kernels = core.program()
  return { script = script_digest(), data = tensors and core.digest(tensors), options = options,
    ["the program"] = version, ["the kernels"] = kernels }
end

--- What differs between two identities, in words.
function M.differences(before, now)
  local list = {}
  if before.options == nil then return list end -- written outside of a fit
  for _, name in ipairs { "script", "data" } do
    if before[name] and now[name] and before[name] ~= now[name] then
      list[#list + 1] = ("the %s: %s"):format(name, name == "script" and "its text has changed" or "others")
    end
  end
  local function compare(name, a, b)
    if a ~= b then
      list[#list + 1] = ("%s: was %s, is %s"):format(name, words.literal(a), words.literal(b))
    end
  end
  for _, name in ipairs { "the program", "the kernels" } do compare(name, before[name], now[name]) end
  local names = {}
  for name in pairs(before.options) do names[name] = true end
  for name in pairs(now.options) do names[name] = true end
  for _, name in ipairs(words.sorted_keys(names)) do
    compare(name, before.options[name], now.options[name])
  end
  return list
end

--- Callbacks whose state is in one of the two only, in words.
function M.other_callbacks(states, list)
  local here, differences = {}, {}
  for i, key in ipairs(list:keys()) do
    here[key] = true
    if type(list[i].state) == "function" and not states[key] then
      differences[#differences + 1] = ("callback '%s': is new"):format(key)
    end
  end
  for _, key in ipairs(words.sorted_keys(states)) do
    if not here[key] then differences[#differences + 1] = ("callback '%s': is missing"):format(key) end
  end
  return differences
end

-- ---- files ----

--- Writes a snapshot, all or nothing; nil and the reason when that fails. aside: the state of now is
-- written while the program goes on; gives what does it (core.saver_look tells how it ends).
function M.write(path, contents, aside)
  contents.version = VERSION
  local names, tensors, taken = { TEXT }, {}, { [TEXT] = true }
  local text = serialize.write(contents, "the run's state", function(value, place)
    if not core.is_variable(value) and not (core.is_tensor(value) and value.kind == "eager") then return nil end
    local n = #names + 1
    local name = (taken[place] or not utf8.len(place)) and ("array %d"):format(n) or place
    names[n], tensors[n], taken[name] = name, value, true
    return name
  end)
  tensors[1] = core.bytes_tensor(text)
  local saver = aside and core.safetensors_save_aside(path, names, tensors)
  if saver then return saver end
  return core.safetensors_save(path, names, tensors, {}, {})
end

local function check(contents)
  if type(contents) ~= "table" then return "it holds no snapshot" end
  if contents.version ~= VERSION then
    return ("it is of version %s; this program reads version %d"):format(tostring(contents.version), VERSION)
  end
  for _, name in ipairs { "model", "metrics", "callbacks", "data", "random", "identity" } do
    if type(contents[name]) ~= "table" then return ("its part '%s' is missing"):format(name) end
  end
  for _, name in ipairs { "epoch", "batch", "pass", "drawn" } do
    if math.type(contents[name]) ~= "integer" then return ("its number '%s' is missing"):format(name) end
  end
end

--- The snapshot in a file; nil and the reason, which names the file, when there is none.
function M.read(path)
  local arrays, problem = core.safetensors_load(path)
  if not arrays then return nil, problem end
  local bytes = arrays[TEXT]
  if not bytes or bytes.dtype ~= "uint8" or bytes.ndim ~= 1 then return nil, path .. ": it holds no snapshot" end
  local contents
  contents, problem = serialize.read(core.tensor_bytes(bytes), function(name) return arrays[name] end)
  problem = not contents and problem or check(contents)
  if problem then return nil, ("%s: %s"):format(path, problem) end
  return contents
end

return M
