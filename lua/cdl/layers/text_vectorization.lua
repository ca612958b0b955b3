--- TextVectorization: texts as rows of numbers of words.
local core = require "cdl.core"
local signature = require "cdl.signature"
local Lookup = require "cdl.layers.base_lookup"
local words = require "cdl.words"

local TextVectorization = Lookup:extend "TextVectorization"
TextVectorization.doc = "Texts are simplified, split into words and these numbered by a vocabulary that is given or "
  .. "found by adapt(texts); 0 fills up, 1 is an unknown word. It is called on Lua strings in tables - tensors hold no "
  .. "strings - and gives a tensor {texts, ...}; so it stands before a model, or in a function that makes its data."
TextVectorization.signature = {
  Lookup.max_tokens_row,
  { "standardize", "string|function", "lower_and_strip_punctuation", null = true,
    doc = "lower_and_strip_punctuation, lower, strip_punctuation, null or a function from text to text" },
  { "split", "string|function", "whitespace", null = true,
    doc = "whitespace, character, null (the text is one token) or a function from text to a list" },
  { "ngrams", "integer|list", of = "integer",
    doc = "n: also runs of 2 to n words as tokens; a list: of these lengths" },
  { "output_mode", { "int", "multi_hot", "count", "tf_idf" }, "int", doc = "int: numbers in order; the others one row "
    .. "of numbers for each text" },
  { "output_sequence_length", "integer", min = 1, doc = "rows of so many numbers (int); as long as the longest text "
    .. "if left out" },
  { "pad_to_max_tokens", "boolean", false, doc = "whether rows of the other modes always have max_tokens numbers" },
  { "vocabulary", "any", doc = "the tokens, or the path of a file with one a line" },
  { "idf_weights", "any", doc = "with a vocabulary and output_mode tf_idf: the weight of each token" },
  Lookup.rows[6],
  { "ragged", "boolean", false, doc = "false: there are no ragged tensors" },
  { "encoding", { "utf-8" }, "utf-8", doc = "of the texts" },
}

-- Keras's list: all ASCII punctuation.
local PUNCTUATION = "[%p]"

local standardizers = {
  lower_and_strip_punctuation = function(text) return (text:lower():gsub(PUNCTUATION, "")) end,
  lower = string.lower,
  strip_punctuation = function(text) return (text:gsub(PUNCTUATION, "")) end,
}

local function split_pattern(pattern)
  return function(text)
    local list = {}
    for piece in text:gmatch(pattern) do list[#list + 1] = piece end
    return list
  end
end

local splitters = {
  whitespace = split_pattern "%S+",
  -- One byte below 128 or the beginning of a character, and what belongs to it.
  character = split_pattern "[%z\1-\x7f\xc0-\xff][\x80-\xbf]*",
}

-- The function of that name, a function itself, or what stands for null.
local function pick(self, name, named, otherwise)
  local value = self.args[name]
  if value == nil then return otherwise end
  if type(value) ~= "string" then return value end
  local names = words.sorted_keys(named)
  return named[value] or self:fail("%s must be one of '%s', null or a function, got '%s'%s", name,
    table.concat(names, "', '"), value, words.suggestion(value, names))
end

function TextVectorization:init(args)
  if args.ragged then self:fail("ragged must be false: there are no ragged tensors") end
  if args.output_sequence_length and args.output_mode ~= "int" then
    self:fail("output_sequence_length goes with output_mode 'int'")
  end
  self.standardize = pick(self, "standardize", standardizers, function(text) return text end)
  self.split = pick(self, "split", splitters, function(text) return { text } end)
  self.lengths = args.ngrams
  if type(args.ngrams) == "number" then
    self.lengths = {}
    for n = 1, args.ngrams do self.lengths[n] = n end
  end
  for _, n in ipairs(self.lengths or {}) do
    if n < 1 then self:fail("ngrams must be at least 1, got %d", n) end
  end
  args.num_oov_indices, args.oov_token, args.mask_token = 1, "[UNK]", args.output_mode == "int" and "" or nil
  Lookup.init(self, args)
end

function TextVectorization:get_config()
  local config = Lookup.get_config(self)
  for _, name in ipairs { "standardize", "split" } do
    if config[name] == nil then config[name] = signature.null end
  end
  config.num_oov_indices, config.oov_token, config.mask_token = nil, nil, nil
  return config
end

function TextVectorization:check_token(token)
  if type(token) ~= "string" then self:fail("a vocabulary of strings holds %s", words.describe(token)) end
  return token
end

function TextVectorization.parse_token(_, line) return line end

-- The tokens of a text, with runs of tokens if there are to be any.
local function tokens_of(self, text)
  local list = self.split(self.standardize(text))
  if not words.is_plain(list) then self:fail("split must give a list of strings, got %s", words.describe(list)) end
  if not self.lengths then return list end
  local runs = {}
  for _, n in ipairs(self.lengths) do
    for i = 1, #list - n + 1 do runs[#runs + 1] = table.concat(list, " ", i, i + n - 1) end
  end
  return runs
end

-- The texts in a string, a list of strings, or a list of lists of one.
local function texts_of(self, x)
  if type(x) == "string" then return { x } end
  if not words.is_plain(x) then
    self:fail("strings in a table are wanted, got %s; tensors hold no strings, so that this layer stands before a "
      .. "model", words.describe(x))
  end
  local list = {}
  for i = 1, #x do
    local text = x[i]
    if words.is_plain(text) and #text == 1 then text = text[1] end
    if type(text) ~= "string" then self:fail("text %d is %s, a string is wanted", i, words.describe(x[i])) end
    list[i] = text
  end
  return list
end

--- Finds the vocabulary in texts: a list of strings.
function TextVectorization:adapt(data)
  local texts = texts_of(self, data)
  self:learn(function(each)
    for _, text in ipairs(texts) do each(tokens_of(self, text)) end
  end)
end

-- Rows of numbers, filled with `filling` or cut to one length.
local function rectangle(rows, length, filling)
  for _, row in ipairs(rows) do
    for i = #row + 1, length do row[i] = filling end
    for i = #row, length + 1, -1 do row[i] = nil end
  end
  if length == 0 or #rows == 0 then return core.full({ #rows, length }, 0, "int64") end
  return core.tensor(rows, "int64")
end

function TextVectorization:__call(x)
  local is_single = type(x) == "string"
  local texts, rows, longest = texts_of(self, x), {}, 0
  self:need_vocabulary()
  for i, text in ipairs(texts) do
    local row = {}
    for k, token in ipairs(tokens_of(self, text)) do
      row[k] = self.number_of[token] or (token == self.args.mask_token and 0) or self:first() - 1
    end
    rows[i], longest = row, math.max(longest, #row)
  end
  local is_int = self.args.output_mode == "int"
  local y = self:output(rectangle(rows, is_int and self.args.output_sequence_length or longest, is_int and 0 or -1))
  if is_int and self.args.split == nil and not self.args.output_sequence_length then y = y:squeeze(2) end
  return is_single and y[1] or y
end

return TextVectorization
