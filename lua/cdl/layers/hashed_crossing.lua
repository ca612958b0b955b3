--- HashedCrossing: what several features are together, as a number below a limit.
local class = require "cdl.class"
local core = require "cdl.core"
local encoding = require "cdl.layers.encoding"
local farmhash = require "cdl.layers.farmhash"
local Hashing = require "cdl.layers.hashing"
local words = require "cdl.words"

local HashedCrossing = Hashing:extend "HashedCrossing"
HashedCrossing.doc = "A number from 0 below num_bins for the values that two or more features have together, always "
  .. "the same. It is called on a list of features, each a table {batch} or {batch, 1} of strings or integers, one "
  .. "such value, or an eager tensor; so it stands before a model, or in a function that makes its data."
HashedCrossing.signature = {
  { "num_bins", "integer", required = true, min = 1, doc = "how many numbers there are" },
  { "output_mode", { "int", "one_hot" }, "int", doc = "int: the numbers; one_hot: a row for each" },
  encoding.sparse_row,
}

function HashedCrossing:init(args) encoding.check_sparse(class.name_of(self), args) end

-- The values of a feature in a list, and their shape: {}, {n} or {n, 1}.
local function values_of(self, x)
  x = self:plain(x)
  if not words.is_plain(x) then return { self:feature(x) }, {} end
  local values, is_column = {}, words.is_plain(x[1])
  for i, entry in ipairs(x) do
    if words.is_plain(entry) ~= is_column or (is_column and (#entry ~= 1 or words.is_plain(entry[1]))) then
      core.raise(("layer '%s': features have shape {}, {batch} or {batch, 1}"):format(self.name))
    end
    values[i] = self:feature(is_column and entry[1] or entry)
  end
  return values, is_column and { #values, 1 } or { #values }
end

function HashedCrossing:__call(x, ...)
  local features = (select("#", ...) > 0 or not words.is_plain(x)) and { x, ... } or x
  if #features < 2 then
    core.raise(("layer '%s': a list of two or more features is wanted, got %d"):format(self.name, #features))
  end
  local columns, shape = {}, nil
  for i, feature in ipairs(features) do
    local own
    columns[i], own = values_of(self, feature)
    shape = shape or own
    if table.concat(own, ", ") ~= table.concat(shape, ", ") then
      core.raise(("layer '%s': features must have one shape, got %s and %s"):format(self.name, words.braces(shape),
        words.braces(own)))
    end
  end
  local numbers = {}
  for i = 1, #columns[1] do
    local hashes = {}
    for k, values in ipairs(columns) do
      hashes[k] = type(values[i]) == "string" and farmhash.hash(values[i]) or values[i]
    end
    numbers[i] = farmhash.crossed(hashes, self.args.num_bins)
  end
  local y = #shape == 0 and core.tensor(numbers[1], "int64") or core.tensor(numbers, "int64"):reshape(shape)
  return encoding.encode(y, self.args.output_mode, self.args.num_bins)
end

return HashedCrossing
