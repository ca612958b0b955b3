package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 8.1: an LSTM that has read Nietzsche goes on writing, letter by letter. The text is nietzsche.txt in
-- $CDL_DATA (https://s3.amazonaws.com/text-datasets/nietzsche.txt).
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local length, step = 60, 3

local function read_text()
  local path = (os.getenv "CDL_DATA" or ".") .. "/nietzsche.txt"
  local file = io.open(path)
  if not file then
    error("the text is missing: put nietzsche.txt (https://s3.amazonaws.com/text-datasets/nietzsche.txt) into the "
      .. "folder that CDL_DATA names", 0)
  end
  return file:read "a":lower()
end
local text = book.data(read_text, function() return ("so it goes on and on. "):rep(30) end)

-- Letters by number, from 0, and numbers by letter.
local letters, number = {}, {}
for byte in text:gmatch "." do
  if not number[byte] then
    letters[#letters + 1] = byte
    number[byte] = 0
  end
end
table.sort(letters)
for i, byte in ipairs(letters) do number[byte] = i - 1 end

local numbers = {}
for i = 1, #text do numbers[i] = number[text:sub(i, i)] end
local all = cdl.tensor(numbers, "uint8")
print(("%d letters, %d of them different"):format(#text, #letters))

-- Pieces of 60 letters, and the letter behind each.
local starts = cdl.arange(0, #text - length - 1, step, "int64")
local x = all:gather(starts:reshape { -1, 1 } + cdl.arange(0, length - 1, 1, "int64"):reshape { 1, -1 }, 1)
local y = all:gather(starts + length, 1)

local model = cdl.Sequential {
  layers.Input { shape = { length }, dtype = "uint8" },
  layers.Lambda(function(ids) return cdl.one_hot(ids, #letters) end),
  layers.LSTM(128),
  layers.Dense { #letters, activation = "softmax" },
}
model:compile { optimizer = cdl.optimizers.RMSprop { learning_rate = 0.01 }, loss = "sparse_categorical_crossentropy" }

-- The next letter, drawn with probabilities to the power 1 / temperature.
local function draw(probabilities, temperature)
  return cdl.random.categorical(probabilities:log() / temperature, 1):item()
end

local function write(seed, temperature, count)
  local ids, written = table.move(seed, 1, #seed, 1, {}), {}
  for i = 1, count do
    local last = cdl.tensor(table.move(ids, #ids - length + 1, #ids, 1, {}), "uint8")
    local id = draw(model:predict_on_batch(last:reshape { 1, length }), temperature)
    ids[#ids + 1], written[i] = id, letters[id + 1]
  end
  return table.concat(written)
end

local samples = { on_epoch_end = function(_, epoch)
  local first = cdl.random.randint { shape = { 1 }, low = 1, high = #numbers - length }[1]
  local seed = table.move(numbers, first, first + length - 1, 1, {})
  print(("\nafter epoch %d, from: %s"):format(epoch, (text:sub(first, first + length - 1):gsub("\n", " "))))
  for _, temperature in ipairs { 0.2, 0.5, 1.0 } do
    print(("-- temperature %.1f\n%s"):format(temperature, write(seed, temperature, book.size(200, 5))))
  end
end }
local history = model:fit(x, y, { batch_size = 128, epochs = book.size(8, 1), verbose = 2, callbacks = samples })
book.report("lowest loss", history:best "loss", "the book: about 1.3 after 60 epochs")
