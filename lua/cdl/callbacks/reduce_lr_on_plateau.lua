--- Lowers the learning rate when a metric has stopped improving.
local signature = require "cdl.signature"
local Monitor = require "cdl.callbacks.monitor"

local ReduceLROnPlateau = Monitor:extend "ReduceLROnPlateau"

ReduceLROnPlateau.signature = signature.new("ReduceLROnPlateau", {
  { "monitor", "string", "val_loss", doc = "name in the logs" },
  { "factor", "number", 0.1, below = 1, doc = "the new rate is the old one times this" },
  { "patience", "integer", 10, min = 0, doc = "epochs without improvement before it is lowered" },
  { "verbose", "integer", 0, doc = "1 prints what is done" },
  { "mode", "string", "auto", doc = "'min', 'max', or 'auto': as the compiled metric says" },
  { "min_delta", "number", 1e-4, doc = "a smaller change is no improvement" },
  { "cooldown", "integer", 0, min = 0, doc = "epochs to wait after a reduction" },
  { "min_lr", "number", 0, doc = "the rate is never lowered below this" },
}, { doc = "lowers the learning rate on a plateau (keras.callbacks.ReduceLROnPlateau)" })

function ReduceLROnPlateau:init(...)
  local args = ReduceLROnPlateau.signature:read(...)
  self:start_monitor(args)
  self.factor, self.patience, self.verbose = args.factor, args.patience, args.verbose
  self.cooldown, self.min_lr = args.cooldown, args.min_lr
  self:on_train_begin()
end

function ReduceLROnPlateau:on_train_begin()
  self.best, self.cooldown_counter, self.wait = nil, 0, 0
end

-- The optimizer keeps its rate as float32, so one that was set to min_lr may read as slightly
-- above it.
local function as_float32(x) return (string.unpack("f", string.pack("f", x))) end

local function reduce(self, epoch)
  local optimizer = self.model.optimizer
  local old = optimizer.learning_rate
  if as_float32(old) <= as_float32(self.min_lr) then return end
  local new = math.max(old * self.factor, self.min_lr)
  optimizer.learning_rate = new
  if self.verbose > 0 then
    print(("\nEpoch %d: ReduceLROnPlateau reducing learning rate to %s."):format(epoch,
      self.short_number(new)))
  end
  self.cooldown_counter, self.wait = self.cooldown, 0
end

function ReduceLROnPlateau:on_epoch_end(epoch, logs)
  logs = logs or {}
  self:monitor_direction()
  logs.learning_rate = self:learning_optimizer().learning_rate
  local value = self:read_value(logs, "Learning rate reduction is")
  if not value then return end
  if self.cooldown_counter > 0 then
    self.cooldown_counter = self.cooldown_counter - 1
    self.wait = 0
  end
  if self:is_improvement(value, self.best) then
    self.best, self.wait = value, 0
  elseif self.cooldown_counter == 0 then
    self.wait = self.wait + 1
    if self.wait >= self.patience then reduce(self, epoch) end
  end
end

function ReduceLROnPlateau:state()
  return { best = self.best, wait = self.wait, cooldown_counter = self.cooldown_counter }
end

function ReduceLROnPlateau:load_state(state)
  self.best, self.wait, self.cooldown_counter = state.best, state.wait, state.cooldown_counter
end

return ReduceLROnPlateau
