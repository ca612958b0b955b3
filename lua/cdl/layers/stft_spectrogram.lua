--- STFTSpectrogram: short-time Fourier transforms as convolutions whose kernels can be trained.
local core = require "cdl.core"
local initializers = require "cdl.initializers"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local signature = require "cdl.signature"
local spatial = require "cdl.spatial"

local STFTSpectrogram = Layer:extend "STFTSpectrogram"
STFTSpectrogram.doc = "How strong each frequency is in frames of signals {batch, time, channels}: "
  .. "{batch, frames, channels * frequencies}. The kernels begin as a Fourier transform under a window and can be "
  .. "trained."
STFTSpectrogram.signature = {
  { "mode", { "log", "magnitude", "psd", "real", "imag", "angle", "stft" }, "log", doc = "log: of the magnitude; psd: "
    .. "power of a one-sided spectrum; stft: real, then imaginary parts" },
  { "frame_length", "integer", 256, min = 1, doc = "samples in a frame" },
  { "frame_step", "integer", min = 1, doc = "samples from one frame to the next; half a frame if left out" },
  { "fft_length", "integer", min = 1, doc = "frequencies are fft_length / 2 + 1; a power of two not below frame_length "
    .. "if left out" },
  { "window", "string|list", "hann", null = true,
    doc = "boxcar, hann, hamming, blackman, blackmanharris, nuttall; a list of values; or cdl.null" },
  { "periodic", "boolean", false, doc = "a window for a transform, not for a filter" },
  { "scaling", { "density", "spectrum" }, "density", null = true,
    doc = "divide by the window's norm, or by its sum" },
  { "padding", { "valid", "same" }, "valid", doc = "same: ceil(time / step) frames, zeros around the signal" },
  { "expand_dims", "boolean", false, doc = "{batch, frames, frequencies, channels} in place of joined channels" },
  { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
}

-- The smallest power of two that is not below n.
local function power_of_two(n)
  local power = 1
  while power < n do power = power * 2 end
  return power
end

function STFTSpectrogram:init(args)
  local length, step = args.frame_length, args.frame_step
  self.step = step or length // 2
  self.fft_length = args.fft_length or power_of_two(length)
  if self.step < 1 or self.step > length then
    core.raise(("STFTSpectrogram: frame_step must be from 1 to frame_length (%d), got %d"):format(length, self.step))
  elseif self.fft_length < length then
    core.raise(("STFTSpectrogram: fft_length must not be less than frame_length (%d), got %d"):format(length,
      self.fft_length))
  end
  self.initializers = {}
  for _, side in ipairs { "real", "imag" } do
    self.initializers[side] = initializers.STFT { side = side, window = args.window or signature.null,
      scaling = args.scaling or signature.null, periodic = args.periodic }
  end
end

function STFTSpectrogram:build()
  local shape = { self.args.frame_length, 1, self.fft_length // 2 + 1 }
  for _, side in ipairs { "real", "imag" } do
    local other = side == "real" and "imag" or "real"
    if self.args.mode ~= other then
      self[side .. "_kernel"] = self:add_weight { name = side .. "_kernel", shape = shape,
        initializer = self.initializers[side] }
    end
  end
end

-- Signals {batch * channels, time, 1} seen through a kernel: {batch * channels, frames, frequencies}.
function STFTSpectrogram:transform(x, kernel)
  return spatial.conv(("layer '%s'"):format(self.name), x, kernel, nil, "linear", { strides = { self.step },
    padding = self.args.padding, dilation_rate = { 1 }, groups = 1 })
end

local SMALLEST = 1e-7

local modes = {
  real = function(real) return real end,
  imag = function(_, imag) return imag end,
  angle = function(real, imag) return ops.arctan2(imag, real) end,
  stft = function(real, imag) return ops.concat({ real, imag }, -1) end,
  psd = function(real, imag)
    local power = ops.square(real) + ops.square(imag)
    local n = power.shape[3]
    -- All but the first and the last frequency stand for two.
    return power * (ops.pad(ops.ones { math.max(n - 2, 0) }, { { 1, n > 1 and 1 or 0 } }) + 1)
  end,
  magnitude = function(real, imag)
    return ops.sqrt(ops.maximum(ops.square(real) + ops.square(imag), SMALLEST))
  end,
}
function modes.log(real, imag) return ops.log(ops.maximum(modes.magnitude(real, imag), SMALLEST)) end

function STFTSpectrogram:call(x)
  spatial.check_shape(("layer '%s'"):format(self.name), x.shape, 1)
  local shape, args = x.shape, self.args
  local batch, time, channels = shape[1], shape[2], shape[3]
  local signals = ops.reshape(ops.transpose(ops.astype(x, self.dtype), { 1, 3, 2 }), { batch * channels, time, 1 })
  local y = modes[args.mode](self.real_kernel and self:transform(signals, self.real_kernel),
    self.imag_kernel and self:transform(signals, self.imag_kernel))
  local frames, frequencies = y.shape[2], y.shape[3]
  y = ops.reshape(y, { batch, channels, frames, frequencies })
  if args.expand_dims then return ops.permute(y, { 1, 3, 4, 2 }) end
  return ops.reshape(ops.permute(y, { 1, 3, 2, 4 }), { batch, frames, channels * frequencies })
end

return STFTSpectrogram
