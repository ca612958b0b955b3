--- Records each epoch's logs; fit returns one.
--
--     history.history.val_loss[3]; history.epoch; history.stop_reason
--     local loss, epoch = history:best "val_loss"
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"
local signature = require "cdl.signature"
local words = require "cdl.words"

local History = BuiltIn:extend "History"

History.doc = "records each epoch's logs (keras.callbacks.History)"

function History:init()
  self.history, self.epoch = {}, {}
  self.epochs_of = {} -- for each name the epoch of each of its values
end

function History:set_model(model)
  self.model = model
  model.history = self
end

function History:on_train_begin() self.epoch = {} end

function History:on_epoch_end(epoch, logs)
  logs = logs or {}
  self.epoch[#self.epoch + 1] = epoch
  for name, value in pairs(logs) do
    local values = self.history[name]
    if not values then
      values = {}
      self.history[name], self.epochs_of[name] = values, {}
    end
    values[#values + 1] = value
    self.epochs_of[name][#values] = epoch
  end
end

function History:on_exit(reason) self.stop_reason = reason end

--- Forgets the epochs behind that one.
function History:cut(epoch)
  local function shorten(epochs, ...)
    while #epochs > 0 and epochs[#epochs] > epoch do
      for _, list in ipairs { epochs, ... } do list[#list] = nil end
    end
  end
  shorten(self.epoch)
  for name, values in pairs(self.history) do
    shorten(self.epochs_of[name], values)
    if #values == 0 then self.history[name], self.epochs_of[name] = nil, nil end
  end
end

local function find_mode(self, name)
  local metric = name:gsub("^val_", "")
  if metric == "loss" then return "min" end
  local model = self.model
  return model and model._metric_direction and model:_metric_direction(metric)
end

History.best = signature.method("best", {
  { "history", "any", required = true },
  { "name", "string", required = true, doc = "a metric: loss, val_accuracy ..." },
  { "mode", { "min", "max" }, doc = "needed only where the compiled metric has no direction" },
}, "The best value of a metric and its epoch. nan is never the best.", function(self, name, mode)
  local values = self.history[name]
  if not values then
    local names = {}
    for known in pairs(self.history) do names[#names + 1] = known end
    table.sort(names)
    core.raise(("best: the history has no '%s'%s; it has %s"):format(name, words.suggestion(name, names),
      #names > 0 and table.concat(names, ", ") or "nothing"))
  end
  mode = mode or find_mode(self, name)
  if not mode then
    core.raise(("best: whether '%s' should go up or down is not known; pass 'min' or 'max'"):format(name))
  end
  local best, epoch
  for i, value in ipairs(values) do
    if type(value) ~= "number" then
      core.raise(("best: '%s' is not a number in epoch %d"):format(name, self.epochs_of[name][i]))
    end
    local better = best == nil or best ~= best or (mode == "min" and value < best)
      or (mode == "max" and value > best)
    if better and (value == value or best == nil) then best, epoch = value, self.epochs_of[name][i] end
  end
  return best, epoch
end)

function History:state()
  return { history = self.history, epoch = self.epoch, epochs_of = self.epochs_of }
end

function History:load_state(state)
  self.history, self.epoch, self.epochs_of = state.history, state.epoch, state.epochs_of
end

function History:__tostring()
  return ("<History of %d epochs: %s>"):format(#self.epoch, self.names_of(self.history))
end

return History
