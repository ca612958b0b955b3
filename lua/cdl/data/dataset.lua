--- Datasets: sequences of elements that can be gone through again and again (`cdl.data.Dataset`).
--
-- An element is x, y and sample weights, the last two if there are any; each is a tensor, a list
-- or a dict of tensors. fit, evaluate and predict take a dataset whose elements are batches.
-- A dataset never changes: every method gives a new one, which draws from the old one when it is
-- gone through itself.
--
-- Within: open(key) begins a pass and returns the function that gives its elements. The key is a
-- name of the pass; together with the seed it decides what is random in it, so that a pass can be
-- gone through again.
local class = require "cdl.class"
local core = require "cdl.core"
local element = require "cdl.data.element"
local fit_data = require "cdl.fit_data"
local kinds = require "cdl.kinds"
local signature = require "cdl.signature"
local words = require "cdl.words"
local Rows = require "cdl.data.rows"

local Dataset = class "Dataset"
Dataset.doc = "A sequence of elements x, y and sample weights: Dataset.from_tensors(x, y):shuffle():batch(32)."

--- Makes a dataset from its parts:
--
--     open(key)   begins a pass, see above
--     count()     number of elements: nil when unknown, math.huge when endless
--     rows        a Rows when the elements are its rows
--     batched     {rows =, size =, drop_remainder =} when they are batches of such rows
--     depth       how many datasets it is made of, one upon the other
function Dataset.make(parts)
  parts.depth = parts.depth or 1
  return setmetatable({ parts = parts, passes = 0 }, Dataset)
end

local function from_rows(rows, depth)
  return Dataset.make { open = function(key) return rows:singles(key) end, count = function() return rows.count end,
    rows = rows, depth = depth }
end

--- The dataset of a Rows.
Dataset.from_rows = from_rows

local tensors_rows = {
  { "x", "data", required = true, doc = "a tensor, a list or a dict of tensors" },
  { "y", "data", doc = "the same" },
  { "sample_weight", "data", doc = "a weight for each sample" },
}

local function make_from_tensors(x, y, weights)
  local data = fit_data.read("Dataset.from_tensors", {}, x, y, weights)
  local leaves, specs = {}, {}
  for i, structure in ipairs { data.x, data.y, data.w } do
    local count = structure.spec.kind == "leaf" and 1 or #structure.leaves
    table.move(structure.leaves, 1, count, #leaves + 1, leaves)
    specs[i] = structure.spec
  end
  return from_rows(Rows.new(leaves, specs, data.rows), 1)
end

--- The samples of tensors, one by one: element i is x[i], y[i] and its weight.
Dataset.from_tensors = signature.fn("from_tensors", tensors_rows,
  "A dataset of the samples (first axis) of tensors, which stay where they are.", make_from_tensors)

Dataset.from_tensor_slices = Dataset.from_tensors

local new_signature = signature.new("Dataset", tensors_rows, { doc = Dataset.doc })
signature.register(Dataset, new_signature)

--- Dataset(x, y) is Dataset.from_tensors(x, y).
function Dataset:new(...)
  local args = new_signature:read(...)
  return make_from_tensors(args.x, args.y, args.sample_weight)
end

local function copy(tensor) return core.tensor(tensor) end

-- What make() returned, as a function without arguments.
local function read_generator(value)
  local ok, f = kinds["function"].read(value)
  if ok then return f end
  core.raise(("from_generator: make() must return a function that gives one element at each call, got %s; "
    .. "write from_generator(function() return generator end)"):format(words.describe(value)))
end

--- A dataset of what generators give. Its elements are copies, so that a generator may refill its
-- tensors.
Dataset.from_generator = signature.fn("from_generator", {
  { "make", "function", required = true,
    doc = "called for every pass; returns a function that gives x, y and sample weights at each call, nil at the end" },
}, "A dataset whose passes each begin with a new generator.", function(make)
  return Dataset.make {
    make = function() return read_generator(make()) end,
    open = function()
      local draw = read_generator(make())
      return function()
        local x, y, w = element.read("from_generator", draw())
        return element.map_leaves(copy, x), element.map_leaves(copy, y), element.map_leaves(copy, w)
      end
    end,
    count = function() return nil end,
  }
end)

local readers = { npy = "load", npz = "loadz", csv = "read_csv" }

local function read_file(path)
  local suffix = path:match "%.(%w+)$" or ""
  local name = readers[suffix:lower()]
  if not name then
    core.raise(("from_files: there is no reader for '%s' (known are .npy, .npz and .csv); pass a function read(path)")
      :format(path))
  end
  return (require "cdl.io"[name](path))
end

--- A dataset with an element for each file, read when its turn comes.
Dataset.from_files = signature.fn("from_files", {
  { "paths", "string|list", required = true, doc = "names of files" },
  { "read", "function", doc = "gives a file's element, read(path); left out: .npy and .csv give a tensor, "
    .. ".npz a dict of tensors" },
}, "A dataset with one element for each file; :unbatch() makes its rows the elements.", function(paths, read)
  if type(paths) == "string" then paths = { paths } end
  for i, path in ipairs(paths) do
    if type(path) ~= "string" then
      core.raise(("from_files: entry %d must be the name of a file, got %s"):format(i, words.describe(path)))
    end
  end
  if #paths == 0 then core.raise "from_files: the list of files is empty" end
  paths = table.move(paths, 1, #paths, 1, {})
  return Dataset.make {
    open = function()
      local i = 0
      return function()
        i = i + 1
        if not paths[i] then return nil end
        local x, y, w = element.read("from_files", (read or read_file)(paths[i]))
        if x == nil then core.raise(("from_files: reading '%s' gave nil"):format(paths[i])) end
        return x, y, w
      end
    end,
    count = function() return #paths end,
  }
end)

--- Begins the pass of that name: a function that gives x, y and w, nil at the end.
function Dataset:open(key) return self.parts.open(key) end

--- Number of elements: nil when it is not known before a pass, math.huge when there is no end.
Dataset.cardinality = signature.method("cardinality", { { "self", "any", required = true } },
  "Number of elements: nil when it is not known beforehand, math.huge when there is no end.",
  function(self) return self.parts.count() end)

--- #dataset: its cardinality, which must be known.
function Dataset:__len()
  local count = self.parts.count()
  if not count then core.raise "#: the length of this dataset is not known before it has been gone through" end
  if count == math.huge then core.raise "#: this dataset has no end" end
  return count
end

--- for x, y in dataset:iterate() do ... end: each call is a new pass, shuffled anew.
Dataset.iterate = signature.method("iterate", { { "self", "any", required = true } },
  "One pass, for a for loop: for x, y in dataset:iterate() do ... end.", function(self)
    self.passes = self.passes + 1
    return self.parts.open(("iterate/%d"):format(self.passes))
  end)

function Dataset:__tostring()
  local count = self.parts.count()
  if count == math.huge then return "<Dataset without end>" end
  return count and ("<Dataset of %d elements>"):format(count) or "<Dataset of unknown length>"
end

return Dataset
