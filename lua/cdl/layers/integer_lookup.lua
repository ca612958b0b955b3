--- IntegerLookup: integers as numbers from 0, or back.
local adapting = require "cdl.layers.adapting"
local core = require "cdl.core"
local farmhash = require "cdl.layers.farmhash"
local Lookup = require "cdl.layers.base_lookup"
local ops = require "cdl.ops"
local rows = require "cdl.layers.rows"
local words = require "cdl.words"

local IntegerLookup = Lookup:extend "IntegerLookup"
IntegerLookup.doc = "The numbers of integers in a vocabulary that is given or found by adapt(data)."
IntegerLookup.signature = rows.join({
  Lookup.max_tokens_row, Lookup.oov_row,
  { "mask_token", "integer", doc = "an integer with number 0 that stands for nothing" },
  { "oov_token", "integer", -1, doc = "what invert gives, and get_vocabulary calls, integers that are not known" },
}, rows.join(Lookup.rows, {
  { "oov_method", { "floormod", "farmhash" }, "floormod", doc = "which of several numbers an unknown integer has: its "
    .. "remainder, or a hash of its digits (for eager tensors)" },
  farmhash.salt_row,
}))
-- Keras has it behind the vocabulary.
table.insert(IntegerLookup.signature, 6, { "vocabulary_dtype", { "int64" }, "int64", doc = "of the integers" })

function IntegerLookup:init(args)
  self.key = farmhash.key_of("IntegerLookup", args.salt)
  if self.key and args.oov_method ~= "farmhash" then self:fail("salt goes with oov_method 'farmhash'") end
  Lookup.init(self, args)
end

function IntegerLookup:check_token(token)
  local whole = type(token) == "number" and math.tointeger(token)
  if not whole then self:fail("a vocabulary of integers holds %s", words.describe(token)) end
  return whole
end

function IntegerLookup:parse_token(line)
  return math.tointeger(tonumber(line)) or self:fail("a vocabulary of integers holds the line '%s'", line)
end

--- Finds the vocabulary in a tensor, tables of integers, a list of batches or a Dataset. A row is a document.
function IntegerLookup:adapt(data)
  self:learn(function(each)
    for batch in adapting.batches(self, data) do
      local whole = ops.astype(batch, "int64")
      local n = batch.ndim > 1 and batch.shape[1] or 1
      local rest = n > 0 and batch.size // n or 0
      for _, row in ipairs(ops.reshape(whole, { n, rest }):totable()) do each(row) end
    end
  end)
end

-- For each element of x its place (from 0) in a sorted list of integers - the last that is not above it -
-- by halving.
local function places(x, sorted)
  local n, at = sorted.size, ops.zeros_like(x)
  local step = 1
  while step * 2 < n do step = step * 2 end
  while step >= 1 do
    local next_at = at + step
    local inside = ops.minimum(next_at, n - 1)
    local goes = ops.logical_and(ops.lt(next_at, n), ops.le(ops.gather(sorted, inside), x))
    at = ops.where(goes, inside, at)
    step = step // 2
  end
  return at
end

-- Sorted tokens and the number of each, as tensors.
function IntegerLookup:table_of()
  local sorted, numbers = table.move(self.tokens, 1, #self.tokens, 1, {}), {}
  table.sort(sorted)
  for i, token in ipairs(sorted) do numbers[i] = self.number_of[token] end
  return core.tensor(sorted, "int64"), core.tensor(numbers, "int64")
end

local function check_known(self, x, known)
  if x.kind ~= "eager" then return end
  local missing = ops.flatten(ops.logical_not(known)):totable()
  for i, is_missing in ipairs(missing) do
    if is_missing then
      self:fail("%d (element %d) is not in the vocabulary, and with num_oov_indices = 0 there is no number for it",
        ops.flatten(x)[i], i)
    end
  end
end

-- The hash of each integer's digits, below n.
local function hashes(self, x, n)
  if x.kind ~= "eager" then self:fail("oov_method 'farmhash' wants eager tensors, so it stands before a model") end
  local list = ops.flatten(x):totable()
  for i, value in ipairs(list) do list[i] = farmhash.bucket(("%d"):format(value), n, self.key) end
  return ops.reshape(core.tensor(list, "int64"), x.shape)
end

function IntegerLookup:numbers(x)
  local args, unknown = self.args, self.args.num_oov_indices
  local sorted, numbers = self:table_of()
  local at = places(x, sorted)
  local known = ops.eq(ops.gather(sorted, at), x)
  local other
  if unknown == 0 then
    check_known(self, x, args.mask_token and ops.logical_or(known, ops.eq(x, args.mask_token)) or known)
    other = -1
  else
    local hashed = unknown > 1 and args.oov_method == "farmhash"
    other = (hashed and hashes(self, x, unknown) or ops.mod(x, unknown)) + (self:first() - unknown)
  end
  local y = ops.where(known, ops.gather(numbers, at), other)
  if args.mask_token then y = ops.where(ops.eq(x, args.mask_token), args.output_mode == "int" and 0 or -1, y) end
  return ops.astype(y, "int64")
end

function IntegerLookup:call(x)
  self:need_vocabulary()
  x = ops.astype(x, "int64")
  if not self.args.invert then return self:output(self:numbers(x)) end
  local vocabulary = self:get_vocabulary()
  vocabulary[#vocabulary + 1] = self.args.oov_token
  local inside = ops.logical_and(ops.ge(x, 0), ops.lt(x, #vocabulary))
  return ops.gather(core.tensor(vocabulary, "int64"), ops.where(inside, x, #vocabulary - 1))
end

return IntegerLookup
