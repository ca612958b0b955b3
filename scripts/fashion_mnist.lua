-- Fashion-MNIST: a dense network, trained with callbacks that watch, save, stop and slow it down.
--
--     cdl scripts/fashion_mnist.lua [epochs [folder for files]]
local cdl = require "cdl"
local layers, callbacks = cdl.layers, cdl.callbacks

local epochs = math.tointeger(tonumber(arg[1] or 10))
local folder = arg[2] or "."
if not epochs then
  io.stderr:write("usage: cdl scripts/fashion_mnist.lua [epochs [folder]]\n")
  os.exit(2)
end

cdl.random.seed(42)
local x_train, y_train, x_test, y_test = cdl.datasets.fashion_mnist.load_data()

local model = cdl.Sequential {
  layers.Input { 28, 28 },
  layers.Lambda(function(x) return x / 255 end, { name = "scale" }),
  layers.Flatten(),
  layers.Dense { 512, activation = "relu" },
  layers.Dropout(0.2),
  layers.Dense { 10, activation = "softmax" },
}
model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }
model:summary()

-- A callback is a table with hooks; no class is needed.
local best_gap = {
  on_train_begin = function(self) self.gap = 0 end,
  on_epoch_end = function(self, epoch, logs)
    if logs.accuracy - logs.val_accuracy > self.gap + 0.01 then
      self.gap = logs.accuracy - logs.val_accuracy
      print(("epoch %d: training accuracy is %.1f points ahead of validation"):format(epoch, 100 * self.gap))
    end
  end,
}

local checkpoint = folder .. "/fashion_mnist.npz"
local history = model:fit(x_train, y_train, {
  batch_size = 128, epochs = epochs, validation_split = 1 / 6,
  callbacks = {
    callbacks.EarlyStopping { monitor = "val_loss", patience = 3 },
    callbacks.ModelCheckpoint { checkpoint, monitor = "val_loss", save_best_only = true, save_weights_only = true },
    callbacks.ReduceLROnPlateau { monitor = "val_loss", factor = 0.3, patience = 1, verbose = 1 },
    callbacks.CSVLogger(folder .. "/fashion_mnist.csv"),
    best_gap,
  },
})

local best, epoch = history:best "val_loss"
print(("best validation loss %.4f in epoch %d; weights in %s"):format(best, epoch, checkpoint))
model:load_weights(checkpoint)
local loss, accuracy = model:evaluate(x_test, y_test, { batch_size = 512 })
print(("test loss %.4f, test accuracy %.4f"):format(loss, accuracy))
