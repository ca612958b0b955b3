--- Activation: an activation function as a layer.
local activations = require "cdl.activations"
local Layer = require "cdl.layer"

local Activation = Layer:extend "Activation"
Activation.doc = "Applies an activation function to each element."
Activation.signature = {
  { "activation", "any", required = true, doc = "name or function" },
}
Activation.supports_masking = true
Activation.one_input = true

function Activation:init(args) self.activation = activations.get(args.activation) end

function Activation:call(x) return self.activation(x) end

return Activation
