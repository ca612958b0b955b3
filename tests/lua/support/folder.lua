--- A temporary folder for the files of a spec.
--
--     local folder = require "folder"
--     local temporary = folder.new()       -- temporary "x.npy" is a path in it
--     temporary:remove()
local program = require "program"

local Folder = {}
Folder.__index = Folder
Folder.__call = function(self, name) return self.path .. "/" .. name end

function Folder:write(name, text)
  local file = assert(io.open(self(name), "wb"))
  file:write(text)
  file:close()
  return self(name)
end

function Folder:read(name)
  local file = assert(io.open(self(name), "rb"))
  local text = file:read "a"
  file:close()
  return text
end

--- The names of all files in it, hidden ones too, in alphabetical order.
function Folder:names()
  local _, text = program.shell("ls -A " .. program.quote(self.path))
  local names = {}
  for name in text:gmatch "[^\n]+" do names[#names + 1] = name end
  return names
end

function Folder:remove() os.execute("rm -rf " .. program.quote(self.path)) end

local M = {}

function M.new()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir " .. program.quote(path)))
  return setmetatable({ path = path }, Folder)
end

return M
