--- `cdl plot FILE.csv|FOLDER [names]`: curves in the terminal, or as a picture.
local core = require "cdl.core"
local curves = require "cdl.plot.curves"
local words = require "cdl.words"

local HELP = [[
usage: cdl plot FILE.csv|FOLDER [options] [names]
Draws the columns of a CSVLogger's file, or the scalars of the TensorBoard runs below a folder. With names, the
curves whose names hold one of them; else, of a folder, those of epochs.

  --svg FILE    write an SVG picture
  --png FILE    write a PNG picture
  --width N     characters in a line (default: the terminal's)
  --height N    rows of a chart (default: 12)
]]

local OPTIONS = { "--svg", "--png", "--width", "--height", "--help" }

local Problem = {}

local function usage(format, ...) error(setmetatable({ text = format:format(...) }, Problem), 0) end

local function read_size(name, value, least)
  local n = tonumber(value)
  if not math.type(n) or n ~= math.floor(n) or n < least or n > 10000 then
    usage("%s: wanted a whole number from %d to 10000, got '%s'", name, least, value)
  end
  return math.tointeger(n)
end

local function read_arguments(arguments)
  local options, places, i = { names = {} }, {}, 1
  while i <= #arguments do
    local word = arguments[i]
    local name, value = word:match "^(%-%-%a+)=(.*)$"
    name = name or word:match "^%-%-?%a+$"
    if not name then
      places[#places + 1] = word
    elseif name == "--help" or name == "-h" then
      options.help = true
    elseif not (" " .. table.concat(OPTIONS, " ") .. " "):find(" " .. name .. " ", 1, true) then
      usage("unknown option '%s'%s", name, words.suggestion(name, OPTIONS))
    else
      if not value then
        i = i + 1
        value = arguments[i] or usage("%s: the value is missing", name)
      end
      options[name:sub(3)] = value
    end
    i = i + 1
  end
  options.width = options.width and read_size("--width", options.width, 20)
  options.height = options.height and read_size("--height", options.height, 3)
  options.path = places[1]
  options.names = table.move(places, 2, #places, 1, {})
  return options
end

local function show(charts, options)
  local terminal = require "cdl.plot.terminal"
  local columns = core.terminal_width()
  for i, chart in ipairs(charts) do
    if i > 1 then io.write "\n" end
    local lines = terminal.draw(chart, options.width or columns or 80, options.height or 12, columns ~= nil)
    io.write(table.concat(lines, "\n"), "\n")
  end
end

local function write(path, content)
  local ok, problem = core.write_text(path, content)
  if not ok then error(setmetatable({ text = problem, status = 1 }, Problem), 0) end
  print(path)
end

local function run(arguments)
  local options = read_arguments(arguments)
  if options.help then
    io.write(HELP)
    return
  elseif not options.path then
    usage "the file or folder is missing"
  end
  local charts, problem = curves.load(options.path, options.names)
  if not charts then error(setmetatable({ text = problem, status = 1 }, Problem), 0) end
  if options.svg then write(options.svg, require "cdl.plot.figure".svg(charts)) end
  if options.png then write(options.png, require "cdl.plot.figure".png(charts)) end
  if not (options.svg or options.png) then show(charts, options) end
end

local M = {}

--- The command; gives the exit status.
function M.run(arguments)
  local ok, problem = pcall(run, arguments)
  if ok then return 0 end
  if getmetatable(problem) ~= Problem then error(problem, 0) end
  io.stderr:write("cdl: plot: ", problem.text, "\n")
  if not problem.status then io.stderr:write "try cdl plot --help\n" end
  return problem.status or 2
end

return M
