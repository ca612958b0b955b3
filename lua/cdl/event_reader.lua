--- Reads TensorBoard's event files, cdl's own and those that others have written.
--
-- A file that ends in the middle of a record is read up to there; so is one with a record that is damaged, with a
-- warning.
local core = require "cdl.core"
local protobuf = require "cdl.protobuf"

local M = {}

-- The first value of each field, by number.
local function read_message(bytes)
  local message = {}
  for field, value in protobuf.fields(bytes) do
    if message[field] == nil then message[field] = value end
  end
  return message
end

-- The number in a TensorProto without axes, as TensorFlow 2 writes scalars; nil for any other tensor.
local function tensor_number(bytes)
  local tensor = read_message(bytes)
  if type(tensor[4]) == "string" then
    if tensor[1] == 1 and #tensor[4] == 4 then return (("<f"):unpack(tensor[4])) end
    if tensor[1] == 2 and #tensor[4] == 8 then return (("<d"):unpack(tensor[4])) end
  end
  local packed = tensor[5]
  if type(packed) == "number" then return packed end
  return type(packed) == "string" and #packed == 4 and (("<f"):unpack(packed)) or nil
end

local KINDS = { [2] = "scalar", [4] = "image", [5] = "histogram", [8] = "tensor" }

-- A Summary.Value as {tag =, kind =, value =, plugin =}; scalars' values are numbers, others' bytes.
local function read_value(bytes)
  local fields = read_message(bytes)
  local metadata = type(fields[9]) == "string" and read_message(fields[9]) or {}
  local plugin = type(metadata[1]) == "string" and read_message(metadata[1]) or {}
  for field, kind in pairs(KINDS) do
    local value = fields[field]
    if value ~= nil and type(fields[1]) == "string" then
      if kind == "tensor" then
        local number = tensor_number(value)
        if number then kind, value = "scalar", number end
      end
      return { tag = fields[1], kind = kind, value = value, plugin = plugin[1] }
    end
  end
end

--- The values in a file in their order: a list of {step =, wall_time =, tag =, kind =, value =, plugin =}. A graph is
-- a value of kind "graph" without a tag. nil and a message when the file cannot be read.
function M.read_file(path)
  local records, damaged = core.event_read(path)
  if not records then return nil, damaged end
  if damaged then
    core.warn(("%s: the record at byte %d is damaged; what follows is not read"):format(path, damaged))
  end
  local list = {}
  for _, record in ipairs(records) do
    local event = read_message(record)
    local function add(value)
      value.step, value.wall_time = event[2] or 0, event[1]
      list[#list + 1] = value
    end
    if event[4] then add { kind = "graph", value = event[4] } end
    if type(event[5]) == "string" then
      for field, bytes in protobuf.fields(event[5]) do
        local value = field == 1 and type(bytes) == "string" and read_value(bytes)
        if value then add(value) end
      end
    end
  end
  return list
end

--- The event files below a folder by run, which is the path from there ("." for the folder itself), each list in the
-- order in which it was written.
function M.find_runs(folder)
  local runs = {}
  local function visit(path, run, depth)
    local names = core.list_folder(path)
    if not names then return end
    table.sort(names)
    for _, name in ipairs(names) do
      local inner = path .. "/" .. name
      local kind = core.path_kind(inner)
      if kind == "file" and name:find("tfevents", 1, true) then
        runs[run] = runs[run] or {}
        table.insert(runs[run], inner)
      elseif kind == "folder" and depth < 16 then
        visit(inner, run == "." and name or run .. "/" .. name, depth + 1)
      end
    end
  end
  visit(folder, ".", 0)
  return runs
end

-- A step that is not behind the last one takes the place of those from there on, as in TensorBoard.
local function add_point(series, step, value)
  while #series.steps > 0 and series.steps[#series.steps] >= step do
    table.remove(series.steps)
    table.remove(series.values)
  end
  table.insert(series.steps, step)
  table.insert(series.values, value)
end

--- The scalars below a folder: by run and tag, {steps =, values =}. nil and a message when a file cannot be read.
function M.scalars(folder)
  local found = {}
  for run, files in pairs(M.find_runs(folder)) do
    for _, path in ipairs(files) do
      local list, problem = M.read_file(path)
      if not list then return nil, problem end
      for _, value in ipairs(list) do
        if value.kind == "scalar" then
          found[run] = found[run] or {}
          found[run][value.tag] = found[run][value.tag] or { steps = {}, values = {} }
          add_point(found[run][value.tag], value.step, value.value)
        end
      end
    end
  end
  return found
end

return M
