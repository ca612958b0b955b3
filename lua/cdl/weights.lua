--- Weights in files: `model:save_weights(path)`, `model:load_weights(path)`. A `.npz` or
-- `.safetensors` file holds one array per weight, named by the weight's path; `.weights.h5` is Keras's
-- own format, which keeps the optimizer's state too. Writing is atomic; a load that fails changes
-- nothing.
local core = require "cdl.core"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

-- Files with one array per weight: how they are written and read.
local FORMATS = {
  npz = { save = function(path, names, tensors) return core.npz_save(path, names, tensors, false) end,
    load = core.npz_load },
  safetensors = { save = function(path, names, tensors) return core.safetensors_save(path, names, tensors, {}, {}) end,
    load = core.safetensors_load },
}

local function format_of(what, path)
  local format = FORMATS[path:match "%.(%w+)$"]
  if format then return format end
  core.raise(("%s: %q has no suffix that cdl knows; weights are kept in .weights.h5, .npz and "
    .. ".safetensors files"):format(what,
    path))
end

local function need_weights(model, what)
  local weights = model.weights
  if #weights == 0 and not model.built then
    core.raise(("%s: model '%s' has no weights yet; call model:build{-1, ...} or fit it first"):format(what,
      model.name))
  end
  return weights
end

local self_row = { "self", "any", required = true }
local path_row = { "path", "string", required = true, doc = "file name ending in .weights.h5, .npz or .safetensors",
  alias = "filepath" }

local overwrite_row = { "overwrite", "boolean", true, doc = "false: a file that is there is an error" }

local function check_overwrite(what, path, overwrite)
  if not overwrite and core.path_kind(path) then
    core.raise(("%s: %s is there already, and overwrite is false"):format(what, path))
  end
end

-- Files of Keras's, by their names.
local function is_h5(path) return path:find "%.h5$" or path:find "%.hdf5$" end
local function is_weights(path) return path:find "%.weights%.h5$" or path:find "%.weights%.json$" end

local save_weights = signature.method("save_weights", { self_row, path_row, overwrite_row,
  { "max_shard_size", "number", above = 0, doc = "cut a .weights.h5 into files of at most so many GB, which "
    .. "NAME.weights.json lists" },
}, "Writes all weights to a file, whole or not at all.", function(self, path, overwrite, max_shard_size)
    check_overwrite("save_weights", path, overwrite)
    if is_weights(path) then
      need_weights(self, "save_weights")
      if path:find "json$" and not max_shard_size then max_shard_size = 5 end
      return require "cdl.saving.weight_files".save(self, path, max_shard_size and max_shard_size * 2 ^ 30)
    end
    if is_h5(path) or path:find "%.keras$" then
      core.raise(("save_weights: %q: the name of a file of weights ends in .weights.h5"):format(path))
    end
    if max_shard_size then core.raise "save_weights: max_shard_size is for .weights.h5 files" end
    local format = format_of("save_weights", path)
    local names, tensors, seen = {}, {}, {}
    for i, variable in ipairs(need_weights(self, "save_weights")) do
      local name = variable.path
      if seen[name] then name = ("%s_%d"):format(name, seen[name]) end
      seen[variable.path] = (seen[variable.path] or 0) + 1
      names[i], tensors[i] = name, variable
    end
    local ok, message = format.save(path, names, tensors)
    if not ok then core.raise("save_weights: " .. message) end
  end)

-- Pairs of variables and arrays: by name when each weight's path is in the file, else by place.
local function match(self, path, weights, arrays, order, by_name)
  local all_named = true
  for _, variable in ipairs(weights) do all_named = all_named and arrays[variable.path] ~= nil end
  local pairs_list = {}
  if all_named or by_name then
    for _, variable in ipairs(weights) do
      if arrays[variable.path] then pairs_list[#pairs_list + 1] = { variable, arrays[variable.path], variable.path } end
    end
    return pairs_list
  end
  if #order ~= #weights then
    local missing = {}
    for _, variable in ipairs(weights) do
      if not arrays[variable.path] then missing[#missing + 1] = variable.path end
    end
    core.raise(("load_weights: %s holds %d arrays, model '%s' has %d weights (not in the file: %s); "
      .. "by_name = true loads those that are there"):format(path, #order, self.name, #weights,
      table.concat(missing, ", ", 1, math.min(#missing, 4))))
  end
  for i, variable in ipairs(weights) do pairs_list[i] = { variable, arrays[order[i]], order[i] } end
  return pairs_list
end

local load_weights = signature.method("load_weights", { self_row, path_row,
  { "skip_mismatch", "boolean", false, doc = "leave out weights whose shapes differ, with a warning" },
  { "by_name", "boolean", false, doc = "load only the weights whose paths are in the file" },
}, "Reads weights from a file: by their paths, or by their order when the names differ. A file that "
  .. "does not fit raises and changes nothing. Besides what save_weights writes it reads the weights in .keras "
  .. "files and Keras's older .h5 files.", function(self, path, skip_mismatch, by_name)
  local is_keras = path:find "%.keras$"
  if is_keras or is_weights(path) or is_h5(path) then
    need_weights(self, "load_weights")
    if is_h5(path) and not is_weights(path) then
      return require "cdl.saving.legacy".load_weights(self, path, by_name, skip_mismatch)
    end
    if by_name then
      core.raise(("load_weights: %s: its arrays have no layers' names; by_name is for .npz, .safetensors and "
        .. "Keras's older .h5 files"):format(path))
    end
    if is_keras then return require "cdl.saving.archive".load_weights(self, path, skip_mismatch) end
    return require "cdl.saving.weight_files".load(self, path, skip_mismatch)
  end
  local format = format_of("load_weights", path)
  local weights = need_weights(self, "load_weights")
  local arrays, order = format.load(path)
  if not arrays then core.raise("load_weights: " .. order) end
  local fitting = {}
  for _, pair in ipairs(match(self, path, weights, arrays, order, by_name)) do
    local variable, array, name = pair[1], pair[2], pair[3]
    if words.braces(variable.shape) == words.braces(array.shape) then
      fitting[#fitting + 1] = pair
    elseif skip_mismatch then
      core.warn(("load_weights: '%s' in %s has shape %s, weight '%s' has %s; skipped"):format(name, path,
        words.braces(array.shape), variable.path, words.braces(variable.shape)))
    else
      core.raise(("load_weights: '%s' in %s has shape %s, weight '%s' of model '%s' has %s; skip_mismatch = true "
        .. "leaves it out"):format(name, path, words.braces(array.shape), variable.path,
        self.name, words.braces(variable.shape)))
    end
  end
  for _, pair in ipairs(fitting) do core.assign(pair[1], pair[2]) end
end)

local save = signature.method("save", { self_row,
  { "path", "string", required = true, doc = "file name ending in .keras", alias = "filepath" }, overwrite_row },
  "Writes the whole model, with how it is compiled and the optimizer's state, to a .keras file, which Keras "
  .. "opens too.", function(self, path, overwrite)
    check_overwrite("save", path, overwrite)
    if path:find "%.keras$" then return require "cdl.saving.archive".save(self, path) end
    if path:find "%.h5$" or path:find "%.hdf5$" then
      core.raise(("save: %s: whole models are not written as .h5; use .keras"):format(words.literal(path)))
    end
    core.raise(("save: %s: a whole model's file name must end in .keras"):format(words.literal(path)))
  end)

--- Gives models these methods.
function M.install(Model)
  Model.save_weights, Model.load_weights, Model.save = save_weights, load_weights, save
end

return M
