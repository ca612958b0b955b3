--- Pipeline: layers one after the other as one layer, for preparing data.
local class = require "cdl.class"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local words = require "cdl.words"

local Pipeline = Layer:extend "Pipeline"
Pipeline.doc = "Layers one after the other. Called by itself it trains, as layers that change images do: "
  .. "dataset:map(Pipeline{...}) augments."
Pipeline.signature = { { "layers", "list", required = true, doc = "the layers; the first meets the inputs" } }
Pipeline.default_training = true
Pipeline.takes_mask = true

function Pipeline:init(args)
  for i, layer in ipairs(args.layers) do
    if not class.is(layer, Layer) then
      core.raise(("Pipeline: layer %d must be a layer, got %s"):format(i, words.describe(layer)))
    end
  end
  self.layers = args.layers
end

function Pipeline:call(x, training, mask)
  for i, layer in ipairs(self.layers) do x = layer(x, training, i == 1 and mask or nil) end
  return x
end

--- The mask is what the last layer made of it.
function Pipeline.compute_mask() end

return Pipeline
