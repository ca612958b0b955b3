--- Upsampling by repetition: what UpSampling1D, UpSampling2D and UpSampling3D share.
local ops = require "cdl.ops"
local spatial = require "cdl.spatial"

local M = {}

--- Each place of the sizes of x next to itself, size[k] times along axis k.
function M.repeated(layer, x, size)
  spatial.check_shape(("layer '%s'"):format(layer.name), x.shape, #size)
  local shape = x.shape
  local apart, wide, result = { shape[1] }, { shape[1] }, { shape[1] }
  for k, times in ipairs(size) do
    local n = shape[k + 1]
    apart[#apart + 1], apart[#apart + 2] = n, 1
    wide[#wide + 1], wide[#wide + 2] = n, times
    result[k + 1] = n * times
  end
  apart[#apart + 1], wide[#wide + 1], result[#result + 1] = shape[#shape], shape[#shape], shape[#shape]
  return ops.reshape(ops.broadcast_to(ops.reshape(x, apart), wide), result)
end

return M
