--- Runs the program under test (the one that runs the specs) as a user would.
local M = {}

local function program_path()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return arg[first]
end
M.path = program_path()

--- A word of a shell command.
function M.quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local function write_file(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

local function take_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  os.remove(path)
  return text
end

--- Runs a shell command; gives its status (128 + n when a signal ended it), output and errors.
function M.shell(command, input)
  local base = os.tmpname()
  local out, err, from = base .. ".out", base .. ".err", base
  write_file(from, input or "")
  local _, how, code = os.execute(("( %s ) <%s >%s 2>%s"):format(command, from, out, err))
  os.remove(from)
  return how == "signal" and 128 + code or code, take_file(out), take_file(err)
end

--- Runs cdl with a list of arguments and a text as its standard input.
function M.run(arguments, input)
  local words = { M.quote(M.path) }
  for i, argument in ipairs(arguments) do words[i + 1] = M.quote(argument) end
  return M.shell(table.concat(words, " "), input)
end

--- Calls f with the path of a temporary file with that text.
function M.with_file(text, f)
  local path = os.tmpname()
  write_file(path, text)
  local ok, err = xpcall(f, debug.traceback, path)
  os.remove(path)
  if not ok then error(err, 0) end
end

return M
