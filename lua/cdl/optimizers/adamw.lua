--- AdamW: Adam with weight decay that does not go through the gradient's means (Loshchilov and
-- Hutter 2019). The decay itself is what every optimizer can do.
local Adam = require "cdl.optimizers.adam"

local AdamW = Adam:extend "AdamW"
AdamW.doc = "Adam, after w = w - learning_rate weight_decay w."
AdamW.signature = { Adam.signature[1],
  { "weight_decay", "number", 0.004, min = 0, doc = "variables shrink by this part times learning_rate at each step" },
  table.unpack(Adam.signature, 2) }

return AdamW
