--- Ends training when the loss is nan or infinite.
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"
local signature = require "cdl.signature"
local template = require "cdl.template"

local TerminateOnNaN = BuiltIn:extend "TerminateOnNaN"

TerminateOnNaN.signature = signature.new("TerminateOnNaN", {
  { "raise_error", "boolean", false, doc = "raise an error in place of stopping" },
}, { doc = "ends training when the loss is nan or infinite (keras.callbacks.TerminateOnNaN)" })

function TerminateOnNaN:init(...)
  self.raise_error = TerminateOnNaN.signature:read(...).raise_error
end

function TerminateOnNaN:on_batch_end(batch, logs)
  logs = logs or {}
  local loss = logs.loss
  if type(loss) ~= "number" or (loss == loss and math.abs(loss) < math.huge) then return end
  if self.raise_error then
    core.raise(("NaN or Inf loss encountered at batch %d. Loss value: %s. Terminating training "
      .. "immediately."):format(batch, template.number(loss)))
  end
  print(("Batch %d: Invalid loss, terminating training"):format(batch))
  self.model.stop_training = true
end

TerminateOnNaN.on_train_batch_end = TerminateOnNaN.on_batch_end

return TerminateOnNaN
