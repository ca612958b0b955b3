--- The pictures in a folder and in those below it, by class.
local core = require "cdl.core"
local words = require "cdl.words"

local M = {}

local function list(who, folder)
  local names, message = core.list_folder(folder)
  if not names then return core.raise(("%s: %s"):format(who, message)) end
  table.sort(names)
  return names
end

local function is_picture(name)
  local suffix = name:match "%.(%w+)$"
  suffix = suffix and suffix:lower()
  return suffix == "png" or suffix == "jpg" or suffix == "jpeg"
end

-- Adds a folder and those below it; links to folders are followed only when told.
local function walk(who, folder, follow_links, folders)
  folders[#folders + 1] = folder
  for _, name in ipairs(list(who, folder)) do
    local path = folder .. "/" .. name
    if core.path_kind(path) == "folder" and (follow_links or not core.is_link(path)) then
      if #folders > 100000 then core.raise(("%s: %s: links that go in a circle"):format(who, folder)) end
      walk(who, path, follow_links, folders)
    end
  end
  return folders
end

--- The paths of all pictures below a folder, in the order of Keras: folder by folder.
function M.pictures(who, folder, follow_links)
  local folders, paths = walk(who, folder, follow_links, {}), {}
  table.sort(folders)
  for _, place in ipairs(folders) do
    for _, name in ipairs(list(who, place)) do
      if is_picture(name) and core.path_kind(place .. "/" .. name) == "file" then
        paths[#paths + 1] = place .. "/" .. name
      end
    end
  end
  return paths
end

--- The names of the folders in a folder, hidden ones left out: its classes. `wanted`, a list of
-- them, decides their order.
function M.classes(who, folder, wanted)
  local found, known = {}, {}
  for _, name in ipairs(list(who, folder)) do
    if name:sub(1, 1) ~= "." and core.path_kind(folder .. "/" .. name) == "folder" then
      found[#found + 1], known[name] = name, true
    end
  end
  if not wanted then return found end
  for _, name in ipairs(wanted) do
    if not known[name] then
      core.raise(("%s: there is no folder %s in '%s'; there are %s"):format(who, words.literal(name), folder,
        #found > 0 and table.concat(found, ", ") or "none"))
    end
  end
  return table.move(wanted, 1, #wanted, 1, {})
end

--- The name of a folder without slashes at its end.
function M.trim(folder) return (folder:gsub("(.)/+$", "%1")) end

return M
