--- What StringLookup, IntegerLookup and TextVectorization share: a vocabulary, and how it is found.
--
-- Numbers, from 0: the mask token if there is one (only where the output is "int"), then
-- num_oov_indices for tokens that are not known, then the vocabulary, most frequent first.
local class = require "cdl.class"
local core = require "cdl.core"
local encoding = require "cdl.layers.encoding"
local io = require "io"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local signature = require "cdl.signature"
local words = require "cdl.words"

local Lookup = Layer:extend "Lookup"
Lookup.one_input = true

local MODES = { "int", "one_hot", "multi_hot", "count", "tf_idf" }

--- The rows of arguments behind max_tokens ... oov_token.
Lookup.rows = {
  { "vocabulary", "any", doc = "the tokens, or the path of a file with one a line" },
  { "idf_weights", "any", doc = "with a vocabulary and output_mode tf_idf: the weight of each token" },
  { "invert", "boolean", false, doc = "whether numbers become tokens" },
  { "output_mode", MODES, "int",
    doc = "int: the numbers; one_hot a row for each; multi_hot, count, tf_idf (count times ln(1 + documents / "
      .. "(1 + documents with the token))) a row for a sample" },
  { "pad_to_max_tokens", "boolean", false, doc = "whether such rows have max_tokens numbers in any case" },
  encoding.sparse_row,
}
Lookup.max_tokens_row = { "max_tokens", "integer", min = 2, doc = "most numbers that there are; no limit if left out" }
Lookup.oov_row = { "num_oov_indices", "integer", 1, min = 0,
  doc = "numbers for tokens that are not known; with 0 they are errors" }

function Lookup:fail(format, ...) core.raise(("layer '%s': %s"):format(self.name, format:format(...))) end

function Lookup:init(args)
  encoding.check_sparse(class.name_of(self), args)
  self.tokens, self.number_of = {}, {}
  if args.invert and args.output_mode ~= "int" then self:fail("invert = true goes with output_mode 'int'") end
  if args.pad_to_max_tokens and not args.max_tokens then self:fail("pad_to_max_tokens wants max_tokens") end
  if args.vocabulary ~= nil then self:set_vocabulary(args.vocabulary, args.idf_weights) end
end

