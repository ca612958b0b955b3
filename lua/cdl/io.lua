--- Files of arrays (`cdl.io`): NumPy's .npy and .npz, .safetensors, idx, csv, and pictures (PNG, JPEG).
--
--     cdl.io.savez("run.npz", { kernel = w, ["dense/bias"] = b })
--     local arrays = cdl.io.loadz "run.npz"          --> arrays.kernel, arrays["dense/bias"]
--     local picture = cdl.io.read_image("cat.jpg", { target_size = {150, 150} })
--     local x, names = cdl.io.read_csv("air.csv", { columns = {"TEMP", "PRES"} })
--
-- Writing is atomic: the file is there whole, or what was there before stays. Loading never
-- runs code from a file. A damaged or foreign file raises, naming file, entry and place.
local core = require "cdl.core"
local signature = require "cdl.signature"
local tree = require "cdl.tree"
local words = require "cdl.words"

local M = {}

-- Raises what a function of core returned as nil and a message.
local function check(name, value, message, ...)
  if value == nil then return core.raise(("%s: %s"):format(name, message)) end
  return value, message, ...
end

local path_row = { "path", "string", required = true, doc = "name of the file" }

-- What is written must have its numbers: no symbols, nothing from a trace.
local function check_storable(name, place, x)
  if core.is_variable(x) or (core.is_tensor(x) and x.kind == "eager") then return x end
  if type(x) == "number" or type(x) == "boolean" then return core.tensor(x) end
  if words.is_tensor(x) then
    return core.raise(("%s: %s is a %s tensor, which has no values yet"):format(name, place, x.kind))
  end
  return core.raise(("%s: %s must be a tensor, got %s"):format(name, place, words.describe(x)))
end

M.save = signature.fn("save", { path_row,
  { "tensor", "data", required = true, doc = "a tensor, a variable, or a nested table of numbers" },
}, "Writes one array to a .npy file, which NumPy's load reads.", function(path, tensor)
  if words.is_plain(tensor) then tensor = core.tensor(tensor) end
  check("save", core.npy_save(path, check_storable("save", "the tensor", tensor)))
end)

local WIDENED = "Types that cdl does not have become the nearest one: int8, int16 and uint16 int32, uint32 "
  .. "and uint64 int64, float16 float32."

M.load = signature.fn("load", { path_row }, "The array in a .npy file. " .. WIDENED,
  function(path) return (check("load", core.npy_load(path))) end)

-- Names and arrays in a fixed order; a list is arr_0, arr_1 ..., as in NumPy.
local function name_arrays(name, tensors)
  local leaves, spec = { tensors }, { kind = "leaf" }
  if words.is_plain(tensors) and next(tensors) == nil then
    leaves, spec = {}, { kind = "list" }
  elseif words.is_plain(tensors) then
    leaves, spec = tree.flatten(tensors, nil, name)
  end
  local names = {}
  for i, leaf in ipairs(leaves) do
    names[i] = spec.names and spec.names[i] or ("arr_%d"):format(i - 1)
    if names[i] == "" or names[i]:find "\0" then
      core.raise(("%s: %q cannot be the name of an array"):format(name, names[i]))
    end
    leaves[i] = check_storable(name, ("array '%s'"):format(names[i]), leaf)
  end
  return names, leaves
end

local function define_savez(name, doc, compress)
  M[name] = signature.fn(name, { path_row,
    { "tensors", "data", required = true, doc = "a tensor, a list (stored as arr_0, arr_1 ...), or tensors by name" },
  }, doc, function(path, tensors)
    local names, leaves = name_arrays(name, tensors)
    check(name, core.npz_save(path, names, leaves, compress))
  end)
end
define_savez("savez", "Writes arrays to a .npz file. Names may hold slashes, as in 'dense/kernel'.", false)
define_savez("savez_compressed", "Writes arrays to a .npz file, compressed.", true)

