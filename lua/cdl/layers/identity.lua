--- Identity: what comes in goes out.
local Layer = require "cdl.layer"

local Identity = Layer:extend "Identity"
Identity.doc = "Passes its input on unchanged."
Identity.signature = {}
Identity.supports_masking = true

return Identity
