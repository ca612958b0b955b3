--- Dense: y = activation(x kernel + bias) on the last axis.
local activations = require "cdl.activations"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local rows = require "cdl.layers.rows"

local Dense = Layer:extend "Dense"
Dense.doc = "y = activation(x kernel + bias) on the last axis; kernel {features, units}, bias {units}."
Dense.signature = rows.join({
  { "units", "integer", required = true, min = 1, doc = "size of the last axis of the output" },
}, rows.kernel_and_bias)
Dense.supports_masking = true
Dense.one_input = true

local FUSED = { linear = true, relu = true, tanh = true, sigmoid = true }

function Dense:init(args)
  self.units, self.use_bias = args.units, args.use_bias
  self.activation = activations.get(args.activation)
end

function Dense:build(input_shape)
  local features = input_shape[#input_shape]
  if #input_shape < 2 or features < 0 then
    core.raise(("layer '%s': Dense wants inputs of shape {batch, ..., features} with a known last size, got {%s}")
      :format(self.name, table.concat(input_shape, ", ")))
  end
  self.kernel = self:add_argument_weight("kernel", { features, self.units })
  if self.use_bias then
    self.bias = self:add_argument_weight("bias", { self.units })
  end
end

function Dense:call(x)
  local features, wanted = x.shape[x.ndim], self.kernel.shape[1]
  if features ~= wanted then
    core.raise(("layer '%s' was built for inputs with last size %d, got shape {%s}"):format(self.name, wanted,
      table.concat(x.shape, ", ")))
  end
  if not self.use_bias then return self.activation(ops.matmul(x, self.kernel)) end
  local fused = activations.name_of(self.activation)
  if FUSED[fused] then return ops.dense(x, self.kernel, self.bias, fused) end
  return self.activation(ops.dense(x, self.kernel, self.bias))
end

return Dense
