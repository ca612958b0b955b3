package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 7.1: two inputs: a text and a question about it. Texts and questions are made up: the question names a
-- word, and the answer is the word that comes right behind it in the text.
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local samples, length, names, answers = book.size(8000, 64), 20, 6, 8

-- Words: 1 .. names are names, the next ones answers, the others noise.
local words = 1 + names + answers + 20
local function write_texts()
  local text = cdl.random.randint { shape = { samples, length }, low = words - 20, high = words }
  local question = cdl.random.randint { shape = { samples }, low = 1, high = 1 + names }
  local answer = cdl.random.randint { shape = { samples }, low = 0, high = answers }
  local place = cdl.random.randint { shape = { samples, 1 }, low = 0, high = length - 1 }
  local steps = cdl.arange(0, length - 1, 1, "int64"):reshape { 1, length }
  text = cdl.where(steps:eq(place), question:reshape { samples, 1 }, text)
  text = cdl.where(steps:eq(place + 1), (answer + 1 + names):reshape { samples, 1 }, text)
  return text:astype "int32", question:reshape { samples, 1 }:astype "int32", answer
end
local text, question, answer = write_texts()

local text_input = cdl.Input { shape = { length }, dtype = "int32", name = "text" }
local question_input = cdl.Input { shape = { 1 }, dtype = "int32", name = "question" }
local read = layers.LSTM(32)(layers.Embedding(words, 64)(text_input))
local asked = layers.LSTM(16)(layers.Embedding(words, 32)(question_input))
local both = layers.Concatenate()(read, asked)
local model = cdl.Model { inputs = { text_input, question_input },
  outputs = layers.Dense(answers, { activation = "softmax", name = "answer" })(both) }
model:compile { optimizer = "rmsprop", loss = "sparse_categorical_crossentropy", metrics = { "acc" } }
local history = model:fit({ text = text, question = question }, answer, { epochs = book.size(8, 1), batch_size = 64,
  validation_split = 0.2, verbose = 2 })
book.report("accuracy of the answers", history:best "val_acc", "guessing: 0.125")
