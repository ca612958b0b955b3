--- Runs the Lua specs with busted, inside cdl:
--
--     build/cdl tests/run.lua [busted's options] [files or folders, default tests/lua]
--
-- Beside failing tests, a global that a module of cdl reads undefined or writes, and tensors
-- that are still alive when everything has been let go, fail the run.
local core = require "cdl.core"

local folder = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = folder .. "/lua/support/?.lua;" .. package.path

local function names_files()
  for _, argument in ipairs(arg) do
    if argument:sub(1, 1) ~= "-" and (argument:find "%.lua$" or argument:find "tests") then
      return true
    end
  end
end
if not names_files() then table.insert(arg, folder .. "/lua") end

-- Modules that are here before the tests: the ones not let go at the end.
local own_modules = {}
for name in pairs(package.loaded) do own_modules[name] = true end

local counts = { success = 0, failure = 0, error = 0, pending = 0, other = 0 }

-- busted offers no way to listen before it has started, so its core is wrapped.
local make_core = require "busted.core"
package.loaded["busted.core"] = function(...)
  local busted = make_core(...)
  busted.subscribe({ "test", "end" }, function(_, _, status)
    counts[status] = counts[status] + 1
    return nil, true
  end)
  -- Errors outside a test: a file that cannot be loaded, a failing setup.
  local function count_other(element)
    if element.descriptor ~= "it" then counts.other = counts.other + 1 end
    return nil, true
  end
  busted.subscribe({ "error" }, count_other)
  busted.subscribe({ "failure" }, count_other)
  return busted
end

-- busted ends the process itself when something failed; here that only ends its run.
local ENDED = {}
require("busted.compatibility").exit = function(code) error(setmetatable({ code = code }, ENDED)) end

local function is_of_cdl(level)
  local info = debug.getinfo(level + 1, "S")
  return info and info.source:sub(1, 5) == "=cdl/"
end
setmetatable(_G, {
  __index = function(_, name)
    if is_of_cdl(2) then error(("global '%s' is read but not defined"):format(tostring(name)), 2) end
  end,
  __newindex = function(globals, name, value)
    if is_of_cdl(2) then error(("global '%s' is written"):format(tostring(name)), 2) end
    rawset(globals, name, value)
  end,
})

local function run_busted()
  local runner = require "busted.runner"
  local ok, err = xpcall(function() runner { standalone = false } end, function(err)
    return getmetatable(err) == ENDED and err or debug.traceback(tostring(err), 2)
  end)
  if ok then return 0 end
  if getmetatable(err) == ENDED then return err.code end
  io.stderr:write(err, "\n")
  return 1
end

local code = run_busted()

-- Nothing may keep a tensor but the modules, and they are let go here.
for name in pairs(package.loaded) do
  if not own_modules[name] then package.loaded[name] = nil end
end
setmetatable(_G, nil)
for _ = 1, 3 do collectgarbage() end
local alive = core.tensors_alive()

local failed = counts.failure + counts.error + counts.other
io.stdout:write("\n")
if alive > 0 then
  print("tensors still alive after the run: " .. alive)
end
local pending = counts.pending > 0 and (", %d pending"):format(counts.pending) or ""
print(("%d passed, %d failed%s"):format(counts.success, failed, pending))
if code ~= 0 or failed > 0 or alive > 0 or counts.success == 0 then
  io.stdout:flush()
  os.exit(1)
end
