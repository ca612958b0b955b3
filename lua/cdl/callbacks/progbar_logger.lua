--- Shows how a run goes on: a bar on a terminal (verbose 1), one line an epoch (verbose 2).
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"
local progbar = require "cdl.progbar"

local ProgbarLogger = BuiltIn:extend "ProgbarLogger"

ProgbarLogger.doc = "shows how a run goes on (keras.callbacks.ProgbarLogger)"

-- The loop calls the batch hooks at most so often, in seconds.
ProgbarLogger.batch_interval = 0.1

function ProgbarLogger:init()
  self.inside_fit = false
end

--- 0, 1 or 2 in place of "auto": a bar where a terminal shows it.
function ProgbarLogger.resolve_verbose(verbose)
  if verbose ~= "auto" then return verbose end
  return core.terminal_width() and 1 or 2
end

function ProgbarLogger:set_params(params)
  self.params = params
  self.verbose = ProgbarLogger.resolve_verbose(params.verbose)
  self.epochs = params.epochs
end

local function start(self, title)
  if self.verbose == 0 then return end
  if self.bar then self.bar:abandon() end -- of an epoch that was left
  self.seen = 0
  self.target = self.params.steps -- a stream's length is known after its first pass
  self.bar = progbar.new { target = self.target, title = title, verbose = self.verbose }
end

local function step(self, batch, logs)
  self.seen = batch
  if self.verbose == 1 and self.bar then self.bar:update(batch, logs) end
end

-- The number of batches is not known where batch hooks are not called for each one.
local function finish(self, logs)
  if not self.bar then return end
  self.bar:finish(self.params.steps or self.seen, logs)
  self.bar = nil
end

function ProgbarLogger:on_train_begin() self.inside_fit = true end

function ProgbarLogger:on_epoch_begin(epoch)
  start(self, self.epochs > 1 and ("Epoch %d/%d"):format(epoch, self.epochs) or nil)
end

function ProgbarLogger:on_train_batch_end(batch, logs) step(self, batch, logs) end

function ProgbarLogger:on_epoch_end(_, logs) finish(self, logs) end

function ProgbarLogger:on_test_begin()
  if not self.inside_fit then start(self) end
end

function ProgbarLogger:on_test_batch_end(batch, logs)
  if not self.inside_fit then step(self, batch, logs) end
end

function ProgbarLogger:on_test_end(logs)
  if not self.inside_fit then finish(self, logs) end
end

function ProgbarLogger:on_predict_begin()
  if not self.inside_fit then start(self) end
end

function ProgbarLogger:on_predict_batch_end(batch)
  if not self.inside_fit then step(self, batch, {}) end
end

function ProgbarLogger:on_predict_end()
  if not self.inside_fit then finish(self, {}) end
end

function ProgbarLogger:on_exit()
  -- A run that ends inside an epoch leaves the cursor in the bar's line.
  if self.bar then self.bar:abandon() end
  self.bar, self.inside_fit = nil, false
end

return ProgbarLogger