function Lookup:get_config()
  local config = Layer.get_config(self)
  config.vocabulary = #self.tokens > 0 and table.move(self.tokens, 1, #self.tokens, 1, {}) or nil
  config.idf_weights = self.idf and table.move(self.idf, self:first() + 1, self:first() + #self.tokens, 1, {}) or nil
  if self.args.mask_token == nil then config.mask_token = signature.null end
  return config
end

local function has_mask(self) return self.args.mask_token ~= nil and self.args.output_mode == "int" end

-- The first number of the vocabulary.
function Lookup:first() return (has_mask(self) and 1 or 0) + self.args.num_oov_indices end

--- How many numbers there are, with those of the mask and of unknown tokens.
function Lookup:vocabulary_size() return self:first() + #self.tokens end

--- The tokens by their numbers; without those for mask and unknown ones on demand.
Lookup.get_vocabulary = signature.method("get_vocabulary", { { "self", "any", required = true },
  { "include_special_tokens", "boolean", true, doc = "whether mask and unknown tokens come first" },
}, "The vocabulary, a list; entry n + 1 has the number n.", function(self, specials)
  local list = {}
  if specials then
    for i = 1, self:first() do list[i] = self.args.oov_token end
    if has_mask(self) then list[1] = self.args.mask_token end
  end
  return table.move(self.tokens, 1, #self.tokens, #list + 1, list)
end)

-- Lines of a file, without empty ones at the end.
local function read_lines(self, path)
  local file, problem = io.open(path, "rb")
  if not file then self:fail("the vocabulary cannot be read: %s", problem) end
  local lines = {}
  for line in file:lines() do lines[#lines + 1] = self:parse_token((line:gsub("\r$", ""))) end
  file:close()
  while lines[#lines] == "" do lines[#lines] = nil end
  return lines
end

-- A list without the special tokens that it may begin with, and whether it did.
function Lookup:strip_specials(list)
  local first = self:first()
  if first == 0 or #list < first then return list, false end
  local specials = {}
  for i = 1, first do specials[i] = self.args.oov_token end
  if has_mask(self) then specials[1] = self.args.mask_token end
  for i = 1, first do
    if list[i] ~= specials[i] then return list, false end
  end
  return table.move(list, first + 1, #list, 1, {}), true
end

function Lookup:take_tokens(tokens)
  local most = self.args.max_tokens
  if most and #tokens + self:first() > most then
    self:fail("the vocabulary has %d tokens, with special ones %d, but max_tokens is %d", #tokens,
      #tokens + self:first(), most)
  end
  local number_of, first = {}, self:first()
  for i, token in ipairs(tokens) do
    if number_of[token] then self:fail("the vocabulary has %s twice", words.literal(token)) end
    number_of[token] = first + i - 1
  end
  if self.args.mask_token ~= nil and number_of[self.args.mask_token] then
    self:fail("the mask token %s stands within the vocabulary", words.literal(self.args.mask_token))
  end
  self.tokens, self.number_of = tokens, number_of
end

-- Weights by number: special tokens have the mean; zeros up to max_tokens if the rows are padded.
function Lookup:take_weights(weights)
  local sum = 0
  for _, weight in ipairs(weights) do sum = sum + weight end
  local idf = {}
  for i = 1, self:first() do idf[i] = sum / math.max(1, #weights) end
  table.move(weights, 1, #weights, #idf + 1, idf)
  for i = #idf + 1, self:depth() do idf[i] = 0 end
  self.idf = idf
end

Lookup.set_vocabulary = signature.method("set_vocabulary", { { "self", "any", required = true },
  { "vocabulary", "data", required = true, doc = "a list of tokens, with or without the special ones at its beginning, "
    .. "or the path of a file with one a line" },
  { "idf_weights", "any", doc = "a weight for each, with output_mode tf_idf" },
}, "Takes the vocabulary, in place of one that adapt finds.", function(self, vocabulary, idf_weights)
  local list = type(vocabulary) == "string" and read_lines(self, vocabulary) or vocabulary
  if core.is_tensor(list) then list = list:totable() end
  if not words.is_plain(list) or #list == 0 then
    self:fail("vocabulary must be a list of tokens that is not empty, or a path, got %s", words.describe(vocabulary))
  end
  local read = {}
  for i, token in ipairs(list) do read[i] = self:check_token(token) end
  local is_weighted = self.args.output_mode == "tf_idf"
  if core.is_tensor(idf_weights) then idf_weights = idf_weights:totable() end
  if is_weighted ~= (idf_weights ~= nil) then
    self:fail(is_weighted and "a vocabulary for output_mode 'tf_idf' comes with idf_weights"
      or "idf_weights go with output_mode 'tf_idf'")
  end
  local tokens, stripped = self:strip_specials(read)
  if is_weighted and (not words.is_plain(idf_weights) or (#idf_weights ~= #tokens and #idf_weights ~= #read)) then
    self:fail("idf_weights must be a list of %d numbers, one for each token", #tokens)
  end
  self:take_tokens(tokens)
  if is_weighted then
    local skip = stripped and #idf_weights == #read and self:first() or 0
    self:take_weights(table.move(idf_weights, skip + 1, #idf_weights, 1, {}))
  end
end)

--- Finds the vocabulary. each_document(f) calls f with the list of tokens of each document.
function Lookup:learn(each_document)
  local args, count, documents_with, documents = self.args, {}, {}, 0
  each_document(function(tokens)
    local seen = {}
    documents = documents + 1
    for _, token in ipairs(tokens) do
      count[token] = (count[token] or 0) + 1
      if not seen[token] then
        seen[token] = true
        documents_with[token] = (documents_with[token] or 0) + 1
      end
    end
  end)
  if args.mask_token ~= nil then count[args.mask_token] = nil end
  if args.oov_token ~= nil then count[args.oov_token] = nil end
  local tokens = {}
  for token in pairs(count) do tokens[#tokens + 1] = token end
  if #tokens == 0 then self:fail("adapt was given no tokens") end
  table.sort(tokens, function(a, b)
    if count[a] ~= count[b] then return count[a] > count[b] end
    return a > b
  end)
  for i = #tokens, args.max_tokens and math.max(args.max_tokens - self:first(), 0) + 1 or math.huge, -1 do
    tokens[i] = nil
  end
  self:take_tokens(tokens)
  if args.output_mode == "tf_idf" then
    local weights = {}
    for i, token in ipairs(tokens) do weights[i] = math.log(1 + documents / (1 + documents_with[token])) end
    self:take_weights(weights)
  end
end

--- Length of the rows that the other modes than "int" give.
function Lookup:depth() return self.args.pad_to_max_tokens and self.args.max_tokens or self:vocabulary_size() end

function Lookup:need_vocabulary()
  if #self.tokens == 0 then self:fail("there is no vocabulary yet: call adapt(data) first, or give one") end
end

--- Numbers (int64; -1: does not count) in the layer's output mode.
function Lookup:output(numbers)
  local mode = self.args.output_mode
  if mode == "int" then return numbers end
  local counted = ops.ge(numbers, 0)
  numbers = ops.maximum(numbers, 0)
  if mode == "one_hot" then
    local last = numbers.shape[numbers.ndim]
    local y = encoding.encode(numbers, mode, self:depth())
    counted = (last == 1 and numbers.ndim > 1) and counted or ops.expand_dims(counted, -1)
    return y * ops.astype(counted, "float32")
  end
  local y = encoding.encode(numbers, mode == "tf_idf" and "count" or mode, self:depth(), counted)
  return mode == "tf_idf" and y * core.tensor(self.idf) or y
end

return Lookup
