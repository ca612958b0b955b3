package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- Six convolutions and two dense layers on 32x32x3, Adam, batches of 64, 5 steps an epoch.
local cdl = require "cdl"
local bench = require "common"

local layers = cdl.layers
local stack = { layers.Input { 32, 32, 3 } }
for _, filters in ipairs { 64, 128, 256 } do
  for _ = 1, 2 do
    stack[#stack + 1] = layers.Conv2D(filters, 3, { padding = "same", activation = "relu" })
  end
  stack[#stack + 1] = layers.MaxPooling2D(2)
end
table.move({ layers.Flatten(), layers.Dense { 256, activation = "relu" },
  layers.Dense { 10, activation = "softmax" } }, 1, 3, #stack + 1, stack)
local model = cdl.Sequential(stack)
model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }
bench.train({ workload = "vgg_step", batch = 64, blocks = 4, first = 1024 * 27 * 64,
  rest = 1024 * 576 * 64 + 256 * 576 * 128 + 256 * 1152 * 128 + 64 * 1152 * 256 + 64 * 2304 * 256
    + 4096 * 256 + 2560 }, model, bench.images(64 * 5, 32, 3))
