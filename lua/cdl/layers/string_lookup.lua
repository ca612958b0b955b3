--- StringLookup: strings as numbers, or back.
local adapting = require "cdl.layers.adapting"
local core = require "cdl.core"
local farmhash = require "cdl.layers.farmhash"
local Lookup = require "cdl.layers.base_lookup"
local rows = require "cdl.layers.rows"
local words = require "cdl.words"

local StringLookup = Lookup:extend "StringLookup"
StringLookup.doc = "The numbers of strings in a vocabulary that is given or found by adapt(data). It is called on Lua "
  .. "strings in (nested) tables - tensors hold no strings - and gives a tensor; so it stands before a model, or in a "
  .. "function that makes its data. With invert = true a tensor of numbers gives tables of strings."
StringLookup.signature = rows.join({
  Lookup.max_tokens_row, Lookup.oov_row,
  { "mask_token", "string", doc = "a token with number 0 that stands for nothing" },
  { "oov_token", "string", "[UNK]", doc = "what get_vocabulary calls tokens that are not known" },
}, rows.join(Lookup.rows, {
  { "encoding", { "utf-8" }, "utf-8", doc = "of the strings" },
  farmhash.salt_row,
}))

function StringLookup:init(args)
  self.key = farmhash.key_of("StringLookup", args.salt)
  Lookup.init(self, args)
end

function StringLookup:check_token(token)
  if type(token) ~= "string" then self:fail("a vocabulary of strings holds %s", words.describe(token)) end
  return token
end

function StringLookup.parse_token(_, line) return line end

--- Finds the vocabulary in strings in nested tables; a table of strings alone is one document.
function StringLookup:adapt(data)
  self:learn(function(each)
    if words.is_plain(data) and words.is_plain(data[1]) then
      for _, document in ipairs(data) do
        local tokens = {}
        adapting.each_string(self, document, function(token) tokens[#tokens + 1] = token end)
        each(tokens)
      end
    else
      local tokens = {}
      adapting.each_string(self, data, function(token) tokens[#tokens + 1] = token end)
      each(tokens)
    end
  end)
end

-- The number of a string; -1 for the mask token where it does not count.
function StringLookup:number(token)
  local args = self.args
  if type(token) ~= "string" then self:fail("strings are wanted, in tables, got %s", words.describe(token)) end
  if token == args.mask_token then return args.output_mode == "int" and 0 or -1 end
  local number, unknown = self.number_of[token], args.num_oov_indices
  if number then return number end
  if unknown == 0 then
    self:fail("%s is not in the vocabulary, and with num_oov_indices = 0 there is no number for it",
      words.literal(token))
  end
  return self:first() - unknown + (unknown > 1 and farmhash.bucket(token, unknown, self.key) or 0)
end

-- Nested tables of strings as nested tables of numbers.
local function numbers_of(self, x)
  if not words.is_plain(x) then return self:number(x) end
  local list = {}
  for i = 1, #x do list[i] = numbers_of(self, x[i]) end
  return list
end

-- Tables of tokens for nested tables of numbers.
local function tokens_of(self, x)
  if not words.is_plain(x) then
    if self.args.mask_token and x == 0 then return self.args.mask_token end
    return self.tokens[math.tointeger(x) - self:first() + 1] or self.args.oov_token
  end
  local list = {}
  for i = 1, #x do list[i] = tokens_of(self, x[i]) end
  return list
end

function StringLookup:__call(x)
  self:need_vocabulary()
  if self.args.invert then
    if words.is_plain(x) then x = core.tensor(x) end
    if not (core.is_tensor(x) and x.kind == "eager") then
      self:fail("numbers become strings outside of a model: an eager tensor is wanted, got %s", words.describe(x))
    end
    return tokens_of(self, x.ndim == 0 and x:item() or x:totable())
  end
  if words.is_tensor(x) then
    self:fail("strings in tables are wanted, got %s; tensors hold no strings, so that this layer stands before a model",
      words.describe(x))
  end
  return self:output(core.tensor(numbers_of(self, x), "int64"))
end

return StringLookup
