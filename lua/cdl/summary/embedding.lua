--- writer:embedding, and the files that the projector reads: vectors and labels as tab-separated text, small
-- pictures in one large one, and projector_config.pbtxt, which names them.
local core = require "cdl.core"
local image = require "cdl.summary.image"
local ops = require "cdl.ops"
local words = require "cdl.words"

local M = {}

local SPRITE_SIDE = 8192 -- the largest picture that browsers take as a texture

local function quote(value) return '"' .. value:gsub('[\\"]', "\\%0"):gsub("\n", "\\n") .. '"' end

-- In protobuf's text form, as TensorFlow's text_format prints it.
local function config_text(entries)
  local lines = {}
  local function add(format, ...) lines[#lines + 1] = format:format(...) end
  for _, entry in ipairs(entries) do
    add "embeddings {"
    add("  tensor_name: %s", quote(entry.tensor_name))
    if entry.metadata_path then add("  metadata_path: %s", quote(entry.metadata_path)) end
    for _, n in ipairs(entry.tensor_shape) do add("  tensor_shape: %d", n) end
    if entry.sprite then
      add "  sprite {"
      add("    image_path: %s", quote(entry.sprite.path))
      add("    single_image_dim: %d", entry.sprite.width)
      add("    single_image_dim: %d", entry.sprite.height)
      add "  }"
    end
    add("  tensor_path: %s", quote(entry.tensor_path))
    add "}"
  end
  return table.concat(lines, "\n") .. "\n"
end

-- Writes files, pairs of a path and the contents, below a folder. nil and a message when one cannot be written.
local function write(folder, files)
  for _, file in ipairs(files) do
    local path = folder .. "/" .. file[1]
    local made, message = pcall(core.make_folder, (path:match "^(.*)/"))
    if not made then return nil, message end
    local ok, problem = core.write_text(path, file[2])
    if not ok then return nil, problem end
  end
  return true
end

--- Writes projector_config.pbtxt in a folder; paths in the entries are relative to it. An entry:
-- {tensor_name =, tensor_shape =, tensor_path =, metadata_path =, sprite = {path =, width =, height =}}. nil and a
-- message when it cannot be written.
function M.write_config(folder, entries)
  return write(folder, { { "projector_config.pbtxt", config_text(entries) } })
end

local function clean(cell) return (tostring(cell):gsub("[\t\r\n]", " ")) end

-- Labels, one a row; or rows of several, under a line of names.
local function metadata_text(where, labels, header, rows)
  if #labels ~= rows then
    core.raise(("%s: there are %d rows but %d labels in metadata"):format(where, rows, #labels))
  end
  local lines = {}
  local width = type(labels[1]) == "table" and #labels[1] or 1
  if width > 1 and not header then
    core.raise(where .. ": metadata of several columns wants their names in header")
  end
  if header and width > 1 then labels = table.move(labels, 1, #labels, 2, { header }) end
  for i, label in ipairs(labels) do
    local cells = type(label) == "table" and label or { label }
    if #cells ~= width then
      core.raise(("%s: row %d of metadata has %d cells, wanted %d"):format(where, i, #cells, width))
    end
    local parts = {}
    for k, cell in ipairs(cells) do parts[k] = clean(cell) end
    lines[i] = table.concat(parts, "\t")
  end
  return table.concat(lines, "\n") .. "\n"
end

-- One picture with the small ones in rows from the top left.
local function sprite_of(where, pictures, rows)
  local shape = pictures.shape
  if #shape ~= 4 or shape[1] ~= rows then
    core.raise(("%s: images must be {%d, height, width, channels}, got %s"):format(where, rows,
      words.describe(pictures)))
  end
  local side = math.ceil(math.sqrt(rows))
  local height, width = shape[2], shape[3]
  if side * math.max(height, width) > SPRITE_SIDE then
    core.raise(("%s: %d images of %d by %d do not fit into a picture of %d by %d, which is the most that browsers "
      .. "show"):format(where, rows, height, width, SPRITE_SIDE, SPRITE_SIDE))
  end
  local all = ops.pad(pictures, { { 0, side * side - rows }, { 0, 0 }, { 0, 0 }, { 0, 0 } })
  all = all:reshape { side, side, height, width, shape[4] }:permute { 1, 3, 2, 4, 5 }
  local files, problem = image.encode(all:reshape { side * height, side * width, shape[4] }, 1)
  if not files then core.raise(where .. ": " .. problem) end
  return files[1], width, height
end

--- Writes the files of one embedding below a folder and gives its entry for the config; nil and a message when they
-- cannot be written. content: {name =, tensor = {rows, size}, metadata = list or nil, header =, images =}.
function M.write_files(where, folder, content)
  local tensor = content.tensor
  if tensor.ndim ~= 2 or tensor.size == 0 then
    core.raise(("%s: an embedding is {rows, size}, got %s"):format(where, words.describe(tensor)))
  end
  local rows = tensor.shape[1]
  local place = "projector/" .. content.name:gsub("[^%w._-]", "_")
  local entry = { tensor_name = content.name, tensor_shape = tensor.shape, tensor_path = place .. "/tensors.tsv",
    metadata_path = content.metadata_path }
  local metadata = content.metadata and metadata_text(where, content.metadata, content.header, rows)
  local picture
  if content.images then
    local width, height
    picture, width, height = sprite_of(where, content.images, rows)
    entry.sprite = { path = place .. "/sprite.png", width = width, height = height }
  end
  local files = { { entry.tensor_path, core.tensor_tsv(tensor:astype "float32") } }
  if metadata then
    entry.metadata_path = place .. "/metadata.tsv"
    files[#files + 1] = { entry.metadata_path, metadata }
  end
  if picture then files[#files + 1] = { entry.sprite.path, picture } end
  local ok, problem = write(folder, files)
  if not ok then return nil, problem end
  return entry
end

local function install(summary)
  summary.define("embedding", { summary.rows.self, summary.rows.name,
    { "data", "data", required = true, doc = "vectors {rows, size}" },
    { "metadata", "list", doc = "a label for each row, or a list of cells for each" },
    { "header", "list", doc = "names of the cells, where there are several" },
    { "images", "tensor", doc = "a small picture for each row: {rows, height, width, channels}" },
  }, "Writes vectors for the Projector tab. The files are replaced when the name is written again.",
    function(self, name, data, metadata, header, images)
      local entry, problem = M.write_files(("embedding %s"):format(words.literal(name)), self.folder, {
        name = name, tensor = summary.values_of("embedding", name, data), metadata = metadata, header = header,
        images = images,
      })
      if not entry then core.raise("embedding: " .. problem) end
      self.embeddings = self.embeddings or {}
      local at = #self.embeddings + 1
      for i, other in ipairs(self.embeddings) do
        if other.tensor_name == name then at = i end
      end
      self.embeddings[at] = entry
      local ok, message = M.write_config(self.folder, self.embeddings)
      if not ok then core.raise("embedding: " .. message) end
    end)
end

return setmetatable(M, { __call = function(_, summary) install(summary) end })
