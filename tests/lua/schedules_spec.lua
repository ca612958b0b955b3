local cdl = require "cdl"

local schedules = cdl.schedules

-- The value at a step, eager; and the same from a traced function.
local function at(schedule, step)
  local value = schedule(step):item()
  local traced = cdl.jit(function(s) return schedule(s) end)(cdl.tensor(step, "int64")):item()
  assert.equal(value, traced)
  return value
end

local function check(schedule, steps, values, tolerance)
  for i, step in ipairs(steps) do assert.near(values[i], at(schedule, step), tolerance or 1e-6, "at " .. step) end
end

describe("schedules", function()
  it("decay exponentially", function()
    check(schedules.ExponentialDecay(0.05, 10, 0.96), { 0, 5, 10 }, { 0.05, 0.05 * 0.96 ^ 0.5, 0.05 * 0.96 })
    check(schedules.ExponentialDecay(0.1, 3, 0.96, { staircase = true }), { 1, 2, 3, 100 },
      { 0.1, 0.1, 0.096, 0.1 * 0.96 ^ 33 })
  end)

  it("decay with time", function()
    check(schedules.InverseTimeDecay(0.1, 10, 0.5), { 0, 5, 20 }, { 0.1, 0.1 / 1.25, 0.1 / 2 })
    check(schedules.InverseTimeDecay { 0.1, 10, 0.5, staircase = true }, { 9, 19 }, { 0.1, 0.1 / 1.5 })
  end)

  it("go down in pieces, the boundary included", function()
    check(schedules.PiecewiseConstantDecay({ 100, 110, 120 }, { 1, 0.1, 0.01, 0.001 }),
      { -999, 100, 105, 110, 120, 121, 999 }, { 1, 1, 0.1, 0.1, 0.01, 0.001, 0.001 })
    assert.error_matches(function() schedules.PiecewiseConstantDecay({ 1, 2 }, { 1, 2 }) end,
      "2 boundaries want 3 values, got 2")
    assert.error_matches(function() schedules.PiecewiseConstantDecay({ 2, 1 }, { 1, 2, 3 }) end, "not above")
  end)

  it("go down along a power", function()
    check(schedules.PolynomialDecay(0.05, 10, 0.001), { 5, 10, 15 }, { 0.051 / 2, 0.001, 0.001 })
    check(schedules.PolynomialDecay(0.05, 10, 0.001, { power = 0.5 }), { 5 }, { 0.049 * 0.5 ^ 0.5 + 0.001 })
    check(schedules.PolynomialDecay(0.05, 10, 0.001, { cycle = true }), { 0, 15, 20 },
      { 0.05, 0.049 * 0.25 + 0.001, 0.001 })
  end)

  it("go along half a cosine wave, after a warmup", function()
    check(schedules.CosineDecay(1, 100, 0.1), { 0, 50, 100, 200 }, { 1, 0.55, 0.1, 0.1 })
    local steps, values = { 0, 500, 1000, 2000, 2500, 3000, 5000 }, {}
    for i, s in ipairs(steps) do
      values[i] = s <= 2000 and 10 * s / 2000 or 5 * (1 + math.cos(math.pi * math.min(s - 2000, 1000) / 1000))
    end
    check(schedules.CosineDecay(0, 1000, { warmup_target = 10, warmup_steps = 2000 }), steps, values, 1e-5)
    assert.error_matches(function() schedules.CosineDecay { 0, 10, warmup_steps = 3 } end, "warmup_target")
  end)

  it("restart the wave", function()
    local function wave(part) return 0.5 * (1 + math.cos(math.pi * part)) end
    -- Waves of 10, 20, 40 steps, each half as high.
    check(schedules.CosineDecayRestarts(1, 10, { t_mul = 2, m_mul = 0.5 }), { 0, 5, 10, 20, 30, 50, 70 },
      { 1, 0.5, 0.5, 0.5 * wave(0.5), 0.25, 0.25 * wave(0.5), 0.125 }, 1e-5)
    check(schedules.CosineDecayRestarts(1, 10, { t_mul = 1 }), { 5, 10, 25 }, { 0.5, 1, 0.5 }, 1e-5)
  end)

  it("refuse steps that are none", function()
    assert.error_matches(function() schedules.ExponentialDecay(0.1, 0, 0.9) end,
      "decay_steps must be greater than 0, got 0")
    assert.error_matches(function() schedules.CosineDecay(0.1) end, "'decay_steps' is missing")
  end)

  it("can be one's own, and made again from their config", function()
    local Ramp = schedules.LearningRateSchedule:extend "Ramp"
    Ramp.signature = { { "slope", "number", required = true } }
    function Ramp:call(step) return step * self.args.slope end
    assert.near(1.5, at(Ramp(0.5), 3), 1e-6)
    assert.near(1.5, Ramp:from_config(Ramp(0.5):get_config())(3):item(), 1e-6)
    local copy = schedules.get { class_name = "ExponentialDecay",
      config = schedules.ExponentialDecay(0.05, 10, 0.96):get_config() }
    assert.near(0.05 * 0.96, copy(10):item(), 1e-6)
  end)
end)
