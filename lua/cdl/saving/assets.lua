--- Vocabularies in .keras files: what adapt has found in lookup layers of Keras's is kept in a text of its
-- own, "assets/layers/string_lookup/vocabulary.txt", one token a line; weights by idf among the
-- arrays. What cdl writes has the vocabulary in the layer's config, where Keras looks first.
local config = require "cdl.saving.config"
local core = require "cdl.core"
local Lookup = require "cdl.layers.base_lookup"
local class = require "cdl.class"

local M = {}

-- Where a layer's lookup may stand: TextVectorization has one inside.
local INNER = { "", "/_lookup_layer" }

local function lines_of(layer, text)
  local list = {}
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do list[#list + 1] = (line:gsub("\r$", "")) end
  while list[#list] == "" do list[#list] = nil end
  for i, line in ipairs(list) do list[i] = layer:parse_token(line) end
  return list
end

local function read_weights(source, path)
  for _, inner in ipairs(INNER) do
    local name = ("%s%s/vars/idf_weights"):format(path, inner)
    if source.arrays[name] then return source:read(name) end
  end
end

--- Gives a lookup layer that has just been made the vocabulary that an archive keeps for it.
-- context.assets is { archive =, names =, source = the arrays }, context.at the layer's path there.
function M.fill(layer, context, place)
  local from = context.assets
  if not from or not class.is(layer, Lookup) or #layer.tokens > 0 then return end
  for _, inner in ipairs(INNER) do
    local number = from.names[("assets%s%s/vocabulary.txt"):format(context.at, inner)]
    if number then
      local text, message = from.archive:text(number)
      if not text then config.fail(context, place, "%s", message) end
      local ok, problem = pcall(layer.set_vocabulary, layer, lines_of(layer, text),
        read_weights(from.source, context.at))
      if not ok then config.fail(context, place, "%s", config.without_place(problem)) end
      return
    end
  end
end

--- Arrays that Keras wants besides the variables: paths and tensors are added to the lists.
function M.collect(place, paths, tensors)
  local layer = place.object
  if not class.is(layer, Lookup) or not layer.idf then return end
  local inner = class.name_of(layer) == "TextVectorization" and INNER[2] or INNER[1]
  paths[#paths + 1] = ("%s%s/vars/idf_weights"):format(place.path, inner)
  tensors[#tensors + 1] = core.tensor(layer.idf, "float32")
end

config.after_decode = M.fill

return M
