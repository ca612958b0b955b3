--- Hashing: strings or integers as numbers below a limit, without a vocabulary.
local class = require "cdl.class"
local core = require "cdl.core"
local encoding = require "cdl.layers.encoding"
local farmhash = require "cdl.layers.farmhash"
local Layer = require "cdl.layer"
local words = require "cdl.words"

local Hashing = Layer:extend "Hashing"
Hashing.doc = "A number from 0 below num_bins for each string or integer, always the same. It is called on tables "
  .. "or an eager tensor and gives a tensor; so it stands before a model, or in a function that makes its data."
Hashing.signature = {
  { "num_bins", "integer", required = true, min = 1, doc = "how many numbers there are" },
  { "mask_value", "string|integer", doc = "what alone has the number 0" },
  farmhash.salt_row,
  { "output_mode", { "int", "one_hot", "multi_hot", "count" }, "int", doc = "int: the numbers; the others as in "
    .. "CategoryEncoding" },
  encoding.sparse_row,
}
Hashing.one_input = true

function Hashing:init(args)
  encoding.check_sparse(class.name_of(self), args)
  self.key = farmhash.key_of("Hashing", args.salt)
end

--- A string, or an integer; any other value raises.
function Hashing:feature(value)
  local whole = type(value) == "number" and math.tointeger(value)
  if not whole and type(value) ~= "string" then
    core.raise(("layer '%s': strings or integers are wanted, got %s"):format(self.name, words.describe(value)))
  end
  return whole or value
end

--- An eager tensor as tables; tables, strings and numbers as they are.
function Hashing:plain(x)
  if not words.is_tensor(x) then return x end
  if x.kind ~= "eager" then
    core.raise(("layer '%s': an eager tensor or tables are wanted, got %s"):format(self.name, words.describe(x)))
  end
  return x.ndim == 0 and x:item() or x:totable()
end

local function number(self, value)
  local bins, masked = self.args.num_bins, self.args.mask_value
  if masked ~= nil and value == masked then return 0 end
  local text = tostring(self:feature(value))
  if masked == nil then return farmhash.bucket(text, bins, self.key) end
  return bins > 1 and 1 + farmhash.bucket(text, bins - 1, self.key) or 0
end

local function numbers(self, x)
  if not words.is_plain(x) then return number(self, x) end
  local list = {}
  for i = 1, #x do list[i] = numbers(self, x[i]) end
  return list
end

function Hashing:__call(x)
  return encoding.encode(core.tensor(numbers(self, self:plain(x)), "int64"), self.args.output_mode, self.args.num_bins)
end

return Hashing
