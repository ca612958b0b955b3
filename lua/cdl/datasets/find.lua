--- Where the files of a data set are on this machine.
--
-- A set is { name =, forms =, folders =, flat =, get = }: the forms in which it is handed out, each
-- { files = {...} }; the folders (below a data folder) that are its own; whether a data folder of
-- that name may hold the files itself; and how to get them. Each file may also be there without
-- its ".gz". `elsewhere`, a list of folders, is looked at last; `what` is how a message calls the set.
local core = require "cdl.core"

local M = {}

local SYSTEM = { "/usr/local/share/datasets", "/usr/share/datasets" }

-- The data folders in the order of search, and how each is called in a message.
local function data_folders()
  local folders = {}
  local own, home = os.getenv "CDL_DATA", os.getenv "HOME"
  if own and own ~= "" then folders[1] = own:gsub("(.)/+$", "%1") end
  if home and home ~= "" then
    folders[#folders + 1] = home .. "/.cdl/datasets"
    folders[#folders + 1] = home .. "/.keras/datasets"
  end
  return table.move(SYSTEM, 1, #SYSTEM, #folders + 1, folders)
end

-- The path of a file in a folder, plain or compressed; nil when it is not there.
local function find_file(folder, file)
  for _, name in ipairs { file, (file:gsub("%.gz$", "")) } do
    local path = folder .. "/" .. name
    if core.path_kind(path) == "file" then return path end
  end
  return nil
end

-- The paths of all files in a folder; or nil and those that are missing.
local function find_all(folder, files)
  local paths, missing = {}, {}
  for i, file in ipairs(files) do
    paths[i] = find_file(folder, file)
    if not paths[i] then missing[#missing + 1] = file end
  end
  if #missing > 0 then return nil, missing end
  return paths
end

-- The folders that may hold the set, in the order of search.
local function candidates(set)
  local list = {}
  for _, folder in ipairs(data_folders()) do
    for _, name in ipairs(set.folders) do list[#list + 1] = folder .. "/" .. name end
    if set.flat(folder:match "[^/]*$":lower()) then list[#list + 1] = folder end
  end
  for _, folder in ipairs(set.elsewhere or {}) do list[#list + 1] = folder end
  return list
end

local function list_files(forms)
  local lists = {}
  for i, form in ipairs(forms) do lists[i] = "  " .. table.concat(form.files, "\n  ") end
  return table.concat(lists, "\nor\n")
end

-- The text of the error: what is wanted, where it was looked for, what was incomplete.
local function describe_absence(set, list, partial)
  local files = list_files(set.forms)
  local lines = {
    ("%s: %s not on this machine. Wanted are the files"):format(set.name, set.what or "the data set is"),
    files,
    (files:find "%.gz" and "(or the same without .gz) " or "") .. "in one of the folders",
  }
  local own = os.getenv "CDL_DATA"
  if not own or own == "" then
    lines[#lines + 1] = ("  $CDL_DATA/%s  (CDL_DATA is not set)"):format(set.folders[1])
  end
  for _, folder in ipairs(list) do
    local note = partial[folder] and ("  (without %s)"):format(table.concat(partial[folder], ", ")) or ""
    lines[#lines + 1] = "  " .. folder .. note
  end
  lines[#lines + 1] = "To get them: " .. set.get
  return table.concat(lines, "\n")
end

-- A form whose one file is given with its folder is taken as it is.
local function given_path(set)
  for _, form in ipairs(set.forms) do
    local file = form.files[1]
    if #form.files == 1 and file:find("/", 1, true) and core.path_kind(file) == "file" then return { file }, form end
  end
end

--- The paths of the set's files, in their order, and the form that they are; raises when those of
-- no form are all in one folder.
function M.paths(set)
  local given, its_form = given_path(set)
  if given then return given, its_form end
  local list, partial = candidates(set), {}
  for _, folder in ipairs(list) do
    for _, form in ipairs(set.forms) do
      local paths, missing = find_all(folder, form.files)
      if paths then return paths, form end
      if #missing < #form.files then partial[folder] = missing end
    end
  end
  return core.raise(describe_absence(set, list, partial))
end

return M
