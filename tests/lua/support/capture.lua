--- What a function prints, warns or raises.
local core = require "cdl.core"

local M = {}

local function with(owner, name, replacement, f)
  local original = owner[name]
  rawset(owner, name, replacement)
  local ok, problem = pcall(f)
  rawset(owner, name, original)
  if not ok then error(problem, 0) end
end

--- The lines that f prints, as one string.
function M.printed(f)
  local lines = {}
  with(_G, "print", function(...)
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = tostring(parts[i]) end
    lines[#lines + 1] = table.concat(parts, "\t")
  end, f)
  return table.concat(lines, "\n")
end

--- The warnings that f gives, one a line.
function M.warned(f)
  local texts = {}
  with(core, "warn", function(text) texts[#texts + 1] = text end, f)
  return table.concat(texts, "\n")
end

--- The message of the error that f(...) must raise.
function M.problem_of(f, ...)
  local ok, problem = pcall(f, ...)
  if ok then error("no error was raised", 2) end
  return problem
end

--- Calls f with a function of core replaced.
function M.with_core(name, replacement, f) with(core, name, replacement, f) end

return M
