--- Initializers (`cdl.initializers`): first values of weights.
--
-- An initializer is called as `init(shape, dtype)` and gives an eager tensor. One with a seed
-- gives the same values at every call; without, it draws a seed of its own at its first call, so
-- that one object used for two weights of equal shape gives them equal values, as in Keras.
local class = require "cdl.class"
local Configured = require "cdl.configured"
local core = require "cdl.core"
local ops = require "cdl.ops"
local random = require "cdl.random"
local registry = require "cdl.registry"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

--- Base class: a subclass defines `call(self, shape, dtype)`, an eager tensor.
local Initializer = Configured:extend "Initializer"
M.Initializer = Initializer

local call_signature = signature.new("initializer", {
  { "shape", "shape", required = true, unknown = false, doc = "sizes" },
  { "dtype", "dtype", "float32", doc = "element type" },
})

function Initializer:__call(...)
  local args = call_signature:read(...)
  return self:call(args.shape, args.dtype)
end

local all = registry.new("initializer", Initializer)

local seed_row = { "seed", "integer", doc = "the same values at each call; drawn at the first call if left out" }

-- Numbers of kind "uniform" or "normal", the same at every call of this initializer.
local function draw(self, kind, shape, dtype, reals)
  local seed = self.args.seed or rawget(self, "_seed")
  if not seed then
    local number = random.weight("uniform", nil, {}, "float64", { 0, 2 ^ 53 })
    seed = math.floor(core.item(number))
    rawset(self, "_seed", seed)
  end
  return random.weight(kind, seed, shape, dtype, reals)
end

-- ---- constants ----

M.Constant = Initializer:extend "Constant"
M.Constant.doc = "One value everywhere."
M.Constant.signature = { { "value", "number|boolean", 0, doc = "the value" } }
function M.Constant:call(shape, dtype) return core.full(shape, self.args.value, dtype) end
all:add(M.Constant)

M.Zeros = Initializer:extend "Zeros"
M.Zeros.doc = "Zeros."
M.Zeros.signature = {}
function M.Zeros:call(shape, dtype) return core.full(shape, 0, dtype) end
all:add(M.Zeros, "zero")

M.Ones = Initializer:extend "Ones"
M.Ones.doc = "Ones."
M.Ones.signature = {}
function M.Ones:call(shape, dtype) return core.full(shape, 1, dtype) end
all:add(M.Ones, "one")

M.Identity = Initializer:extend "Identity"
M.Identity.doc = "gain on the diagonal of a matrix, 0 elsewhere."
M.Identity.signature = { { "gain", "number", 1, doc = "factor" } }
function M.Identity:call(shape, dtype)
  if #shape ~= 2 then
    core.raise(("Identity makes matrices; the weight has shape {%s}"):format(table.concat(shape, ", ")))
  end
  return ops.eye(shape[1], shape[2], dtype) * self.args.gain
end
all:add(M.Identity, "IdentityInitializer")

-- ---- random ----

local mean_row = { "mean", "number", 0, doc = "mean" }
local stddev_row = { "stddev", "number", 0.05, min = 0, doc = "standard deviation" }

M.RandomNormal = Initializer:extend "RandomNormal"
M.RandomNormal.doc = "Normally distributed."
M.RandomNormal.signature = { mean_row, stddev_row, seed_row }
function M.RandomNormal:call(shape, dtype)
  return draw(self, "normal", shape, dtype, { self.args.mean, self.args.stddev, 0 })
end
all:add(M.RandomNormal, "normal")

M.TruncatedNormal = Initializer:extend "TruncatedNormal"
M.TruncatedNormal.doc = "Normally distributed; values beyond two deviations are drawn again."
M.TruncatedNormal.signature = { mean_row, stddev_row, seed_row }
function M.TruncatedNormal:call(shape, dtype)
  return draw(self, "normal", shape, dtype, { self.args.mean, self.args.stddev, 1 })
end
all:add(M.TruncatedNormal)

