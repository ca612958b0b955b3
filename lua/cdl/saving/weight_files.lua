--- Keras's weight files: `NAME.weights.h5`, or several of them with a table of contents,
-- `NAME.weights.json`.
local arrays = require "cdl.saving.arrays"
local core = require "cdl.core"
local json = require "cdl.json"

local M = {}

local BYTES = { bool = 1, uint8 = 1, int32 = 4, int64 = 8, float32 = 4, float64 = 8 }

local function write(path, paths, tensors)
  local image, message = core.h5_image(paths, tensors)
  local ok
  if image then ok, message = image:write(path) end
  if not ok then core.raise("save_weights: " .. message) end
end

-- Cuts the arrays into files of at most so many bytes (or of one array): lists of places from 1.
local function cut(tensors, most)
  local pieces, piece, bytes, total = {}, {}, 0, 0
  for i, x in ipairs(tensors) do
    local size = x.size * BYTES[x.dtype]
    if #piece > 0 and bytes + size > most then
      pieces[#pieces + 1] = piece
      piece, bytes = {}, 0
    end
    piece[#piece + 1] = i
    bytes, total = bytes + size, total + size
  end
  pieces[#pieces + 1] = piece
  return pieces, total
end

-- The table of contents is written last: until then an older one holds.
local function save_pieces(path, paths, tensors, most)
  local base, map = path:gsub("%.weights%.json$", ""), {}
  local pieces, total = cut(tensors, most)
  for number, piece in ipairs(pieces) do
    local file = ("%s_%05d.weights.h5"):format(base, number - 1)
    local name, own_paths, own_tensors = file:match "[^/]*$", {}, {}
    for k, i in ipairs(piece) do
      own_paths[k], own_tensors[k] = paths[i], tensors[i]
      local group = paths[i]:match "^(.*)/%d+$"
      map[group] = map[group] or json.list()
      if map[group][#map[group]] ~= name then map[group][#map[group] + 1] = name end
    end
    write(file, own_paths, own_tensors)
  end
  for group, names in pairs(map) do
    if #names == 1 then map[group] = names[1] end
  end
  local ok, message = core.write_text(path, json.encode { metadata = { total_size = total }, weight_map = map })
  if not ok then core.raise("save_weights: " .. message) end
end

--- Writes a model's weights, and the optimizer's state if it has one. most: bytes of a file, when the weights
-- are to be cut into several.
function M.save(model, path, most)
  local paths, tensors = arrays.collect(model, rawget(model, "_compiled") ~= nil)
  if not most then return write(path, paths, tensors) end
  save_pieces(path:gsub("%.weights%.h5$", ".weights.json"), paths, tensors, most)
end

local function open(path)
  local file, message = core.h5_open(path)
  if not file then core.raise("load_weights: " .. message) end
  return file
end

-- The files that a table of contents names, in its own folder.
local function piece_names(path)
  local text, message = core.read_text(path)
  local contents
  if text then contents, message = json.decode(text) end
  if contents == nil then core.raise(("load_weights: %s"):format(message:find(path, 1, true) and message
    or path .. ": " .. message)) end
  local map = type(contents) == "table" and contents.weight_map
  if type(map) ~= "table" then core.raise(("load_weights: %s: there is no weight_map in it"):format(path)) end
  local names, seen = {}, {}
  for group, value in pairs(map) do
    for _, name in ipairs(type(value) == "table" and value or { value }) do
      if type(name) ~= "string" or name:find "[/\\]" or name:sub(1, 1) == "." then
        core.raise(("load_weights: %s: weight_map: '%s' is not kept in a file of this folder"):format(path, group))
      end
      if not seen[name] then names[#names + 1], seen[name] = name, true end
    end
  end
  table.sort(names)
  return names
end

-- Several open files as one.
local Joined = {}
Joined.__index = Joined

local function merge(self, what)
  local all = {}
  for _, file in ipairs(self.files) do
    for path, number in pairs(file[what](file)) do all[path] = { file = file, number = number } end
  end
  return all
end

function Joined:arrays() return merge(self, "arrays") end
function Joined:groups() return merge(self, "groups") end
function Joined:bytes()
  local bytes = 0
  for _, file in ipairs(self.files) do bytes = bytes + file:bytes() end
  return bytes
end
function Joined:read(entry) return entry.file:read(entry.number) end
function Joined:__close()
  for _, file in ipairs(self.files) do file:close() end
end
Joined.close = Joined.__close

local function open_all(path)
  local folder = path:match "^(.*/)[^/]*$" or ""
  local files = {}
  for i, name in ipairs(piece_names(path)) do files[i] = open(folder .. name) end
  return setmetatable({ files = files }, Joined)
end

--- Reads the weights of a model, and the optimizer's state, from one of these files.
function M.load(model, path, skip)
  local file <close> = path:find "%.json$" and open_all(path) or open(path)
  arrays.assign(arrays.match(arrays.source(file, "load_weights: " .. path), model, skip))
end

return M
