--- GroupNormalization (Wu and He 2018).
local core = require "cdl.core"
local Layer = require "cdl.layer"
local normalization = require "cdl.layers.base_normalization"
local ops = require "cdl.ops"
local rows = require "cdl.layers.rows"

local GroupNormalization = Layer:extend "GroupNormalization"
GroupNormalization.one_input = true
GroupNormalization.doc = "Normalises each sample within groups of channels, over them and all other axes but the "
  .. "batch; then gamma x + beta for each channel."
GroupNormalization.signature = rows.join({
  { "groups", "integer", 32, doc = "number of groups; -1: one for each channel" },
  { "axis", "axis", -1, doc = "the channels' axis, from 2 or from the end" },
}, rows.gamma_and_beta)
GroupNormalization.supports_masking = true

function GroupNormalization:build(input_shape)
  local place = normalization.places(self, self.args.axis, #input_shape)[1]
  local channels = input_shape[place]
  local groups = self.args.groups == -1 and channels or self.args.groups
  if channels > 0 and (groups < 1 or channels % groups ~= 0) then
    core.raise(("layer '%s': %d channels do not fall into %d groups"):format(self.name, channels, groups))
  end
  self.groups = groups
  self.gamma = normalization.add(self, "gamma", { channels }, self.args.scale)
  self.beta = normalization.add(self, "beta", { channels }, self.args.center)
end

function GroupNormalization:call(x)
  local places = normalization.places(self, self.args.axis, x.ndim)
  local place, shape, axes = places[1], {}, {}
  for i, n in ipairs(x.shape) do
    if i == place then
      shape[#shape + 1] = self.groups
      shape[#shape + 1] = n // self.groups
      axes[#axes + 1] = #shape
    else
      shape[#shape + 1] = n
      if i > 1 then axes[#axes + 1] = #shape end
    end
  end
  local grouped = ops.reshape(normalization.as_float(x), shape)
  local y = ops.reshape(normalization.standardise(grouped, axes, self.args.epsilon), x.shape)
  if self.gamma then y = y * normalization.spread(self.gamma, places, x) end
  if self.beta then y = y + normalization.spread(self.beta, places, x) end
  return y
end

return GroupNormalization
