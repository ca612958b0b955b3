--- Global pooling: the class for "max" or "mean" and a number of axes.
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local spatial = require "cdl.spatial"

local DOCS = { max = "The largest value of each channel of inputs %s: {batch, channels}.",
  mean = "The mean of each channel of inputs %s: {batch, channels}." }

return function(name, op, axes)
  local GlobalPooling = Layer:extend(name)
  GlobalPooling.one_input = true
  GlobalPooling.doc = DOCS[op]:format(spatial.wanted(axes))
  GlobalPooling.signature = {
    { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
    { "keepdims", "boolean", false, doc = "whether the pooled axes stay, with size 1" },
  }

  local places = {}
  for k = 1, axes do places[k] = k + 1 end

  function GlobalPooling:call(x)
    spatial.check_shape(("layer '%s'"):format(self.name), x.shape, axes)
    return ops[op](x, places, self.args.keepdims)
  end

  return GlobalPooling
end
