--- Max and average pooling: the class for an op and a number of axes.
local Layer = require "cdl.layer"
local spatial = require "cdl.spatial"

local DOCS = {
  max_pool = "The largest of each window of inputs %s, channel by channel; padding is ignored.",
  average_pool = "The mean of each window of inputs %s, channel by channel; padding is not counted.",
}

return function(name, op, axes)
  local Pooling = Layer:extend(name)
  Pooling.one_input = true
  Pooling.doc = DOCS[op]:format(spatial.wanted(axes))
  local default = op == "max_pool" and 2 or nil
  Pooling.signature = {
    { "pool_size", "size", default, required = default == nil, axes = axes, doc = "sizes of the window" },
    { "strides", "size", axes = axes, doc = "places from one window to the next; pool_size if left out" },
    { "padding", { "valid", "same" }, "valid", doc = "valid: windows lie inside; same: ceil(size / stride) of them" },
    { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" },
  }

  function Pooling:call(x)
    local args = self.args
    return spatial.pool(("layer '%s'"):format(self.name), op, x, args.pool_size, args.strides or args.pool_size,
      args.padding)
  end

  return Pooling
end
