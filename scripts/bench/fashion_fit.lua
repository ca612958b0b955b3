package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- The whole job: read Fashion-MNIST, five epochs of 784-512-10 with validation on the test set
-- and the usual callbacks. Its time and its peak memory are those of the process.
local cdl = require "cdl"
local bench = require "common"

local folder = arg[1] or "."
local x_train, y_train, x_test, y_test = cdl.datasets.fashion_mnist.load_data()
local model = cdl.Sequential {
  cdl.layers.Input { 28, 28 },
  cdl.layers.Lambda(function(x) return x:reshape { -1, 784 } / 255 end),
  cdl.layers.Dense { 512, activation = "relu" },
  cdl.layers.Dense { 10, activation = "softmax" },
}
model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy",
  metrics = { "accuracy" } }
local history = model:fit(x_train, y_train, {
  batch_size = 128, epochs = 5, verbose = 2, validation_data = { x_test, y_test },
  callbacks = {
    cdl.callbacks.EarlyStopping { patience = 3 },
    cdl.callbacks.ModelCheckpoint { folder .. "/best.npz", save_best_only = true,
      save_weights_only = true },
    cdl.callbacks.CSVLogger(folder .. "/log.csv"),
  },
})
local accuracy = history.history.val_accuracy
bench.emit("fashion_fit", "val_accuracy", accuracy[#accuracy])
