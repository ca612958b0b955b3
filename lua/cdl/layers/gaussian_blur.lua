--- Blurring images under a Gaussian curve.
local ops = require "cdl.ops"

local M = {}

-- The curve of a deviation (a tensor of one number) at `size` places around its middle, adding up to 1.
local function curve(size, sigma)
  local places = ops.arange(0, size - 1) - (size - 1) / 2
  local values = ops.exp(ops.square(places / sigma) * -0.5)
  return values / ops.sum(values)
end

--- x {batch, rows, columns, channels}, each pixel the mean of those around it, under curves of `columns` and `rows`
-- places with the deviations sigma_x and sigma_y. Zeros lie around an image.
function M.blur(x, columns, sigma_x, rows, sigma_y)
  local channels = x.shape[4]
  local function along(image, size, sigma, shape)
    local kernel = ops.broadcast_to(ops.reshape(curve(size, sigma), shape), { shape[1], shape[2], channels, 1 })
    return ops.depthwise_conv(image, kernel, 1, "same")
  end
  return along(along(x, columns, sigma_x, { 1, columns, 1, 1 }), rows, sigma_y, { rows, 1, 1, 1 })
end

return M
