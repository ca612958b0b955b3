--- ReLU: max(x, 0) with a slope below, a ceiling and a threshold.
local activations = require "cdl.activations"
local Layer = require "cdl.layer"

local ReLU = Layer:extend "ReLU"
ReLU.one_input = true
ReLU.doc = "x above threshold, at most max_value; negative_slope (x - threshold) else."
ReLU.signature = {
  { "max_value", "number", min = 0, doc = "largest output; none if left out" },
  { "negative_slope", "number", 0, min = 0, doc = "slope below the threshold" },
  { "threshold", "number", 0, min = 0, doc = "where x begins to pass" },
}
ReLU.supports_masking = true

function ReLU:call(x)
  local args = self.args
  return activations.relu(x, args.negative_slope, args.max_value, args.threshold)
end

return ReLU
