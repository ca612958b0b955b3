--- `cdl.Input`: a symbolic tensor that starts a model.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"

local M = {}

local InputLayer = Layer:extend "InputLayer"
M.InputLayer = InputLayer

--- A symbol of this dtype and shape (with the batch), and its layer.
function M.new(name, dtype, shape)
  local layer = InputLayer { name = name, dtype = dtype }
  rawset(layer, "dtype", dtype)
  rawset(layer, "batch_shape", shape)
  rawset(layer, "built", true)
  local x = symbol.input(layer.name, dtype, shape, layer)
  layer._calls[1] = { inputs = { x }, outputs = { x, n = 1 } }
  return x
end

M.Input = signature.fn("Input", {
  { "shape", "shape", nonempty = true, doc = "sizes without the batch; -1 or \"?\" where unknown" },
  { "batch_size", "integer", min = 1, doc = "size of the batch, when it is fixed" },
  { "dtype", "dtype", "float32", doc = "element type of the data" },
  { "batch_shape", "shape", doc = "the shape with the batch, instead of shape" },
  { "name", "string", doc = "the key of its data in dicts; input_layer, input_layer_1, ... if left out" },
}, "A symbolic tensor from which a model is built.", function(shape, batch_size, dtype, batch_shape, name)
  if (shape == nil) == (batch_shape == nil) then
    core.raise "Input: wanted either shape (without the batch) or batch_shape; write {-1} for an unknown length"
  end
  if not batch_shape then
    batch_shape = table.move(shape, 1, #shape, 2, { batch_size or -1 })
  end
  return M.new(name, dtype, batch_shape)
end)

return M
