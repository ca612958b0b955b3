--- Stops training when a metric has stopped improving.
local signature = require "cdl.signature"
local Monitor = require "cdl.callbacks.monitor"

local EarlyStopping = Monitor:extend "EarlyStopping"

EarlyStopping.signature = signature.new("EarlyStopping", {
  { "monitor", "string", "val_loss", doc = "name in the logs" },
  { "min_delta", "number", 0, doc = "a smaller change is no improvement" },
  { "patience", "integer", 0, min = 0, doc = "epochs without improvement before training stops" },
  { "verbose", "integer", 0, doc = "1 prints what is done" },
  { "mode", "string", "auto", doc = "'min', 'max', or 'auto': as the compiled metric says" },
  { "baseline", "number", doc = "value that must be reached for an improvement to count" },
  { "restore_best_weights", "boolean", false, doc = "put back the best epoch's weights at the end" },
  { "start_from_epoch", "integer", 0, min = 0, doc = "number of first epochs to ignore" },
}, { doc = "stops training when a metric has stopped improving (keras.callbacks.EarlyStopping)" })

function EarlyStopping:init(...)
  local args = EarlyStopping.signature:read(...)
  self:start_monitor(args)
  self.patience, self.verbose, self.baseline = args.patience, args.verbose, args.baseline
  self.restore_best_weights = args.restore_best_weights
  self.start_from_epoch = args.start_from_epoch
  self:on_train_begin()
end

function EarlyStopping:on_train_begin()
  self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
  self.best, self.best_weights = nil, nil
end

local function store(self, epoch)
  self.best_epoch = epoch
  if self.restore_best_weights then self.best_weights = self.model:get_weights(self.best_weights) end
end

function EarlyStopping:on_epoch_end(epoch, logs)
  logs = logs or {}
  self:monitor_direction()
  local value = self:read_value(logs, "Early stopping")
  if not value or epoch <= self.start_from_epoch then return end
  if self.restore_best_weights and not self.best_weights then store(self, epoch) end
  self.wait = self.wait + 1
  if self:is_improvement(value, self.best) then
    self.best = value
    store(self, epoch)
    if self.baseline == nil or self:is_improvement(value, self.baseline) then self.wait = 0 end
  elseif self.wait >= self.patience and epoch > 1 then
    self.stopped_epoch = epoch
    self.model.stop_training = true
  end
end

function EarlyStopping:on_train_end()
  if self.stopped_epoch > 0 and self.verbose > 0 then
    print(("Epoch %d: early stopping"):format(self.stopped_epoch))
  end
  if self.restore_best_weights and self.best_weights then
    if self.verbose > 0 then
      print(("Restoring model weights from the end of the best epoch: %d."):format(self.best_epoch))
    end
    self.model:set_weights(self.best_weights)
  end
end

function EarlyStopping:state()
  return {
    wait = self.wait, best = self.best, best_epoch = self.best_epoch,
    stopped_epoch = self.stopped_epoch, best_weights = self.best_weights,
  }
end

function EarlyStopping:load_state(state)
  self.wait, self.best, self.best_epoch = state.wait, state.best, state.best_epoch
  self.stopped_epoch, self.best_weights = state.stopped_epoch, state.best_weights
end

return EarlyStopping
