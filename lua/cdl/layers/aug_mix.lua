--- AugMix (Hendrycks et al. 2020).
local beta = require "cdl.layers.beta"
local chosen = require "cdl.layers.chosen"
local ImageLayer = require "cdl.layers.base_image"
local ops = require "cdl.ops"
local RandomAffine = require "cdl.layers.base_random_affine"

local AugMix = ImageLayer:extend "AugMix"
AugMix.doc = "While training, mixes the images of a batch with what num_chains chains of random changes make of "
  .. "them: w x + (1 - w) (the chains' mean, with random shares). It is fastest on a dataset's batches: in a model "
  .. "all changes are computed at each place of a chain."
AugMix.signature = {
  ImageLayer.range_row,
  { "num_chains", "integer", 3, min = 1, doc = "how many chains" },
  { "chain_depth", "integer", 3, min = 1, doc = "how many changes in each; some are none" },
  ImageLayer.factor_row("factor", "how strong changes are, from 0 to 1: from 0 to this, or from {low, high}", 0.3),
  { "alpha", "number", 1, above = 0, doc = "w is drawn from Beta(alpha, alpha), the shares from Dirichlet(alpha, "
    .. "...)" },
  { "all_ops", "boolean", true, doc = "whether brightness, paleness, contrast and sharpness are among the changes" },
  RandomAffine.interpolation_row, ImageLayer.seed_row, ImageLayer.format_row,
}

function AugMix:init(args)
  self.smallest, self.largest = self:read_range()
  local low, high = self:read_factor("factor", 0, 1)
  rawset(self, "_ways", chosen.layers(self, low, high, args.all_ops))
end

function AugMix:augment(x)
  if self.args.all_ops then self:check_colours(x, true) end
  local args, mixed = self.args, nil
  local shares = ops.split(beta.shares(args.num_chains, args.alpha, args.seed), args.num_chains, 1)
  for _, share in ipairs(shares) do
    local y = x
    for _ = 1, args.chain_depth do y = chosen.change(y, self._ways, args.seed, true) end
    y = y * share
    mixed = mixed and mixed + y or y
  end
  local weight = beta.draw({ 1 }, args.alpha, args.seed)
  return self:clip(weight * x + (1 - weight) * mixed)
end

return AugMix
