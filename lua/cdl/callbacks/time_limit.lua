--- Stops training when its time is over: after the batch that is running then.
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"
local signature = require "cdl.signature"

local TimeLimit = BuiltIn:extend "TimeLimit"

TimeLimit.signature = signature.new("TimeLimit", {
  { "seconds", "number", required = true, above = 0, doc = "how long training may take" },
  { "verbose", "integer", 0, doc = "1 prints that training is stopped" },
}, { doc = "stops training after so many seconds; what a run took before it was cut short counts" })

function TimeLimit:init(...)
  local args = TimeLimit.signature:read(...)
  self.seconds, self.verbose = args.seconds, args.verbose
  self.stopped_epoch, self.used = 0, 0
end

function TimeLimit:on_train_begin()
  self.stopped_epoch, self.used, self.started = 0, 0, core.clock()
end

--- Seconds of training so far, those before a break included.
function TimeLimit:elapsed()
  return self.used + (self.started and core.clock() - self.started or 0)
end

local function check(self)
  if self.stopped_epoch > 0 or self:elapsed() < self.seconds then return end
  self.stopped_epoch = self.epoch
  self.model.stop_training = true
  if self.verbose > 0 then
    print(("\nEpoch %d: time limit of %s seconds reached, stopping training"):format(self.epoch,
      self.short_number(self.seconds)))
  end
end

function TimeLimit:on_epoch_begin(epoch) self.epoch = epoch end

function TimeLimit:on_train_batch_end() check(self) end

function TimeLimit:on_epoch_end() check(self) end

function TimeLimit:state() return { used = self:elapsed(), stopped_epoch = self.stopped_epoch } end

function TimeLimit:load_state(state)
  self.used, self.stopped_epoch = state.used, state.stopped_epoch
  self.started = core.clock()
end

return TimeLimit
