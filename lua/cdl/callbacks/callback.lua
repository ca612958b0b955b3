--- The base class of callbacks. It defines no hook; a subclass or an instance defines those that
-- it wants, and only those cost anything.
--
-- Hooks: on_train_begin/end(logs), on_epoch_begin/end(epoch, logs),
-- on_train_batch_begin/end(batch, logs) (or on_batch_begin/end), on_test_begin/end(logs),
-- on_test_batch_begin/end(batch, logs), on_predict_begin/end(logs),
-- on_predict_batch_begin/end(batch, logs), on_exception(err), on_exit(reason). Epochs and
-- batches count from 1. A plain table with such functions is a callback too.
--
-- state() gives what a snapshot of the run keeps of the callback, a table of numbers, strings,
-- booleans, tables and tensors; load_state(t) takes it back, after on_train_begin: where a run goes on
-- within an epoch, again after on_epoch_begin, and whenever a hook rewinds the run. Hooks run in the
-- order of the list; where the field runs_last names a hook ({on_epoch_end = true}) this callback
-- comes after all others. batch_interval: a callback hears of batches at most every so many seconds.
local class = require "cdl.class"

local Callback = class "Callback"

Callback.doc = "base class of callbacks: define the hooks that you want"

--- Gives the callback its model; called before the first hook.
function Callback:set_model(model) self.model = model end

--- Gives the callback the run's parameters: epochs, steps (nil when unknown), verbose.
function Callback:set_params(params) self.params = params end

--- A number as the callbacks' messages print it: at most six digits.
function Callback.short_number(x)
  local template = require "cdl.template"
  return template.number(math.type(x) == "integer" and x or tonumber(("%.6g"):format(x)) or x)
end

--- The model; raises when a hook is called by hand before set_model.
function Callback:need_model()
  if self.model then return self.model end
  require "cdl.core".raise(("%s: it has no model yet; call set_model first"):format(class.name_of(self)))
end

--- The model's optimizer; raises when there is none whose learning rate could be set.
function Callback:learning_optimizer()
  local optimizer = self:need_model().optimizer
  if optimizer and optimizer.learning_rate ~= nil then return optimizer end
  require "cdl.core".raise(("%s: the model has no optimizer with a learning rate"):format(class.name_of(self)))
end

--- The names in logs in alphabetical order, for messages: "loss,val_loss".
function Callback.names_of(logs)
  local names = {}
  for name in pairs(logs) do names[#names + 1] = tostring(name) end
  table.sort(names)
  return table.concat(names, ",")
end

return Callback
