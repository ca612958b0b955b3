--- Learning-rate schedules (`cdl.schedules`): the rate as a function of the number of updates.
--
-- A schedule is called with the number of the step, from 0 (a number or an int64 scalar tensor),
-- and gives a scalar tensor. A subclass of LearningRateSchedule defines `call(self, step)`.
local Configured = require "cdl.configured"
local class = require "cdl.class"
local core = require "cdl.core"
local ops = require "cdl.ops"
local registry = require "cdl.registry"

local M = {}

local Schedule = Configured:extend "LearningRateSchedule"
Schedule.doc = "Base class of schedules: a subclass defines call(self, step), a scalar tensor."
M.LearningRateSchedule = Schedule

function Schedule:__call(step)
  if type(step) == "number" then step = core.tensor(step) end
  if core.is_variable(step) then step = core.read(step) end
  if not core.is_tensor(step) then
    core.raise(("%s: the step must be a number or a scalar tensor"):format(class.name_of(self)))
  end
  return self:call(step.dtype == "float32" and step or ops.astype(step, "float32"))
end

local all = registry.new("schedule", Schedule)

local name_row = { "name", "string", doc = "its name" }

local function define(name, doc, rows, call)
  local cls = Schedule:extend(name)
  cls.doc, cls.signature, cls.call = doc, rows, call
  M[name] = all:add(cls)
  return cls
end

local function rate_row(name) return { name, "number", required = true, doc = "the rate at step 0" } end
local function steps_row(name, doc) return { name, "number", required = true, above = 0, doc = doc } end

local decay_rows = {
  rate_row "initial_learning_rate",
  steps_row("decay_steps", "steps to which decay_rate belongs"),
  { "decay_rate", "number", required = true, doc = "how much the rate decays in decay_steps" },
  { "staircase", "boolean", false, doc = "decay once every decay_steps, not smoothly" },
  name_row,
}

local function progress(args, step)
  local part = step / args.decay_steps
  return args.staircase and ops.floor(part) or part
end

define("ExponentialDecay", "initial_learning_rate decay_rate^(step / decay_steps).", decay_rows,
  function(self, step)
    local args = self.args
    return ops.pow(args.decay_rate, progress(args, step)) * args.initial_learning_rate
  end)

define("InverseTimeDecay", "initial_learning_rate / (1 + decay_rate step / decay_steps).", decay_rows,
  function(self, step)
    local args = self.args
    return args.initial_learning_rate / (progress(args, step) * args.decay_rate + 1)
  end)

local Piecewise = define("PiecewiseConstantDecay",
  "values[1] up to the first boundary (that step included), values[2] up to the second, and so on.", {
    { "boundaries", "list", required = true, of = "number", doc = "steps, in ascending order" },
    { "values", "list", required = true, of = "number", doc = "rates: one more than boundaries" },
    name_row,
  }, function(self, step)
    local boundaries, values = self.args.boundaries, self.args.values
    local rate = core.tensor(values[#values])
    for i = #boundaries, 1, -1 do
      rate = ops.where(ops.le(step, boundaries[i]), values[i], rate)
    end
    return rate
  end)
function Piecewise:init(args)
  if #args.values ~= #args.boundaries + 1 then
    core.raise(("PiecewiseConstantDecay: %d boundaries want %d values, got %d"):format(#args.boundaries,
      #args.boundaries + 1, #args.values))
  end
  for i = 2, #args.boundaries do
    if args.boundaries[i] <= args.boundaries[i - 1] then
      core.raise(("PiecewiseConstantDecay: boundary %d (%g) is not above the one before it (%g)"):format(i,
        args.boundaries[i], args.boundaries[i - 1]))
    end
  end
end

define("PolynomialDecay", "From initial_learning_rate to end_learning_rate in decay_steps, along a power.", {
  rate_row "initial_learning_rate",
  steps_row("decay_steps", "steps until the end"),
  { "end_learning_rate", "number", 0.0001, doc = "the rate from then on" },
  { "power", "number", 1, doc = "1: a line" },
  { "cycle", "boolean", false, doc = "begin again, a whole number of times longer, after the end" },
  name_row,
}, function(self, step)
  local args = self.args
  local first, last, steps = args.initial_learning_rate, args.end_learning_rate, args.decay_steps
  local part
  if args.cycle then
    part = step / (ops.maximum(ops.ceil(step / steps), 1) * steps)
  else
    part = ops.minimum(step, steps) / steps
  end
  return ops.pow(1 - part, args.power) * (first - last) + last
end)

-- alpha at the end of the way, 1 at its beginning, along half a wave.
local function half_wave(part, alpha, height)
  return (ops.cos(part * math.pi) + 1) * (0.5 * (1 - alpha)) * (height or 1) + alpha
end

local Cosine = define("CosineDecay", "Half a cosine wave from initial_learning_rate down to alpha times it, "
  .. "after a linear warmup, if any (Loshchilov and Hutter 2016).", {
    rate_row "initial_learning_rate",
    steps_row("decay_steps", "steps of the wave"),
    { "alpha", "number", 0, doc = "the last rate as a part of the highest" },
    name_row,
    { "warmup_target", "number", doc = "the rate at the end of the warmup, from which it decays" },
    { "warmup_steps", "number", 0, min = 0, doc = "steps of the warmup" },
  }, function(self, step)
    local args = self.args
    local target = args.warmup_target
    local highest = target or args.initial_learning_rate
    local start = target and args.warmup_steps or 0
    local part = ops.clip((step - start) / args.decay_steps, 0, 1)
    local rate = half_wave(part, args.alpha) * highest
    if start == 0 then return rate end
    local rise = step * ((target - args.initial_learning_rate) / start) + args.initial_learning_rate
    return ops.where(ops.lt(step, start), rise, rate)
  end)
function Cosine:init(args)
  if args.warmup_steps > 0 and not args.warmup_target then
    core.raise "CosineDecay: warmup_steps wants a warmup_target"
  end
end

define("CosineDecayRestarts", "Half cosine waves, each t_mul times longer and m_mul times higher than the one "
  .. "before (Loshchilov and Hutter 2016).", {
    rate_row "initial_learning_rate",
    steps_row("first_decay_steps", "steps of the first wave"),
    { "t_mul", "number", 2, min = 1, doc = "how much longer the next wave is" },
    { "m_mul", "number", 1, doc = "how much higher the next wave is" },
    { "alpha", "number", 0, doc = "the last rate of a wave as a part of initial_learning_rate" },
    name_row,
  }, function(self, step)
    local args = self.args
    local part, t = step / args.first_decay_steps, args.t_mul
    local wave
    if t == 1 then
      wave = ops.floor(part)
      part = part - wave
    else
      -- The logarithm is rounded: where it should be whole, it must not fall below.
      wave = ops.floor(ops.log(1 - part * (1 - t)) / math.log(t) + 1e-6)
      local length = ops.pow(t, wave)
      part = (part - (1 - length) / (1 - t)) / length
    end
    return half_wave(part, args.alpha, ops.pow(args.m_mul, wave)) * args.initial_learning_rate
  end)

--- The schedule that is meant by a {class_name =, config =} table, an object or a function.
function M.get(identifier) return all:get(identifier) end

return M
