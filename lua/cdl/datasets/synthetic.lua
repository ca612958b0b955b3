--- Data that are computed (`cdl.datasets.synthetic`): small problems for trying things out.
--
-- Every function returns x and y. The same arguments give the same numbers, on any machine and
-- whatever was drawn before; another seed gives other data of the same kind. Classes are as
-- equal in size as they can be, and in random order.
local core = require "cdl.core"
local glyphs = require "cdl.datasets.glyphs"
local ops = require "cdl.ops"
local random = require "cdl.random"
local signature = require "cdl.signature"

local M = {}

local function samples_row(default)
  return { "n_samples", "integer", default, min = 1, doc = "rows of x and y" }
end
local seed_row = { "seed", "integer", 0, doc = "another seed gives other data" }
local function noise_row(default, doc)
  return { "noise", "number", default, min = 0, doc = doc or "standard deviation of what is added to x" }
end

-- Draws of one data set: each name is a stream of its own.
local function source(set, seed)
  local draws = {}
  function draws.normal(name, shape, stddev)
    return random.named("normal", seed, set .. "/" .. name, shape, "float32", { 0, stddev, 0 })
  end
  function draws.uniform(name, shape, low, high)
    return random.named("uniform", seed, set .. "/" .. name, shape, "float32", { low, high })
  end
  function draws.integers(name, n, high)
    return random.named("int", seed, set .. "/" .. name, { n }, "int64", nil, 0, high)
  end
  -- Labels 0 .. classes - 1, int64 {n}.
  function draws.labels(n, classes)
    local order = random.named("permutation", seed, set .. "/labels", { n }, "int64")
    return order % classes
  end
  return draws
end

M.blobs = signature.fn("blobs", {
  samples_row(1000),
  { "n_features", "integer", 2, min = 1, doc = "columns of x" },
  { "n_classes", "integer", 3, min = 1, doc = "number of clouds" },
  { "stddev", "number", 1, min = 0, doc = "standard deviation of a cloud" },
  seed_row,
}, "Clouds of points around centres drawn from [-10, 10): x float32 {n_samples, n_features}, y int64 {n_samples}.",
  function(n, features, classes, stddev, seed)
    local draw = source("blobs", seed)
    local centres = draw.uniform("centres", { classes, features }, -10, 10)
    local y = draw.labels(n, classes)
    return ops.gather(centres, y) + draw.normal("points", { n, features }, stddev), y
  end)

-- Points (n, 2) from two columns, with noise.
local function points(draw, n, first, second, noise)
  return ops.stack({ first, second }, 2) + draw.normal("noise", { n, 2 }, noise)
end

M.moons = signature.fn("moons", { samples_row(1000), noise_row(0.1), seed_row },
  "Two half circles that reach into each other: x float32 {n_samples, 2}, y int64 {n_samples} of 0 and 1.",
  function(n, noise, seed)
    local draw = source("moons", seed)
    local y = draw.labels(n, 2)
    local class = ops.astype(y, "float32")
    local side = 1 - 2 * class
    local angle = draw.uniform("angle", { n }, 0, math.pi)
    local x = points(draw, n, class + side * ops.cos(angle), 0.5 * class + side * ops.sin(angle), noise)
    return x, y
  end)

M.spirals = signature.fn("spirals", {
  samples_row(1000),
  { "n_classes", "integer", 2, min = 1, doc = "number of arms" },
  { "turns", "number", 1, above = 0, doc = "how often an arm winds around the centre" },
  noise_row(0.02), seed_row,
}, "Arms that wind around the centre, within the unit circle: x float32 {n_samples, 2}, y int64 {n_samples}.",
  function(n, classes, turns, noise, seed)
    local draw = source("spirals", seed)
    local y = draw.labels(n, classes)
    -- The square root spreads the points evenly along the arm, whose length grows outwards.
    local radius = ops.sqrt(draw.uniform("radius", { n }, 0.01, 1))
    local angle = 2 * math.pi * (turns * radius + ops.astype(y, "float32") / classes)
    return points(draw, n, radius * ops.cos(angle), radius * ops.sin(angle), noise), y
  end)

M.sine = signature.fn("sine", {
  samples_row(1000),
  { "length", "integer", 20, min = 1, doc = "time steps of a row" },
  noise_row(0), seed_row,
}, "Pieces of sine waves with periods of 10 to 40 steps, and the value that comes next: x float32 "
  .. "{n_samples, length, 1}, y float32 {n_samples, 1}.",
  function(n, length, noise, seed)
    local draw = source("sine", seed)
    local step = 2 * math.pi / draw.uniform("period", { n, 1 }, 10, 40)
    local phase = draw.uniform("phase", { n, 1 }, 0, 2 * math.pi)
    local waves = ops.sin(phase + step * ops.reshape(ops.arange(0, length), { 1, length + 1 }))
    waves = waves + draw.normal("noise", { n, length + 1 }, noise)
    local x = ops.expand_dims(waves[{ {}, { 1, length } }], -1)
    return ops.copy(x), ops.copy(waves[{ {}, { length + 1, length + 1 } }])
  end)

-- Rows computed at a time, which bounds the memory for large sets.
local PIECE = 4096

M.digits = signature.fn("digits", {
  samples_row(1000),
  { "size", "integer", 16, min = 8, max = 64, doc = "height and width of the pictures" },
  noise_row(0.1, "standard deviation of the noise, as a part of full brightness"),
  seed_row,
}, "Pictures of printed digits at varying places and brightness: x uint8 {n_samples, size, size}, y uint8 "
  .. "{n_samples}. A small stand-in for MNIST.",
  function(n, size, noise, seed)
    local draw = source("digits", seed)
    local pictures, places = glyphs.pictures(size)
    local y = draw.labels(n, 10)
    local x = core.full({ n, size, size }, 0, "uint8")
    for first = 1, n, PIECE do
      local last = math.min(n, first + PIECE - 1)
      local rows, number = last - first + 1, tostring(first)
      local which = y[{ { first, last } }] * places + draw.integers("place" .. number, rows, places)
      local light = draw.uniform("light" .. number, { rows, 1, 1 }, 0.6, 1)
      local grey = ops.gather(pictures, which) * light
        + draw.normal("noise" .. number, { rows, size, size }, noise)
      x[{ { first, last } }] = ops.astype(ops.round(ops.clip(grey, 0, 1) * 255), "uint8")
    end
    return x, ops.astype(y, "uint8")
  end)

return M
