-- Two inputs, three outputs: a functional model on synthetic posts. From the words of a post (counts) and
-- the hour it was written it guesses the author's age, income group and whether the post is spam.
--
--     cdl scripts/functional.lua [epochs]
local cdl = require "cdl"
local layers = cdl.layers

local epochs = tonumber(arg[1] or 10)
cdl.random.seed(7)

-- Data with something to find: age, group and spam depend on both inputs.
local n, vocabulary = 2000, 40
local words = cdl.random.normal { shape = { n, vocabulary } }:relu()
local hour = cdl.random.uniform { shape = { n, 2 }, minval = -1, maxval = 1 }
local signal = words[{ {}, { 1, 10 } }]:mean(2) * 2 + hour[{ {}, 1 }]
local age = (signal * 10 + 40):expand_dims(2)
local group = cdl.ops.astype(signal:gt(0.4), "int64") + cdl.ops.astype(signal:gt(1.1), "int64")
local spam = cdl.ops.astype((words[{ {}, 20 }] - hour[{ {}, 2 }]):gt(0.5), "float32"):expand_dims(2)

local words_in = cdl.Input { shape = { vocabulary }, name = "words" }
local hour_in = cdl.Input { shape = { 2 }, name = "hour" }
local text = layers.Dense { 32, activation = "relu" }(words_in)
local time = layers.Dense { 8, activation = "tanh" }(hour_in)
local body = layers.Dense { 32, activation = "relu" }(cdl.concat({ text, time }, -1))
local model = cdl.Model {
  inputs = { words = words_in, hour = hour_in },
  outputs = {
    age = layers.Dense(1, { name = "age_years" })(body),
    group = layers.Dense { 3, activation = "softmax", name = "income_group" }(body),
    spam = layers.Dense { 1, activation = "sigmoid", name = "is_spam" }(body),
  },
}
model:compile {
  optimizer = "rmsprop",
  loss = { age = "mse", group = "sparse_categorical_crossentropy", spam = "binary_crossentropy" },
  loss_weights = { age = 0.02, group = 1, spam = 1 },
  metrics = { age = { "mae" }, group = { "accuracy" }, spam = { "accuracy" } },
}
model:summary()
model:fit({ words = words, hour = hour }, { age = age, group = group, spam = spam },
  { epochs = epochs, batch_size = 64, validation_split = 0.2, verbose = 2 })

local one = model:predict({ words = words[{ { 1, 1 } }], hour = hour[{ { 1, 1 } }] }, { verbose = 0 })
print(("first post: age %.0f (really %.0f), group %d (%d), spam %.2f (%d)"):format(one.age:item(), age[{ 1, 1 }],
  one.group:argmax():item(), group[1], one.spam:item(), spam[{ 1, 1 }]))
