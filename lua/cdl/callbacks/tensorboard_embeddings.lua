--- TensorBoard's part that writes Embedding layers for the projector, with their labels.
local class = require "cdl.class"
local core = require "cdl.core"
local files = require "cdl.summary.embedding"
local words = require "cdl.words"

local M = {}

local function embedding_layers(model)
  local Embedding, list = require "cdl.layers".Embedding, {}
  model:each_layer(function(layer)
    if class.is(layer, Embedding) then list[#list + 1] = layer end
  end)
  return list
end

--- Raises when metadata (embeddings_metadata) names a layer that there is not.
function M.check(model, metadata)
  if type(metadata) ~= "table" or #metadata > 0 then return end
  local names, known = {}, {}
  for i, layer in ipairs(embedding_layers(model)) do names[i], known[layer.name] = layer.name, true end
  for _, name in ipairs(words.sorted_keys(metadata)) do
    if not known[name] then
      core.raise(("TensorBoard: unrecognized `Embedding` layer name '%s' in embeddings_metadata%s; layers: %s"):format(
        name, words.suggestion(name, names), #names > 0 and table.concat(names, ", ") or "none"))
    end
  end
end

-- A layer's part of the metadata: a file's name, or labels.
local function metadata_of(metadata, layer)
  if type(metadata) == "table" and #metadata == 0 then metadata = metadata[layer.name] end
  if type(metadata) == "string" then return metadata end
  return nil, metadata
end

--- Writes all Embedding layers of a model below a folder, and the projector's config. warn is told what went wrong with
-- a file; labels that do not fit raise.
function M.write(model, metadata, folder, warn)
  local entries = {}
  for i, layer in ipairs(embedding_layers(model)) do
    local path, labels = metadata_of(metadata, layer)
    if path and not core.path_kind(folder .. "/" .. path) then
      warn(("there is no file '%s' in '%s', where the projector looks for the labels of layer '%s'"):format(path,
        folder, layer.name))
    end
    local where = ("TensorBoard: embeddings_metadata of layer '%s'"):format(layer.name)
    local entry, problem = files.write_files(where, folder, { name = layer.name, tensor = layer.weights[1]:value(),
      metadata_path = path, metadata = labels })
    if not entry then return warn(problem) end
    entries[i] = entry
  end
  if #entries == 0 then return end
  local written, problem = files.write_config(folder, entries)
  if not written then warn(problem) end
end

return M
