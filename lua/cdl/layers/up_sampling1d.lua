--- UpSampling1D.
local base = require "cdl.layers.base_up_sampling"
local Layer = require "cdl.layer"

local UpSampling1D = Layer:extend "UpSampling1D"
UpSampling1D.one_input = true
UpSampling1D.doc = "Each step of inputs {batch, steps, channels} repeated."
UpSampling1D.signature = { { "size", "size", 2, axes = 1, doc = "how many times" } }

function UpSampling1D:call(x) return base.repeated(self, x, self.args.size) end

return UpSampling1D
