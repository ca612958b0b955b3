--- MelSpectrogram: how loud sound is in bands of pitch as people hear it.
local core = require "cdl.core"
local initializers = require "cdl.initializers"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local signature = require "cdl.signature"
local spatial = require "cdl.spatial"
local words = require "cdl.words"

local MelSpectrogram = Layer:extend "MelSpectrogram"
MelSpectrogram.doc = "Signals {..., time} as {..., num_mel_bins, frames}: how strong each band of pitches (mel) is in "
  .. "frames around every sequence_stride-th sample, in decibels."
MelSpectrogram.signature = {
  { "fft_length", "integer", 2048, min = 2, doc = "length of the Fourier transform, even" },
  { "sequence_stride", "integer", 512, min = 1, doc = "samples from one frame to the next" },
  { "sequence_length", "integer", min = 1, doc = "samples in a frame; fft_length if left out" },
  { "window", "string|list", "hann", null = true, doc = "hann, hamming, a list of sequence_length values, or "
    .. "cdl.null" },
  { "sampling_rate", "integer", 16000, min = 1, doc = "samples in a second" },
  { "num_mel_bins", "integer", 128, min = 1, doc = "number of bands" },
  { "min_freq", "number", 20, min = 0, doc = "where the lowest band begins, in hertz" },
  { "max_freq", "number", above = 0, doc = "where the highest one ends; half the sampling rate if left out" },
  { "power_to_db", "boolean", true, doc = "whether results are in decibels" },
  { "top_db", "number", 80, min = 0, doc = "decibels below the largest are no less than this" },
  { "mag_exp", "number", 2, doc = "exponent of the magnitude: 1 amplitude, 2 power" },
  { "min_power", "number", 1e-10, above = 0, doc = "what is less counts as this, for decibels" },
  { "ref_power", "number", 1, doc = "what has 0 decibels" },
}

function MelSpectrogram:init(args)
  self.length = args.sequence_length or args.fft_length
  self.max_freq = args.max_freq or args.sampling_rate // 2
  if args.fft_length % 2 ~= 0 or self.length > args.fft_length then
    core.raise(("MelSpectrogram: fft_length must be even and not less than sequence_length (%d), got %d"):format(
      self.length, args.fft_length))
  elseif self.max_freq <= args.min_freq then
    core.raise(("MelSpectrogram: max_freq must be above min_freq (%g), got %g"):format(args.min_freq, self.max_freq))
  elseif type(args.window) == "string" and args.window ~= "hann" and args.window ~= "hamming" then
    core.raise(("MelSpectrogram: window must be 'hann', 'hamming' or a list, got '%s'"):format(args.window))
  elseif words.is_plain(args.window) and #args.window ~= self.length then
    core.raise(("MelSpectrogram: window must have sequence_length (%d) values, got %d"):format(self.length,
      #args.window))
  end
end

local function mel(hertz) return 1127 * ops.log(hertz / 700 + 1) end

-- How much each frequency counts in each band, {frequencies, bands}: triangles on the mel scale, each from the
-- middle of the band before to that of the next one. Frequency 0 is in none.
local function band_weights(args, frequencies, max_freq)
  local bands = args.num_mel_bins
  local heard = mel(ops.linspace(0, args.sampling_rate / 2, frequencies, { dtype = "float64" }))
  local edges = mel(core.tensor({ args.min_freq, max_freq }, "float64")):totable()
  local corners = ops.reshape(ops.linspace(edges[1], edges[2], bands + 2, { dtype = "float64" }), { 1, bands + 2 })
  local width = (edges[2] - edges[1]) / (bands + 1)
  local rise = (ops.reshape(heard, { frequencies, 1 }) - corners[{ {}, { 1, bands } }]) / width
  local weights = ops.relu(ops.minimum(rise, 2 - rise))
  return ops.astype(weights * ops.reshape(ops.gt(heard, 0), { frequencies, 1 }), "float32")
end

-- The kernels and weights, made at the first call and kept.
function MelSpectrogram:build()
  local args = self.args
  local frequencies = args.fft_length // 2 + 1
  local function kernel(side)
    return initializers.STFT { side = side, window = args.window or signature.null, scaling = signature.null,
      periodic = true }(
      { self.length, 1, frequencies }, "float32")
  end
  rawset(self, "_constants", { real = kernel "real", imag = kernel "imag",
    weights = band_weights(args, frequencies, self.max_freq) })
end

-- |Fourier transform| of each frame to the power mag_exp, {signals, frames, frequencies}.
function MelSpectrogram:magnitudes(x)
  local args, constants = self.args, self._constants
  local around = args.fft_length // 2
  local padded = ops.pad(x, { { 0, 0 }, { around, around } }, "reflect")
  -- A frame shorter than the transform stands in its middle.
  local first = (args.fft_length - self.length) // 2
  local last = padded.shape[2] - (args.fft_length - self.length - first)
  local signals = ops.expand_dims(padded[{ {}, { first + 1, last } }], 3)
  local function part(kernel)
    return ops.square(spatial.conv(("layer '%s'"):format(self.name), signals, kernel, nil, "linear",
      { strides = { args.sequence_stride }, padding = "valid", dilation_rate = { 1 }, groups = 1 }))
  end
  local power = part(constants.real) + part(constants.imag)
  return args.mag_exp == 2 and power or power ^ (args.mag_exp / 2)
end

local function decibels(x, least) return ops.log(ops.maximum(x, least)) * (10 / math.log(10)) end

function MelSpectrogram:call(x)
  local args, shape = self.args, x.shape
  local time = shape[#shape]
  if #shape < 1 or time < 1 then
    core.raise(("layer '%s': MelSpectrogram wants signals {..., time}, got shape %s"):format(self.name,
      words.braces(shape)))
  end
  local flat = ops.reshape(ops.astype(x, "float32"), { -1, time })
  local y = ops.matmul(self:magnitudes(flat), self._constants.weights)
  if args.power_to_db then
    y = decibels(y, args.min_power) - 10 * math.log(math.max(math.abs(args.ref_power), args.min_power), 10)
    y = ops.maximum(y, ops.max(y) - args.top_db)
  end
  y = ops.transpose(y, { 1, 3, 2 })
  shape[#shape], shape[#shape + 1] = y.shape[2], y.shape[3]
  return ops.reshape(y, shape)
end

return MelSpectrogram
