--- `cdl verify-resume script.lua [args]`: proves on a user's own script that a run which is killed goes
-- on as if nothing had happened.
--
-- The script runs once as it is, then again, killed with SIGKILL at random places and started again,
-- until it ends. Each of its fits is kept in a temporary folder (cdl/verify_probe.lua), with a snapshot
-- after every few batches. What differs first between the two ends is named: an epoch's logs, a
-- weight, a slot of the optimizer, random numbers, a callback's state, a row of a CSV file, a scalar,
-- what the script prints after its last fit.
local core = require "cdl.core"
local probe = require "cdl.verify_probe"
local random = require "cdl.random"
local snapshot = require "cdl.snapshot"
local words = require "cdl.words"

local M = {}

local USAGE = [[
usage: cdl verify-resume [--kills N] [--seed N] script.lua [args]
Runs the script; runs it again, killed at random places and started again; compares the ends.

  --kills N  how often it is killed (default: 10)
  --seed N   of the script's random numbers and of the places (default: drawn)
]]

-- ---- what differs ----

local function literal(value)
  if type(value) == "number" then return ("%.9g"):format(value) end
  return words.literal(value)
end

-- The first element that differs between tensors, and how many do.
local function array_difference(a, b)
  if a.dtype ~= b.dtype or table.concat(a.shape, ", ") ~= table.concat(b.shape, ", ") then
    return ("was %s, is %s"):format(words.describe(a), words.describe(b))
  end
  if core.digest { a } == core.digest { b } then return nil end
  local before, now = a:flatten():totable(), b:flatten():totable()
  local first, count
  for i, value in ipairs(before) do
    if value ~= now[i] and (value == value or now[i] == now[i]) then first, count = first or i, (count or 0) + 1 end
  end
  if not first then return "differs in the bits of its numbers" end
  return ("%d of %d numbers differ; number %d was %s, is %s"):format(count, #before, first, literal(before[first]),
    literal(now[first]))
end

