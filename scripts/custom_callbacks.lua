-- Five short callbacks, each showing one power: to stop, to steer, to look, to save, to add what the next
-- ones see. Any table with hooks is a callback.
--
--     cdl scripts/custom_callbacks.lua [epochs]
local cdl = require "cdl"
local layers = cdl.layers

local epochs = tonumber(arg[1] or 12)
cdl.random.seed(2)
local x, y = cdl.datasets.synthetic.spirals { n_samples = 900, n_classes = 3 }

-- 1. Stops: when training has reached what was wanted.
local good_enough = {
  name = "good_enough",
  on_epoch_end = function(self, epoch, logs)
    if logs.val_accuracy > 0.97 then
      print(("epoch %d: good enough"):format(epoch))
      self.model.stop_training = true
    end
  end,
}

-- 2. Steers: warms the learning rate up over the first 40 batches. Assigning it acts on the next step.
local warm_up = {
  name = "warm_up",
  on_train_begin = function(self) self.target, self.steps = self.model.optimizer.learning_rate, 0 end,
  on_train_batch_begin = function(self)
    self.steps = self.steps + 1
    if self.steps <= 40 then self.model.optimizer.learning_rate = self.target * self.steps / 40 end
  end,
}

-- 3. Looks: how much of a layer is dead, measured with a model that shares its weights.
local DeadUnits = cdl.Callback:extend "DeadUnits"
function DeadUnits:init(name) self.layer = name end
function DeadUnits:set_model(model)
  self.model = model
  self.probe = cdl.Model { inputs = model.input, outputs = model:get_layer(self.layer).output }
end
function DeadUnits:on_epoch_end(epoch, logs)
  local active = self.probe:predict(self.validation_data[1], { verbose = 0 }):gt(0):any(1)
  logs.dead_units = self.probe.output_shape[2] - active:sum():item() -- what is added, later callbacks see
end

-- 4. Saves: keeps the best weights in memory, and puts them back at the end.
local keep_best = {
  name = "keep_best",
  on_train_begin = function(self) self.best = math.huge end,
  on_epoch_end = function(self, _, logs)
    if logs.val_loss < self.best then self.best, self.weights = logs.val_loss, self.model:get_weights() end
  end,
  on_train_end = function(self) if self.weights then self.model:set_weights(self.weights) end end,
}

-- 5. Tells: reads what the others have added, and says how the run ended, whatever the reason.
local reporter = {
  name = "reporter",
  on_epoch_end = function(_, epoch, logs)
    print(("epoch %2d  loss %.3f  val_accuracy %.3f  dead units %d"):format(epoch, logs.loss, logs.val_accuracy,
      logs.dead_units))
  end,
  on_exit = function(_, reason) print("ended: " .. reason) end,
}

local model = cdl.Sequential {
  layers.Dense { 64, activation = "relu", input_shape = { 2 }, name = "first" },
  layers.Dense { 64, activation = "relu" },
  layers.Dense { 3, activation = "softmax" },
}
model:compile { optimizer = cdl.optimizers.Adam { learning_rate = 0.01 }, loss = "sparse_categorical_crossentropy",
  metrics = { "accuracy" } }
model:fit(x, y, { epochs = epochs, batch_size = 32, verbose = 0, validation_split = 0.2, callbacks = {
  warm_up, DeadUnits "first", keep_best, good_enough, reporter } })
