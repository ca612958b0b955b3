--- Sets the learning rate at the begin of each epoch, by a function of the user.
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"
local signature = require "cdl.signature"
local template = require "cdl.template"

local LearningRateScheduler = BuiltIn:extend "LearningRateScheduler"

LearningRateScheduler.signature = signature.new("LearningRateScheduler", {
  { "schedule", "function", required = true,
    doc = "schedule(epoch, learning_rate) -> the epoch's rate; epochs count from 1" },
  { "verbose", "integer", 0, doc = "1 prints the rate" },
}, { doc = "sets each epoch's learning rate (keras.callbacks.LearningRateScheduler)" })

function LearningRateScheduler:init(...)
  local args = LearningRateScheduler.signature:read(...)
  self.schedule, self.verbose = args.schedule, args.verbose
end

function LearningRateScheduler:on_epoch_begin(epoch)
  local optimizer = self:learning_optimizer()
  local rate = self.schedule(epoch, optimizer.learning_rate)
  if type(rate) ~= "number" then
    core.raise(("LearningRateScheduler: the output of the schedule function should be a number, "
      .. "got %s"):format(signature.describe(rate)))
  end
  optimizer.learning_rate = rate
  if self.verbose > 0 then
    print(("\nEpoch %d: LearningRateScheduler setting learning rate to %s."):format(epoch,
      template.number(rate)))
  end
end

function LearningRateScheduler:on_epoch_end(_, logs)
  logs = logs or {}
  logs.learning_rate = self:learning_optimizer().learning_rate
end

return LearningRateScheduler
