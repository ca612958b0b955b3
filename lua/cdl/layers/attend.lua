--- What the attention layers share: their tensors and masks.
local core = require "cdl.core"
local ops = require "cdl.ops"
local words = require "cdl.words"

local M = {}

--- What the calls of attention layers take by name.
M.call_options = {
  { "return_attention_scores", "boolean", false, doc = "the weights of the keys as a second result" },
  { "use_causal_mask", "boolean", false, doc = "whether a query sees no key behind its own place" },
}

local ORDER = { "query", "value", "key" }

--- (query, value, key) of a list of shapes, checked; the values' is the keys', too, if there are two.
function M.shapes(layer, shapes)
  if type(shapes[1]) ~= "table" or (#shapes ~= 2 and #shapes ~= 3) then
    core.raise(("layer '%s' takes two or three tensors, query, value and key, got %s"):format(layer.name,
      type(shapes[1]) == "table" and ("%d"):format(#shapes) or "one"))
  end
  for i, shape in ipairs(shapes) do
    if #shape < 3 then
      core.raise(("layer '%s': %s has shape {%s}, wanted {batch, steps, ..., features}"):format(layer.name, ORDER[i],
        table.concat(shape, ", ")))
    end
  end
  return shapes[1], shapes[2], shapes[3] or shapes[2]
end

--- (query, value, key) of a layer's inputs, without the masks that they carry.
function M.inputs(layer, x)
  local shapes, bare = {}, {}
  if not words.is_plain(x) then return M.shapes(layer, {}) end
  for i, entry in ipairs(x) do
    shapes[i] = entry.shape
    bare[i] = core.is_tensor(entry) and entry.mask and core.reshape(entry, entry.shape) or entry
  end
  M.shapes(layer, shapes)
  return bare[1], bare[2], bare[3] or bare[2]
end

--- A mask that was given, of any dtype, as bool.
function M.as_mask(mask)
  return ops.astype(words.is_plain(mask) and core.tensor(mask) or mask, "bool")
end

--- The masks of query, value and key, nil for what has none: from the list `mask` or, named, from options.
function M.masks(layer, mask, options)
  if mask ~= nil and not words.is_plain(mask) then
    core.raise(("layer '%s': mask is a list, {query's mask, value's mask}, with false for none, got %s"):format(
      layer.name, words.describe(mask)))
  end
  local list = {}
  for i, name in ipairs(ORDER) do
    local one = options[name .. "_mask"] or (mask and mask[i])
    list[i] = one and M.as_mask(one) or nil
  end
  return list[1], list[2], list[3]
end

-- For queries as rows and keys as columns: their places, from 0.
local function places(queries, keys)
  return ops.expand_dims(ops.arange(0, queries - 1), 2), ops.expand_dims(ops.arange(0, keys - 1), 1)
end

--- Where a key's place is not behind the query's: bool {queries, keys}.
function M.causal(queries, keys)
  local row, column = places(queries, keys)
  return ops.ge(row, column)
end

--- Where fewer than `window` places are between a key and the query, on either side.
function M.window(queries, keys, window)
  local row, column = places(queries, keys)
  return ops.lt(ops.abs(row - column), window)
end

--- query + key for each pair: {batch, queries, keys, features}.
function M.sums(query, key) return ops.expand_dims(query, -2) + ops.expand_dims(key, -3) end

--- The mask of what comes out is the query's.
function M.compute_mask(_, _, mask)
  return words.is_plain(mask) and mask[1] or nil
end

return M
