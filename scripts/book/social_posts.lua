package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 7.1: three outputs: the age, the income and the gender of whoever wrote a post. The posts are made up:
-- the three decide which words are frequent.
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local words, length, samples, incomes = 300, book.size(100, 60), book.size(4000, 64), 5

-- Half of the words are noise; of the others a third each tells of one of the three.
local function write_posts()
  local age = cdl.random.uniform { shape = { samples, 1 }, minval = 15, maxval = 75 }
  local income = cdl.random.randint { shape = { samples, 1 }, low = 0, high = incomes }
  local gender = cdl.random.randint { shape = { samples, 1 }, low = 0, high = 2 }
  local shape = { samples, length }
  local topics = { 10 + ((age - 15) / 2):floor():astype "int64", 60 + income, 80 + gender }
  local noise = cdl.random.randint { shape = shape, low = 100, high = words }
  local posts, topic = noise, cdl.random.randint { shape = shape, low = 0, high = 6 }
  for i, word in ipairs(topics) do posts = cdl.where(topic:eq(i - 1), word, posts) end
  return posts:astype "int32", { age = age, income = income:squeeze(2), gender = gender }
end
local x, y = write_posts()

local posts = cdl.Input { shape = { length }, dtype = "int32", name = "posts" }
local hidden = layers.Embedding(words, 32)(posts)
hidden = layers.Conv1D(32, 5, { activation = "relu" })(hidden)
hidden = layers.MaxPooling1D(5)(hidden)
hidden = layers.Conv1D(64, 5, { activation = "relu" })(hidden)
hidden = layers.GlobalMaxPooling1D()(hidden)
hidden = layers.Dense(64, { activation = "relu" })(hidden)
local model = cdl.Model { inputs = posts, outputs = {
  layers.Dense(1, { name = "age" })(hidden),
  layers.Dense(incomes, { activation = "softmax", name = "income" })(hidden),
  layers.Dense(1, { activation = "sigmoid", name = "gender" })(hidden),
} }
-- The error of the age is squared; the weights bring the three losses to one size.
model:compile { optimizer = "rmsprop",
  loss = { age = "mse", income = "sparse_categorical_crossentropy", gender = "binary_crossentropy" },
  loss_weights = { age = 0.005, income = 1, gender = 1 },
  metrics = { age = "mae", income = "accuracy", gender = "accuracy" } }
local history = model:fit(x, y, { epochs = book.size(12, 1), batch_size = 64, validation_split = 0.2, verbose = 2 })

book.report("error of the age in years", history:best "val_age_mae", "guessing: 15")
book.report("accuracy of the income", history:best "val_income_accuracy", "guessing: 0.2")
book.report("accuracy of the gender", history:best "val_gender_accuracy", "guessing: 0.5")
