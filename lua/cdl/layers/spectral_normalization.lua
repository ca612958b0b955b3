--- SpectralNormalization (Miyato et al. 2018).
local class = require "cdl.class"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local recurrence = require "cdl.recurrence"
local words = require "cdl.words"

local SpectralNormalization = Layer:extend "SpectralNormalization"
SpectralNormalization.doc = "A layer whose kernel (or embeddings) is divided, before each training step, by its "
  .. "largest singular value, as power iteration finds it. Steadies the discriminators of GANs."
SpectralNormalization.signature = {
  { "layer", "any", required = true, doc = "a layer with a kernel or embeddings" },
  { "power_iterations", "integer", 1, min = 1, doc = "iterations in each step" },
}
SpectralNormalization.supports_masking = true

function SpectralNormalization:init(args)
  if not class.is(args.layer, Layer) then
    core.raise("SpectralNormalization: layer must be a layer, got " .. words.describe(args.layer))
  end
  self.layer, self.power_iterations = args.layer, args.power_iterations
end

function SpectralNormalization:build(input_shape)
  local layer = self.layer
  recurrence.inside(layer, layer.ensure_built, layer, input_shape)
  local kernel = layer.kernel or layer.embeddings
  if not core.is_variable(kernel) then
    core.raise(("layer '%s': layer '%s' (%s) has neither kernel nor embeddings"):format(self.name, layer.name,
      class.name_of(layer)))
  end
  -- It stands among the wrapper's own weights, too, as in Keras and its files.
  self._weights[1] = { variable = kernel, trainable = true }
  self.kernel = kernel
  self.vector_u = self:add_weight { name = "vector_u", shape = { 1, kernel.shape[#kernel.shape] },
    initializer = { class_name = "TruncatedNormal", config = { stddev = 0.02 } }, trainable = false }
end

local function unit(x) return x * ops.minimum(ops.rsqrt(ops.sum(ops.square(x))), 1e7) end

-- The kernel divided by its largest singular value, and the last left singular vector. A kernel of zeros stays.
function SpectralNormalization:normalized()
  local kernel, u, v = self.kernel:value(), self.vector_u:value(), nil
  local matrix = ops.reshape(kernel, { -1, kernel.shape[kernel.ndim] })
  for _ = 1, self.power_iterations do
    v = unit(ops.matmul(u, ops.transpose(matrix)))
    u = unit(ops.matmul(v, matrix))
  end
  local sigma = ops.sum(ops.matmul(v, matrix) * u)
  local is_zero = ops.all(ops.eq(kernel, 0))
  return ops.where(is_zero, kernel, kernel / sigma), ops.where(is_zero, self.vector_u, u)
end

function SpectralNormalization:call(x, training, mask)
  if training then
    local kernel, u = self:normalized()
    self.kernel:assign(kernel)
    self.vector_u:assign(u)
  end
  return self.layer(x, training, mask)
end

return SpectralNormalization
