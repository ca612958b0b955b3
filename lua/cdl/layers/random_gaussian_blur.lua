--- RandomGaussianBlur.
local core = require "cdl.core"
local gaussian_blur = require "cdl.layers.gaussian_blur"
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"
local words = require "cdl.words"

local RandomGaussianBlur = ImageLayer:extend "RandomGaussianBlur"
RandomGaussianBlur.doc = "While training, blurs some of the images, those of a batch alike."
RandomGaussianBlur.signature = {
  ImageLayer.factor_row("factor", "probability for an image, drawn from 0 to this or from {low, high}", 1),
  { "kernel_size", "size", 3, axes = 2, doc = "columns and rows that a pixel is blurred with, odd" },
  ImageLayer.factor_row("sigma", "deviation of the curve, for columns and for rows, drawn from 0 to this or from "
    .. "{low, high}; from 0 to 1", 1),
  ImageLayer.range_row, ImageLayer.format_row, ImageLayer.seed_row,
}

function RandomGaussianBlur:init(args)
  self.low, self.high = self:read_factor("factor", 0, 1)
  self.low_sigma, self.high_sigma = self:read_factor("sigma", 0, 1)
  self.smallest, self.largest = self:read_range()
  for _, size in ipairs(args.kernel_size) do
    if size % 2 == 0 then
      core.raise(("RandomGaussianBlur: kernel_size must be odd, got %s"):format(words.literal(args.kernel_size)))
    end
  end
end

function RandomGaussianBlur:augment(x)
  local columns, rows = table.unpack(self.args.kernel_size)
  local function sigma() return ops.reshape(self:draw(x, self.low_sigma, self.high_sigma, 1), { 1 }) + 1e-6 end
  local blurred = gaussian_blur.blur(x, columns, sigma(), rows, sigma())
  return self:clip(ops.where(self:decide(x, self.low, self.high), blurred, x))
end

return RandomGaussianBlur
