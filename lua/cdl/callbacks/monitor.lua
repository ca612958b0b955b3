--- What callbacks that watch a metric share: which direction is better, and by how much.
--
-- In mode "auto" the direction comes from the compiled metric of that name ("val_" left out):
-- `loss` goes down; the others say it themselves. It is resolved when an epoch ends for the
-- first time, because metrics need not exist earlier.
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"

local Monitor = BuiltIn:extend "MonitorCallback"

--- Reads the common arguments. `best` begins as given, or nil: the first value is the best.
function Monitor:start_monitor(args, best)
  self.monitor = args.monitor
  self.mode = args.mode
  if self.mode ~= "auto" and self.mode ~= "min" and self.mode ~= "max" then
    core.warn(("%s mode '%s' is unknown, fallback to auto mode"):format(getmetatable(self).__name,
      tostring(self.mode)))
    self.mode = "auto"
  end
  self.min_delta = math.abs(args.min_delta or 0)
  self.best = best
end

--- The metric's value in the logs; a list of one number is that number. When it is missing or no
-- number: nil, and a warning that begins with `what`.
function Monitor:read_value(logs, what)
  local value = logs[self.monitor]
  if type(value) == "table" and #value == 1 then value = value[1] end
  if type(value) == "number" then return value end
  core.warn(("%s conditioned on metric `%s` which is not %s. Available metrics are: %s"):format(what, self.monitor,
    value == nil and "available" or "a number", self.names_of(logs)))
end

local function find_direction(self)
  if self.mode ~= "auto" then return self.mode end
  local name = self.monitor:gsub("^val_", "")
  if name == "loss" then return "min" end
  local model = self.model
  local direction = model and model._metric_direction and model:_metric_direction(name)
  if direction then return direction end
  core.raise(("%s: whether '%s' should go up or down cannot be told from the compiled metrics; "
    .. "pass mode = 'min' or mode = 'max'"):format(getmetatable(self).__name, self.monitor))
end

--- "min" or "max"; raises when it cannot be told.
function Monitor:monitor_direction()
  if not self.direction then self.direction = find_direction(self) end
  return self.direction
end

--- True when the value is better than the reference by more than min_delta. Anything is better than
-- none (nil), any number is better than nan, and nan is never better than a number.
function Monitor:is_improvement(value, reference)
  local direction = self:monitor_direction()
  if reference == nil then return true end
  if reference ~= reference then return value == value end
  if direction == "min" then return value + self.min_delta < reference end
  return value - self.min_delta > reference
end

return Monitor
