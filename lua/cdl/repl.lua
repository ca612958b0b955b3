--- The prompt: reads, runs, prints.
local complete = require "cdl.complete"
local editor = require "cdl.editor"
local help = require "cdl.help"
local pretty = require "cdl.pretty"

local M = {}

local PROMPT, CONTINUED = "> ", ">> "

local GLOBALS = { "layers", "models", "callbacks", "optimizers", "schedules", "losses", "metrics",
  "initializers", "regularizers", "constraints", "activations", "datasets", "data", "utils",
  "random", "ops" }

-- What the prompt has as globals beside Lua's own; a script's globals of that name win.
local function set_globals()
  local globals = { cdl = require "cdl", help = help.help }
  for _, name in ipairs(GLOBALS) do globals[name] = globals.cdl[name] end
  for name, value in pairs(globals) do
    if rawget(_G, name) == nil then rawset(_G, name, value) end
  end
end

--- Compiles a piece of input: an expression or statements. Without a chunk the second value is
-- the message, nil when the piece is only not finished yet.
function M.compile(text)
  local chunk, as_expression = load("return " .. text, "=stdin", "t")
  if chunk then return chunk end
  local message
  chunk, message = load(text, "=stdin", "t")
  if chunk then return chunk end
  if message:find "<eof>$" or as_expression:find "<eof>$" then return nil end
  return nil, message
end

-- The frames of a traceback that are the user's: not the prompt's own, nor Lua's machinery.
local function user_frames(traceback)
  local frames = {}
  for frame in traceback:gmatch "\n\t([^\n]+)" do
    if not frame:find "^cdl/" and not frame:find "^%[C%]" and not frame:find "^stdin:%d+: in main"
      and not frame:find "^%(%.%.%." then
      frames[#frames + 1] = "\t" .. frame
    end
  end
  return frames
end

local function explain(err)
  local meta = type(err) == "table" and getmetatable(err)
  local text = (type(err) == "string" or meta and meta.__tostring) and tostring(err)
    or ("(error object is a %s value)"):format(type(err))
  local frames = user_frames(debug.traceback("", 2))
  if #frames > 0 then text = text .. "\nstack traceback:\n" .. table.concat(frames, "\n") end
  return text
end

local function print_error(text)
  io.stdout:flush()
  io.stderr:write(text, "\n")
end

local function print_values(count, ...)
  if count == 0 then return end
  rawset(_G, "_", (...))
  local parts = {}
  for i = 1, count do parts[i] = pretty.show((select(i, ...))) end
  print(table.concat(parts, "\t"))
end

local function finish(ok, ...)
  if not ok then return print_error((...)) end
  local count = select("#", ...)
  local shown, message = xpcall(print_values, explain, count, ...)
  if not shown then print_error(message) end
end

-- One line, and what came before it: returns what is still unfinished, or nil.
local function take(pending, line)
  local text = pending and pending .. "\n" .. line or line
  if text:find "^%s*$" then return nil end
  local chunk, message = M.compile(text)
  if chunk then
    finish(xpcall(chunk, explain))
  elseif message then
    print_error(message)
  else
    return text
  end
end

--- Runs until the input ends. Ctrl-C drops the line that is being typed or interrupts the code
-- that is running.
function M.run(version)
  local pending
  set_globals()
  editor.open(function(text)
    return complete.complete(pending and pending .. "\n" .. text or text)
  end)
  print(("cdl %s (%s). help() tells what there is, Ctrl-D ends."):format(version, _VERSION))
  while true do
    local line, reason = editor.read(pending and CONTINUED or PROMPT)
    if line then
      if line:find "%S" then editor.remember(line) end
      -- A signal may also come between two instructions of this loop.
      local ok, result = pcall(take, pending, line)
      pending = ok and result or nil
      if editor.clear_signals() and not ok then print_error "interrupted" end
    elseif reason == "interrupted" then
      pending = nil
    else
      break
    end
  end
  editor.close()
end

return M
