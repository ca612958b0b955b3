--- `cdl board FOLDER [options of tensorboard]`: starts the TensorBoard that is installed.
local core = require "cdl.core"

local HELP = [[
usage: cdl board FOLDER [options of tensorboard]
Shows the runs below a folder in TensorBoard. Without TensorBoard: cdl plot FOLDER.
]]

local MISSING = [[
cdl: TensorBoard is not installed here. To install it into a folder of its own:
    python3 -m venv ~/.venv/tensorboard
    ~/.venv/tensorboard/bin/pip install tensorboard
    PATH=~/.venv/tensorboard/bin:$PATH cdl board %s
Without it, the curves can be seen with: cdl plot %s
]]

local function quote(word) return "'" .. word:gsub("'", "'\\''") .. "'" end

local function succeeds(command) return (os.execute(command .. " >/dev/null 2>&1")) == true end

-- The command that starts TensorBoard, or nil.
local function find_program()
  if succeeds "command -v tensorboard" then return "tensorboard" end
  if succeeds "python3 -c 'import tensorboard.main'" then return "python3 -m tensorboard.main" end
end

local M = {}

--- The command; gives the exit status.
function M.run(arguments)
  local folder = arguments[1]
  if folder == "--help" or folder == "-h" then
    io.write(HELP)
    return 0
  elseif not folder then
    io.stderr:write("cdl: board: the folder is missing\n", HELP)
    return 2
  elseif core.path_kind(folder) ~= "folder" then
    io.stderr:write(("cdl: board: there is no folder '%s'\n"):format(folder))
    return 1
  end
  local program = find_program()
  if not program then
    io.stderr:write(MISSING:format(quote(folder), quote(folder)))
    return 1
  end
  local words = { "exec", program, "--logdir", quote(folder) }
  for i = 2, #arguments do words[#words + 1] = quote(arguments[i]) end
  local _, how, code = os.execute(table.concat(words, " "))
  return how == "exit" and code or 128 + code
end

return M
