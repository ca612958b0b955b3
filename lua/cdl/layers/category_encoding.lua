--- CategoryEncoding: integers as rows of 0 and 1, or of counts.
local core = require "cdl.core"
local encoding = require "cdl.layers.encoding"
local Layer = require "cdl.layer"

local CategoryEncoding = Layer:extend "CategoryEncoding"
CategoryEncoding.doc = "Integers from 0 below num_tokens as rows of num_tokens numbers."
CategoryEncoding.signature = {
  { "num_tokens", "integer", required = true, min = 1, doc = "how many there are" },
  { "output_mode", { "multi_hot", "one_hot", "count" }, "multi_hot", doc = "one_hot: a row for each; multi_hot: one "
    .. "for a sample, 1 for what stands in it; count: how often" },
  encoding.sparse_row,
}
CategoryEncoding.call_options = {
  { "count_weights", "any", doc = "of the inputs' shape: what each counts (output_mode count)" },
}
CategoryEncoding.one_input = true

function CategoryEncoding:init(args) encoding.check_sparse("CategoryEncoding", args) end

function CategoryEncoding:call(x, _, _, options)
  local mode, weights = self.args.output_mode, options.count_weights
  if weights ~= nil and mode ~= "count" then
    core.raise(("layer '%s': count_weights go with output_mode 'count', which is '%s'"):format(self.name, mode))
  end
  if type(weights) == "table" and getmetatable(weights) == nil then weights = core.tensor(weights) end
  return encoding.encode(x, mode, self.args.num_tokens, weights)
end

return CategoryEncoding
