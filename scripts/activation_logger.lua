-- Writes what every layer makes of one validation sample, at the end of each epoch: a callback with a
-- model of its own that shares the trained layers. NumPy reads the files.
--
--     cdl scripts/activation_logger.lua [epochs [folder]]
local cdl = require "cdl"
local layers = cdl.layers

local epochs, folder = tonumber(arg[1] or 3), arg[2] or "."

local ActivationLogger = cdl.Callback:extend "ActivationLogger"
function ActivationLogger:set_model(model)
  self.model = model
  local outputs = {}
  for i, layer in ipairs(model.layers) do outputs[i] = layer.output end
  self.activations_model = cdl.Model { inputs = model.input, outputs = outputs }
end
function ActivationLogger:on_epoch_end(epoch, logs)
  if not self.validation_data then error "ActivationLogger requires validation_data" end
  local sample = self.validation_data[1][{ {1, 1} }]
  cdl.io.savez((folder .. "/activations_at_epoch_%d.npz"):format(epoch),
    self.activations_model:predict(sample, {verbose = 0}))
end

cdl.random.seed(1)
local x, y = cdl.datasets.synthetic.digits { n_samples = 600 }
local model = cdl.Sequential {
  layers.Flatten { input_shape = table.move(x.shape, 2, x.ndim, 1, {}) },
  layers.Dense { 32, activation = "relu" },
  layers.Dense { 10, activation = "softmax" },
}
model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }
model:fit(x, y, { epochs = epochs, validation_split = 0.2, callbacks = { ActivationLogger() } })

local arrays = cdl.io.loadz((folder .. "/activations_at_epoch_%d.npz"):format(epochs))
for name, array in cdl.utils.sorted_pairs(arrays) do
  print(name, "{" .. table.concat(array.shape, ", ") .. "}", ("mean %.4f"):format(array:astype "float32":mean():item()))
end
