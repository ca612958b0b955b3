--- CutMix (Yun et al. 2019).
local beta = require "cdl.layers.beta"
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local CutMix = ImageLayer:extend "CutMix"
CutMix.doc = "While training, puts a rectangle of another image of the batch into each image and mixes their labels "
  .. "by the areas. Called on {images =, labels =}, labels being rows of numbers (one-hot), it gives the same."
CutMix.signature = {
  ImageLayer.factor_row("factor", "how much is mixed, from 0 to 1: what each image keeps is drawn from Beta(a, a), a "
    .. "for each batch from 0 to this or from {low, high}", 1),
  ImageLayer.seed_row, ImageLayer.format_row,
}

function CutMix:init() self.low, self.high = self:read_factor("factor", 0, 1) end

function CutMix:augment(x, labels)
  local batch, rows, columns = x.shape[1], x.shape[2], x.shape[3]
  local alpha = self:draw(x, self.low, self.high, 1) + 1e-6
  local side = ops.sqrt(1 - beta.draw({ batch, 1, 1, 1 }, alpha, self.args.seed))
  local inside = ops.logical_and(self:within(x, 2, side * rows), self:within(x, 3, side * columns))
  local order = self:permutation(x)
  local y = ops.where(inside, ops.gather(x, order, 1), x)
  return y, labels and self:mix_labels(labels, ops.gather(labels, order, 1), 1 - side * side)
end

return CutMix
