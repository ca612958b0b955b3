--- MixUp (Zhang et al. 2018).
local beta = require "cdl.layers.beta"
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"

local MixUp = ImageLayer:extend "MixUp"
MixUp.doc = "While training, mixes each image with another one of the batch, and so its labels: w x + (1 - w) other, "
  .. "with a w of its own. Called on {images =, labels =}, labels being rows of numbers (one-hot), it gives the same. "
  .. "On a dataset: data:batch(32):map(function(x, y) local mixed = mix {images = x, labels = y}; "
  .. "return mixed.images, mixed.labels end)"
MixUp.signature = {
  { "alpha", "number", 0.2, above = 0, doc = "w is drawn from Beta(alpha, alpha): the larger, the more is mixed" },
  ImageLayer.format_row, ImageLayer.seed_row,
}

function MixUp:augment(x, labels)
  local order = self:permutation(x)
  local weight = beta.draw({ x.shape[1], 1, 1, 1 }, self.args.alpha, self.args.seed)
  local y = weight * x + (1 - weight) * ops.gather(x, order, 1)
  return y, labels and self:mix_labels(labels, ops.gather(labels, order, 1), weight)
end

return MixUp