-- The first difference between two values, as words that begin with its place.
local function difference(place, a, b)
  if core.is_tensor(a) and core.is_tensor(b) then
    local found = array_difference(a, b)
    return found and ("%s: %s"):format(place, found)
  elseif not (words.is_plain(a) and words.is_plain(b)) then
    local same = a == b or (a ~= a and b ~= b)
    return not same and ("%s: was %s, is %s"):format(place, literal(a), literal(b)) or nil
  end
  local keys, seen = {}, {}
  for _, t in ipairs { a, b } do
    for key in pairs(t) do
      if not seen[key] then keys[#keys + 1], seen[key] = key, true end
    end
  end
  table.sort(keys, function(x, y)
    if type(x) ~= type(y) then return type(x) == "number" end
    return x < y
  end)
  for _, key in ipairs(keys) do
    local found = difference(("%s, %s"):format(place, tostring(key)), a[key], b[key])
    if found then return found end
  end
end

-- Logs differ first in the earliest epoch.
local function history_difference(a, b)
  local first, where
  for name, values in pairs(a.history) do
    for i, value in ipairs(values) do
      local found = difference(name, value, (b.history[name] or {})[i])
      local epoch = a.epochs_of[name][i]
      if found and (not first or epoch < first or (epoch == first and found < where)) then
        first, where = epoch, found
      end
    end
  end
  return first and ("the logs of epoch %d: %s"):format(first, where) or difference("the history", a, b)
end

local function weights_difference(a, b)
  for i, path in ipairs(a.paths) do
    local found = difference(("the weight '%s'"):format(path), a.weights[i], b.weights[i])
    if found then return found end
  end
  return difference("the optimizer", a.optimizers, b.optimizers) or difference("the steps of the model", a.step, b.step)
end

-- How long something took differs always.
local function is_timed(key) return key:find "^TimeLimit" ~= nil end

local function end_difference(a, b)
  local found = history_difference(a.callbacks.History_1 or {}, b.callbacks.History_1 or {})
    or weights_difference(a.model, b.model) or difference("the random numbers", a.random, b.random)
    or (not b.not_trained and difference("why training ended", a.stop_reason, b.stop_reason) or nil)
  for _, key in ipairs(not found and words.sorted_keys(a.callbacks) or {}) do
    local state, other = a.callbacks[key], b.callbacks[key]
    found = found or (not is_timed(key) and difference(("callback '%s'"):format(key), state, other))
  end
  for _, key in ipairs(not found and words.sorted_keys(a.files) or {}) do
    found = found or difference(("what callback '%s' has written"):format(key), a.files[key], b.files[key])
  end
  return found
end

-- ---- running ----

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read "a" or ""
  if file then file:close() end
  return text
end

local Verification = {}
Verification.__index = Verification

-- A number in [0, 1); the same ones for the same seed.
function Verification:random()
  self.draws = self.draws + 1
  return random.named("uniform", self.seed, "place " .. self.draws, { 1 }, "float64", { 0, 1 }):item()
end

-- Runs the script in the folder of that name; seconds: then it is killed. Its status, or nil: killed.
function Verification:run(name, seconds, frequency)
  local folder = self.folder .. "/" .. name
  core.make_folder(folder)
  local line = { core.executable(), "--seed", tostring(self.seed), table.unpack(self.script) }
  local status, signal = core.run_program(line, { probe.FOLDER .. "=" .. folder,
    ("%s=%d"):format(probe.FREQUENCY, frequency) }, folder .. "/output", folder .. "/errors", seconds)
  if status == nil and signal ~= 9 then
    error(("it was ended by signal %d\n%s"):format(signal, read(folder .. "/errors")), 0)
  end
  return status, folder
end

-- Where a run that was killed stood, as far as it was saved.
local function place_in(folder)
  local n = 1
  while core.path_kind(probe.record(folder, n)) do n = n + 1 end
  local path = probe.kept(folder, n) .. "/latest.safetensors"
  local found = core.path_kind(path) and snapshot.read(path)
  if not found then return ("before fit %d is saved"):format(n) end
  local fit = n > 1 and ("fit %d, "):format(n) or ""
  return ("saved: %sepoch %d, batch %d"):format(fit, found.epoch, found.batch)
end

-- The numbers of the fits that have ended in the folder, with their ends.
local function ends_in(folder)
  local ends = {}
  while core.path_kind(probe.record(folder, #ends + 1)) do
    local found, problem = snapshot.read(probe.record(folder, #ends + 1))
    if not found then error(problem, 0) end
    ends[#ends + 1] = found
  end
  return ends
end

local function output_difference(whole, cut, whole_end, cut_end)
  local before = read(whole .. "/output"):sub(whole_end.output + 1)
  local now = read(cut .. "/output"):sub(cut_end.output + 1)
  if before == now then return nil end
  local lines, i = {}, 0
  for line in before:gmatch "[^\n]*" do lines[#lines + 1] = line end
  for line in now:gmatch "[^\n]*" do
    i = i + 1
    if line ~= lines[i] then return ("line %d was %s, is %s"):format(i, literal(lines[i]), literal(line)) end
  end
  return ("%d bytes were printed, now %d"):format(#before, #now)
end

-- The first difference between two runs; nil: none.
local function compare(whole, cut)
  local before, now = ends_in(whole), ends_in(cut)
  for i, ended in ipairs(before) do
    if not now[i] then return ("fit %d has not ended"):format(i) end
    local found = end_difference(ended, now[i])
    if found then return #before > 1 and ("fit %d: %s"):format(i, found) or found end
  end
  if now[#before + 1] then return ("there is a fit more, number %d"):format(#before + 1) end
  local found = output_difference(whole, cut, before[#before], now[#before])
  return found and "what the script prints after its last fit: " .. found
end

-- What the run that ended said of a run that goes on.
local function warnings_in(folder)
  local texts = {}
  for line in read(folder .. "/errors"):gmatch "[^\n]+" do
    local starts = line:find("goes on", 1, true)
    if starts or (#texts > 0 and line:find "^  ") then texts[#texts + 1] = line end
  end
  return table.concat(texts, "\n")
end

local function say(...)
  print(...)
  io.stdout:flush()
end

-- Kills the script and starts it again until it ends; gives its folder.
function Verification:run_with_kills(round)
  local name = "round-" .. round
  while true do
    local seconds = math.max(0.001, self.seconds * self:random())
    if self.kills == self.wanted then seconds = 0 end
    local status, folder = self:run(name, seconds, 1 + math.floor(self:random() * 8))
    if status == 0 then return folder end
    if status then error(("after %d kills it ends with status %d\n%s"):format(self.kills, status,
      read(folder .. "/errors")), 0) end
    self.kills = self.kills + 1
    say(("kill %d of %d after %.2f s; %s"):format(self.kills, self.wanted, seconds, place_in(folder)))
  end
end

function Verification:verify()
  local begin = core.clock()
  local status, whole = self:run("whole", 0, 1 << 40)
  self.seconds = core.clock() - begin
  if status ~= 0 then error(("it ends with status %s, without being killed\n%s"):format(tostring(status),
    read(whole .. "/errors")), 0) end
  local fits = #ends_in(whole)
  if fits == 0 then error("it calls no fit that could be continued", 0) end
  say(("the script runs for %.2f s, with %d fit%s (seed %d)"):format(self.seconds, fits, fits > 1 and "s" or "",
    self.seed))
  local round = 0
  repeat
    round = round + 1
    local folder = self:run_with_kills(round)
    local found = compare(whole, folder)
    if found then
      return ("%s\n%s"):format(found, warnings_in(folder)):gsub("\n$", "")
    end
  until self.kills >= self.wanted
  say(("killed %d times in %d run%s: no difference"):format(self.kills, round, round > 1 and "s" or ""))
end

-- ---- the command ----

local function read_arguments(arguments)
  local options, i = { kills = 10 }, 1
  while arguments[i] and arguments[i]:find "^%-" do
    local name = arguments[i]:match "^%-%-(%l+)$"
    if name ~= "kills" and name ~= "seed" then
      return nil, ("%s: unknown option"):format(arguments[i])
    end
    local number = math.tointeger(tonumber(arguments[i + 1]))
    if not number or number < 0 then
      return nil, ("--%s: wanted a whole number, not negative, got '%s'"):format(name, arguments[i + 1] or "")
    end
    options[name], i = number, i + 2
  end
  if not arguments[i] then return nil, "a script is missing" end
  if core.path_kind(arguments[i]) ~= "file" then return nil, ("there is no script '%s'"):format(arguments[i]) end
  options.script = table.move(arguments, i, #arguments, 1, {})
  return options
end

local function remove_folder(path)
  for _, name in ipairs(core.list_folder(path) or {}) do
    local inner = path .. "/" .. name
    if core.path_kind(inner) == "folder" then remove_folder(inner) else os.remove(inner) end
  end
  os.remove(path)
end

--- Runs the command; gives its exit status: 0, 1 for a difference or a script that fails, 2 for wrong
-- arguments.
function M.run(arguments)
  if arguments[1] == "--help" then
    io.stdout:write(USAGE)
    return 0
  end
  local options, problem = read_arguments(arguments)
  if not options then
    io.stderr:write("cdl verify-resume: ", problem, "\ntry cdl verify-resume --help\n")
    return 2
  end
  local folder = os.tmpname()
  os.remove(folder)
  core.make_folder(folder)
  local verification = setmetatable({ folder = folder, script = options.script, wanted = options.kills, kills = 0,
    draws = 0, seed = options.seed or core.entropy() & 0xffffff }, Verification)
  local ok, found = pcall(verification.verify, verification)
  remove_folder(folder)
  if ok and not found then return 0 end
  io.stderr:write("cdl verify-resume: ", options.script[1], ": ", ok and "differs when it is killed: " or "",
    tostring(found), "\n")
  return 1
end

return M