M.RandomUniform = Initializer:extend "RandomUniform"
M.RandomUniform.doc = "Uniform in [minval, maxval)."
M.RandomUniform.signature = {
  { "minval", "number", -0.05, doc = "smallest value" },
  { "maxval", "number", 0.05, doc = "the values stay below" },
  seed_row,
}
function M.RandomUniform:call(shape, dtype)
  return draw(self, "uniform", shape, dtype, { self.args.minval, self.args.maxval })
end
all:add(M.RandomUniform, "uniform")

local function product(shape, first, last)
  local n = 1
  for i = first, last do n = n * shape[i] end
  return n
end

-- How many inputs reach one unit, and how many units one input reaches. A kernel is
-- {receptive field ..., inputs, outputs}.
local function fans_of(shape)
  local ndim = #shape
  if ndim == 0 then return 1, 1 end
  if ndim == 1 then return shape[1], shape[1] end
  local field = product(shape, 1, ndim - 2)
  return shape[ndim - 1] * field, shape[ndim] * field
end

-- The same where the axes (from 1) of inputs and outputs are named; the others are the field.
local function fans_by_axes(shape, input_axes, output_axes)
  local function size(axes)
    local n = 1
    for _, axis in ipairs(axes) do
      local at = axis > 0 and axis or #shape + 1 + axis
      if not shape[at] then
        core.raise(("VarianceScaling: axis %d is out of range for the shape {%s}"):format(axis,
          table.concat(shape, ", ")))
      end
      n = n * shape[at]
    end
    return n
  end
  local inputs, outputs = size(input_axes), size(output_axes)
  local field = product(shape, 1, #shape) / math.max(1, inputs * outputs)
  return inputs * field, outputs * field
end

-- Standard deviation of a normal distribution cut at two deviations.
local TRUNCATED_STDDEV = 0.87962566103423978

local function as_axes(axes) return type(axes) == "number" and { axes } or axes end

local function draw_scaled(self, shape, dtype, args)
  local fan_in, fan_out
  if args.input_axes and args.output_axes then
    fan_in, fan_out = fans_by_axes(shape, as_axes(args.input_axes), as_axes(args.output_axes))
  else
    fan_in, fan_out = fans_of(shape)
  end
  local fan = args.mode == "fan_in" and fan_in or args.mode == "fan_out" and fan_out or (fan_in + fan_out) / 2
  local variance = args.scale / math.max(1, fan)
  if args.distribution == "uniform" then
    local limit = math.sqrt(3 * variance)
    return draw(self, "uniform", shape, dtype, { -limit, limit })
  elseif args.distribution == "untruncated_normal" then
    return draw(self, "normal", shape, dtype, { 0, math.sqrt(variance), 0 })
  end
  return draw(self, "normal", shape, dtype, { 0, math.sqrt(variance) / TRUNCATED_STDDEV, 1 })
end

M.VarianceScaling = Initializer:extend "VarianceScaling"
M.VarianceScaling.doc = "Random numbers with variance scale / fan: signals keep their size through layers."
M.VarianceScaling.signature = {
  { "scale", "number", 1, above = 0, doc = "factor of the variance" },
  { "mode", { "fan_in", "fan_out", "fan_avg" }, "fan_in", doc = "what the variance is divided by" },
  { "distribution", { "truncated_normal", "untruncated_normal", "uniform" }, "truncated_normal",
    doc = "kind of random numbers" },
  seed_row,
  { "input_axes", "axes", doc = "axes of the inputs, when they are not the last but one" },
  { "output_axes", "axes", doc = "axes of the outputs, when they are not the last" },
}
function M.VarianceScaling:init(args)
  if (args.input_axes == nil) ~= (args.output_axes == nil) then
    core.raise "VarianceScaling: input_axes and output_axes are given together or not at all"
  end
end
function M.VarianceScaling:scaling() return self.args end
function M.VarianceScaling:call(shape, dtype) return draw_scaled(self, shape, dtype, self.args) end
all:add(M.VarianceScaling)

local function scaled(name, scale, mode, distribution, doc)
  local cls = Initializer:extend(name)
  local fixed = { scale = scale, mode = mode, distribution = distribution }
  cls.doc, cls.signature = doc, { seed_row }
  function cls.scaling() return fixed end
  function cls:call(shape, dtype) return draw_scaled(self, shape, dtype, fixed) end
  M[name] = all:add(cls)
end
scaled("GlorotUniform", 1, "fan_avg", "uniform",
  "Uniform within sqrt(6 / (fan_in + fan_out)) of 0 (Glorot and Bengio 2010).")
scaled("GlorotNormal", 1, "fan_avg", "truncated_normal",
  "Truncated normal, variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010).")
scaled("HeUniform", 2, "fan_in", "uniform", "Uniform within sqrt(6 / fan_in) of 0 (He et al. 2015).")
scaled("HeNormal", 2, "fan_in", "truncated_normal", "Truncated normal, variance 2 / fan_in (He et al. 2015).")
scaled("LecunUniform", 1, "fan_in", "uniform", "Uniform within sqrt(3 / fan_in) of 0 (LeCun et al. 1998).")
scaled("LecunNormal", 1, "fan_in", "truncated_normal",
  "Truncated normal, variance 1 / fan_in (LeCun et al. 1998).")

-- Makes the rows of a float64 matrix orthonormal, in place: each row less its parts along the rows
-- before it, taken away twice, which leaves nothing of them (Gram-Schmidt with reorthogonalisation).
local function orthonormalize(rows)
  for i = 1, #rows do
    local row = rows[i]
    if i > 1 then
      local before = rows[{ { 1, i - 1 } }]
      for _ = 1, 2 do row = row - ops.matmul(ops.matmul(before, row), before) end
    end
    rows[i] = row / ops.sqrt(ops.sum(ops.square(row)))
  end
  return rows
end

M.Orthogonal = Initializer:extend "Orthogonal"
M.Orthogonal.doc = "A random matrix with orthonormal rows or columns, whichever are fewer; axes before the last "
  .. "count as one (Saxe et al. 2014)."
M.Orthogonal.signature = { { "gain", "number", 1, doc = "factor" }, seed_row }
function M.Orthogonal:call(shape, dtype)
  if #shape < 2 then
    core.raise(("Orthogonal makes weights of at least two axes; the weight has shape {%s}"):format(
      table.concat(shape, ", ")))
  end
  local n_rows, n_columns = product(shape, 1, #shape - 1), shape[#shape]
  local few, many = math.min(n_rows, n_columns), math.max(n_rows, n_columns)
  local q = orthonormalize(draw(self, "normal", { few, many }, "float64", { 0, 1, 0 }))
  if n_rows > n_columns then q = ops.transpose(q) end
  return ops.astype(ops.reshape(ops.contiguous(q), shape) * self.args.gain, dtype)
end
all:add(M.Orthogonal, "OrthogonalInitializer")

-- Sums of cosines: a window of n values is sum of (-1)^k c[k + 1] cos(2 pi k i / (n - 1)).
local WINDOWS = { boxcar = { 1 }, hann = { 0.5, 0.5 }, hamming = { 0.54, 0.46 }, blackman = { 0.42, 0.5, 0.08 },
  blackmanharris = { 0.35875, 0.48829, 0.14128, 0.01168 }, nuttall = { 0.3635819, 0.4891775, 0.1365995, 0.0106411 } }

-- A periodic window leaves out the last of n + 1 values.
local function window_values(name, n, periodic)
  local parts, values = WINDOWS[name], {}
  local last = periodic and n or n - 1
  for i = 0, n - 1 do
    local sum = 0
    for k, part in ipairs(parts) do
      sum = sum + (-1) ^ (k - 1) * part * math.cos(2 * math.pi * (k - 1) * i / math.max(last, 1))
    end
    values[i + 1] = n == 1 and 1 or sum
  end
  return values
end

M.STFT = Initializer:extend "STFT"
M.STFT.doc = "Kernels {frame, 1, frequencies} of the short-time Fourier transform: cosines or sines under a window, "
  .. "the frequencies being those of a transform of length 2 (frequencies - 1)."
M.STFT.signature = {
  { "side", { "real", "imag" }, "real", doc = "cosines or sines" },
  { "window", "string|list", "hann", null = true,
    doc = "boxcar, hann, hamming, blackman, blackmanharris, nuttall; a list of values; or cdl.null" },
  { "scaling", { "density", "spectrum" }, "density", null = true,
    doc = "divide by the window's norm, or by its sum" },
  { "periodic", "boolean", false, doc = "a window for a transform, not for a filter" },
}
function M.STFT:init(args)
  local window = args.window
  if type(window) == "string" and not WINDOWS[window] then
    core.raise(("STFT: unknown window '%s'%s"):format(window, words.suggestion(window, words.sorted_keys(WINDOWS))))
  end
end
function M.STFT:call(shape, dtype)
  local frame, frequencies = shape[1], shape[3]
  if #shape ~= 3 or shape[2] ~= 1 or frequencies < 2 then
    core.raise(("STFT makes kernels of shape {frame, 1, frequencies}, got {%s}"):format(table.concat(shape, ", ")))
  end
  local window = self.args.window
  if type(window) == "string" then window = window_values(window, frame, self.args.periodic) end
  if window and #window ~= frame then
    core.raise(("STFT: the window has %d values, the kernel's first axis %d"):format(#window, frame))
  end
  local time = ops.reshape(core.arange(0, frame, 1, "float64"), { frame, 1, 1 })
  local frequency = ops.reshape(core.arange(0, frequencies, 1, "float64"), { 1, 1, frequencies })
  local angles = time * frequency * (-math.pi / (frequencies - 1))
  local kernel = self.args.side == "real" and ops.cos(angles) or ops.sin(angles)
  if window then
    local values = core.tensor(window, "float64")
    if self.args.scaling == "density" then values = values / ops.sqrt(ops.sum(ops.square(values))) end
    if self.args.scaling == "spectrum" then values = values / ops.sum(ops.abs(values)) end
    kernel = kernel * ops.reshape(values, { frame, 1, 1 })
  end
  return ops.astype(kernel, dtype)
end
all:add(M.STFT, "STFTInitializer")

-- Keras's spellings of the classes as functions, and older names.
for _, name in ipairs { "Constant", "Zeros", "Ones", "Identity", "RandomNormal", "TruncatedNormal", "RandomUniform",
  "VarianceScaling", "GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal",
  "Orthogonal", "STFT" } do
  M[registry.snake_case(name)] = M[name]
end
M.IdentityInitializer, M.OrthogonalInitializer, M.STFTInitializer = M.Identity, M.Orthogonal, M.STFT

--- The initializer that is meant by a name, an object or a function (shape, dtype); nil for nil.
function M.get(identifier) return all:get(identifier) end

--- The initializer for a weight with these axes (from 1) of inputs and outputs: one that scales the
-- variance does so by them, unless it names axes itself; any other is as it is.
function M.for_axes(identifier, input_axes, output_axes)
  local initializer = M.get(identifier)
  local scaling = class.is(initializer, Initializer) and initializer.scaling and initializer:scaling()
  if not scaling or scaling.input_axes then return initializer end
  return function(shape, dtype)
    return draw_scaled(initializer, shape, dtype, { scale = scaling.scale, mode = scaling.mode,
      distribution = scaling.distribution, input_axes = input_axes, output_axes = output_axes })
  end
end

--- An initializer that draws other numbers than the given one, unless that has a seed.
function M.copy(identifier)
  local initializer = M.get(identifier)
  if not class.is(initializer, Initializer) then return initializer end
  return class.of(initializer).from_config(class.of(initializer), initializer:get_config())
end

return M
