--- Lambda: a Lua function as a layer.
local Layer = require "cdl.layer"

local Lambda = Layer:extend "Lambda"
Lambda.doc = "Applies a Lua function (x, training, mask) of tensors; it has no weights."
Lambda.signature = {
  { "f", "function", required = true, alias = "function",
    doc = "called with x, training and mask; traced once per shape" },
}

function Lambda:call(x, training, mask) return self.args.f(x, training, mask) end

return Lambda