M.loadz = signature.fn("loadz", { path_row },
  "The arrays in a .npz file: a table of tensors by name. " .. WIDENED,
  function(path)
    local arrays = check("loadz", core.npz_load(path))
    return arrays
  end)

-- Names and texts in a fixed order.
local function metadata_lists(metadata)
  local keys, values = words.sorted_keys(metadata), {}
  for i, key in ipairs(keys) do
    values[i] = metadata[key]
    if type(values[i]) ~= "string" then
      core.raise(("save_safetensors: metadata holds texts by name; '%s' is %s"):format(key,
        words.describe(values[i])))
    end
  end
  if #metadata > 0 then core.raise "save_safetensors: metadata holds texts by name, got a list" end
  return keys, values
end

M.save_safetensors = signature.fn("save_safetensors", { path_row,
  { "tensors", "data", required = true, doc = "a tensor, a list (stored as arr_0, arr_1 ...), or tensors by name" },
  { "metadata", "table", {}, doc = "texts by name, kept in the header" },
}, "Writes arrays to a .safetensors file, which the safetensors library reads.", function(path, tensors, metadata)
  local names, leaves = name_arrays("save_safetensors", tensors)
  check("save_safetensors", core.safetensors_save(path, names, leaves, metadata_lists(metadata)))
end)

M.load_safetensors = signature.fn("load_safetensors", { path_row },
  "The arrays in a .safetensors file: a table of tensors by name; and the header's metadata, texts by name. "
  .. WIDENED .. " bfloat16 becomes float32, too.",
  function(path)
    local arrays, _, metadata = check("load_safetensors", core.safetensors_load(path))
    return arrays, metadata
  end)

M.read_idx = signature.fn("read_idx", { path_row },
  "The array in an idx file of the MNIST family, plain or compressed by gzip.",
  function(path) return (check("read_idx", core.idx_load(path))) end)

local function check_columns(columns)
  if not columns then return nil end
  if #columns == 0 then core.raise "read_csv: columns is empty; leave it out for all columns" end
  for i, column in ipairs(columns) do
    local number = math.type(column) and math.tointeger(column)
    if type(column) ~= "string" and not (number and number >= 1) then
      core.raise(("read_csv: columns holds names and numbers from 1; entry %d is %s"):format(i,
        words.describe(column)))
    end
  end
  return columns
end

M.read_csv = signature.fn("read_csv", { path_row,
  { "separator", "string", ",", alias = "sep",
    doc = "between cells: , ; : | or a tab; a space stands for any run of blanks" },
  { "header", "boolean", doc = "whether the first row is names; left out: it is if a cell is no number" },
  { "columns", "list", doc = "the columns wanted, in this order: names, or numbers from 1; left out: all" },
  { "skip_rows", "integer", 0, min = 0, doc = "lines passed over at the top of the file" },
  { "missing", { "nan", "error" }, "nan", doc = "what an empty cell, NA, NaN, NULL or None does" },
  { "dtype", { "float32", "float64" }, "float32", doc = "element type" },
}, "Numbers from a table in text, plain or compressed by gzip: a tensor {rows, columns}, and the list of "
  .. "the columns' names (nil where the file has none). A cell that is no number raises, with its place.",
  function(path, separator, header, columns, skip_rows, missing, dtype)
    return check("read_csv", core.csv_load(path, separator, header, skip_rows, missing == "error",
      check_columns(columns), dtype))
  end)

local images = require "cdl.images"
M.read_image, M.write_png = images.read_image, images.write_png

M.write_text = signature.fn("write_text", { path_row,
  { "text", "string", required = true, doc = "the whole contents" },
}, "Writes a text file, all or nothing.", function(path, text)
  check("write_text", core.write_text(path, text))
end)

M.make_folder = signature.fn("make_folder", {
  { "path", "string", required = true, doc = "name of the folder" },
}, "Makes a folder and those above it; one that is there already is fine.", core.make_folder)

return M
