--- Texts as numbers: each word has one, frequent words have small ones (Keras's Tokenizer).
--
--     local tokenizer = cdl.utils.Tokenizer { num_words = 1000 }
--     tokenizer:fit_on_texts(samples)
--     local sequences = tokenizer:texts_to_sequences(samples)          -- lists of numbers
--     local x = tokenizer:texts_to_matrix(samples, "binary")           -- {samples, 1000}
--
-- Fields, as in Keras: word_counts word_docs word_index (by word), index_word index_docs (by
-- number), document_count, and the arguments. Number 0 is nobody's, so that it can fill.
local class = require "cdl.class"
local core = require "cdl.core"
local json = require "cdl.json"
local ops = require "cdl.ops"
local signature = require "cdl.signature"
local text = require "cdl.utils.text"
local words = require "cdl.words"

local Tokenizer = class "Tokenizer"

Tokenizer.signature = signature.new("Tokenizer", {
  { "num_words", "integer", min = 1, doc = "only words whose number is smaller are used; left out: all" },
  text.rows[1], text.rows[2], text.rows[3],
  { "char_level", "boolean", false, doc = "whether every character counts as a word" },
  { "oov_token", "string", doc = "stands for unknown words, which are left out otherwise; its number is 1" },
  { "analyzer", "function", doc = "gives the list of a text's words; left out: filters, lower and split do" },
}, { doc = "numbers for words, the most frequent first" })

local arguments = { "num_words", "filters", "lower", "split", "char_level", "oov_token", "analyzer" }

function Tokenizer:init(...)
  local args = Tokenizer.signature:read(...)
  for _, name in ipairs(arguments) do self[name] = args[name] end
  self.document_count = 0
  self.word_counts, self.word_docs, self.word_index = {}, {}, {}
  self.index_docs, self.index_word = {}, {}
  self.seen = {} -- the words in the order of their first use, which decides between equal counts
end

-- A function that gives the words of one of the texts.
local function reader(self, where)
  local split = text.splitter(self.filters, self.lower, self.split)
  return function(sample, i)
    if type(sample) == "string" then
      if self.char_level then return text.characters(self.lower and text.lower(sample) or sample) end
      return (self.analyzer or split)(sample)
    elseif not words.is_plain(sample) then
      core.raise(("%s: text %d must be a string or a list of words, got %s"):format(where, i, words.describe(sample)))
    end
    local list = {}
    for k, word in ipairs(sample) do
      if type(word) ~= "string" then
        core.raise(("%s: word %d of text %d must be a string, got %s"):format(where, k, i, words.describe(word)))
      end
      list[k] = self.lower and text.lower(word) or word
    end
    return list
  end
end

local function define(name, rows, doc, body)
  Tokenizer[name] = signature.method(name, { { "self", "any", required = true }, table.unpack(rows) }, doc, body)
end

local texts_row = { "texts", "data", required = true, doc = "a list of texts; a list of words is a text, too" }
local sequences_row = { "sequences", "data", required = true, doc = "a list of lists of numbers, or of tensors" }
local mode_row = { "mode", { "binary", "count", "tfidf", "freq" }, "binary",
  doc = "whether a word is there, how often, how often times how telling, or its share of the text" }

local function check_list(where, what, list)
  if words.is_plain(list) then return list end
  return core.raise(("%s: %s must be a list, got %s"):format(where, what, words.describe(list)))
end

local function count_words(self, list)
  local here = {}
  for _, word in ipairs(list) do
    local count = self.word_counts[word]
    if not count then self.seen[#self.seen + 1] = word end
    self.word_counts[word] = (count or 0) + 1
    if not here[word] then
      here[word] = true
      self.word_docs[word] = (self.word_docs[word] or 0) + 1
    end
  end
end

-- Numbers the words anew, the most frequent first.
local function number_words(self)
  local place, ranked = {}, table.move(self.seen, 1, #self.seen, 1, {})
  for i, word in ipairs(ranked) do place[word] = i end
  local counts = self.word_counts
  table.sort(ranked, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return place[a] < place[b]
  end)
  if self.oov_token then table.insert(ranked, 1, self.oov_token) end
  self.word_index, self.index_word = {}, ranked
  for i, word in ipairs(ranked) do self.word_index[word] = i end
  for word, count in pairs(self.word_docs) do self.index_docs[self.word_index[word]] = count end
end

define("fit_on_texts", { texts_row }, "Counts the words of texts, and numbers all words seen so far.",
  function(self, texts)
    local read = reader(self, "fit_on_texts")
    for i, sample in ipairs(check_list("fit_on_texts", "texts", texts)) do
      self.document_count = self.document_count + 1
      count_words(self, read(sample, i))
    end
    number_words(self)
  end)

-- A sequence as a list of numbers.
local function read_sequence(where, sequence, i)
  if core.is_tensor(sequence) and sequence.ndim == 1 then return sequence:totable() end
  if words.is_plain(sequence) then return sequence end
  return core.raise(("%s: sequence %d must be a list of numbers or a tensor {n}, got %s"):format(where, i,
    words.describe(sequence)))
end

define("fit_on_sequences", { sequences_row },
  "Counts in how many sequences each number stands, which texts_to_matrix needs for tfidf.",
  function(self, sequences)
    for i, sequence in ipairs(check_list("fit_on_sequences", "sequences", sequences)) do
      self.document_count = self.document_count + 1
      local here = {}
      for _, number in ipairs(read_sequence("fit_on_sequences", sequence, i)) do
        if not here[number] then self.index_docs[number] = (self.index_docs[number] or 0) + 1 end
        here[number] = true
      end
    end
  end)

define("texts_to_sequences", { texts_row }, "The numbers of the texts' words, a list for each text.",
  function(self, texts)
    local read, index, limit = reader(self, "texts_to_sequences"), self.word_index, self.num_words or math.huge
    local unknown, sequences = self.oov_token and index[self.oov_token], {}
    for i, sample in ipairs(check_list("texts_to_sequences", "texts", texts)) do
      local sequence = {}
      for _, word in ipairs(read(sample, i)) do
        local number = index[word]
        if not number or number >= limit then number = unknown end
        sequence[#sequence + 1] = number
      end
      sequences[i] = sequence
    end
    return sequences
  end)

define("sequences_to_texts", { sequences_row }, "The words of sequences of numbers, joined by blanks.",
  function(self, sequences)
    local limit, texts = self.num_words or math.huge, {}
    local unknown = self.oov_token and self.word_index[self.oov_token] and self.oov_token
    for i, sequence in ipairs(check_list("sequences_to_texts", "sequences", sequences)) do
      local list = {}
      for _, number in ipairs(read_sequence("sequences_to_texts", sequence, i)) do
        local word = self.index_word[math.tointeger(number)]
        if not word or number >= limit then word = unknown end
        list[#list + 1] = word
      end
      texts[i] = table.concat(list, " ")
    end
    return texts
  end)

-- How much a word that stands `count` times among `total` counts, by mode.
local weights = {}
function weights.binary() return 1 end
function weights.count(count) return count end
function weights.freq(count, total) return count / total end
-- Scheme 2 of https://en.wikipedia.org/wiki/Tf%E2%80%93idf
function weights.tfidf(count, _, self, number)
  local telling = math.log(1 + self.document_count / (1 + (self.index_docs[number] or 0)))
  return (1 + math.log(count)) * telling
end

define("sequences_to_matrix", { sequences_row, mode_row },
  "A row for each sequence, float32 {sequences, num_words}; word number n has the column n + 1.",
  function(self, sequences, mode)
    local width = self.num_words or (#self.index_word > 0 and #self.index_word + 1)
    if not width then
      core.raise "sequences_to_matrix: the number of columns is not known; give num_words, or fit on texts first"
    elseif mode == "tfidf" and self.document_count == 0 then
      core.raise "sequences_to_matrix: tfidf needs counts of documents; fit on texts or sequences first"
    end
    local places, values, weight = {}, {}, weights[mode]
    for i, sequence in ipairs(check_list("sequences_to_matrix", "sequences", sequences)) do
      local list, counts = read_sequence("sequences_to_matrix", sequence, i), {}
      for _, number in ipairs(list) do
        if not math.tointeger(number) or number < 0 then
          core.raise(("sequences_to_matrix: sequence %d holds %s; wanted integers from 0"):format(i,
            words.literal(number)))
        end
        if number < width then counts[number] = (counts[number] or 0) + 1 end
      end
      for number, count in pairs(counts) do
        places[#places + 1] = (i - 1) * width + number
        values[#values + 1] = weight(count, #list, self, number)
      end
    end
    if #places == 0 then return ops.zeros { #sequences, width } end
    local flat = ops.scatter(ops.reshape(core.tensor(places, "int64"), { -1, 1 }), core.tensor(values),
      { #sequences * width })
    return ops.reshape(flat, { #sequences, width })
  end)

define("texts_to_matrix", { texts_row, mode_row },
  "A row for each text, float32 {texts, num_words}; word number n has the column n + 1.", function(self, texts, mode)
    return self:sequences_to_matrix(self:texts_to_sequences(texts), mode)
  end)

local function or_null(value)
  if value == nil then return signature.null end
  return value
end

-- A table by number as JSON has it: by text.
local function by_text(map)
  local result = {}
  for key, value in pairs(map) do result[tostring(key)] = value end
  return json.encode(result)
end

define("get_config", {}, "The arguments and the counts, which are JSON texts, as in Keras.", function(self)
  return { num_words = or_null(self.num_words), filters = self.filters, lower = self.lower, split = self.split,
    char_level = self.char_level, oov_token = or_null(self.oov_token), document_count = self.document_count,
    word_counts = json.encode(self.word_counts), word_docs = json.encode(self.word_docs),
    index_docs = by_text(self.index_docs), index_word = by_text(self.index_word),
    word_index = json.encode(self.word_index) }
end)

define("to_json", {}, "The tokenizer as a JSON text, which Keras's tokenizer_from_json reads, too.", function(self)
  return json.encode { class_name = "Tokenizer", config = self:get_config() }
end)

-- The whole numbers that a JSON text gives by name; with `numbered`, by numbers written as names.
local function read_map(text_of, what, numbered)
  local map, message = json.decode(type(text_of) == "string" and text_of or "")
  if type(map) ~= "table" then
    core.raise(("tokenizer_from_json: %s is no JSON object: %s"):format(what, message or words.describe(map)))
  end
  local result = {}
  for key, value in pairs(map) do result[numbered and math.tointeger(tonumber(key)) or key] = value end
  return result
end

local function read_config(json_string)
  local whole, message = json.decode(json_string)
  if whole == nil then core.raise("tokenizer_from_json: " .. message) end
  local config = type(whole) == "table" and whole.config
  if type(config) ~= "table" then core.raise "tokenizer_from_json: there is no 'config'" end
  return config
end

--- A tokenizer as to_json, here or in Keras, has written it.
function Tokenizer.from_json(json_string)
  local config, args = read_config(json_string), {}
  for _, name in ipairs(arguments) do
    if config[name] ~= signature.null then args[name] = config[name] end
  end
  local self = Tokenizer(args)
  self.document_count = config.document_count or 0
  for _, name in ipairs { "word_counts", "word_docs", "word_index" } do self[name] = read_map(config[name], name) end
  for _, name in ipairs { "index_docs", "index_word" } do self[name] = read_map(config[name], name, true) end
  -- Among words that stand equally often, those with smaller numbers were seen first.
  for word in pairs(self.word_counts) do self.seen[#self.seen + 1] = word end
  table.sort(self.seen, function(a, b) return (self.word_index[a] or 0) < (self.word_index[b] or 0) end)
  return self
end

return Tokenizer
