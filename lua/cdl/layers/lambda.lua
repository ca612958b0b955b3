--- Lambda: a Lua function as a layer.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local words = require "cdl.words"

local Lambda = Layer:extend "Lambda"
Lambda.doc = "Applies a Lua function (x, training, mask, arguments) of tensors; it has no weights."
Lambda.signature = {
  { "function", "function", required = true, alias = "f",
    doc = "called with x, training, mask and arguments; traced once per shape" },
  { "output_shape", "shape|function", doc = "sizes without the batch, or a function of the input's shape that gives "
    .. "all of them: what the function returns must have them" },
  { "mask", "any", doc = "the mask that goes on: a tensor, or a function of x and its mask; none if left out" },
  { "arguments", "any", doc = "a table for the function" },
}

function Lambda:init(args)
  rawset(self, "takes_mask", args.mask ~= nil)
  if args.mask == nil then return end
  rawset(self, "compute_mask", function(_, x, mask)
    if type(args.mask) == "function" then return args.mask(x, mask) end
    return args.mask
  end)
end

-- Raises when what the function gave is not of the shape that was said.
local function check_shape(self, x, y)
  local wanted = self.args.output_shape
  if type(wanted) == "function" then
    wanted = wanted(words.is_plain(x) and x[1].shape or x.shape)
    if not words.is_plain(wanted) then
      core.raise(("layer '%s': output_shape must return a list of sizes, got %s"):format(self.name,
        words.describe(wanted)))
    end
  else
    wanted = table.move(wanted, 1, #wanted, 2, { -1 })
  end
  local fits = core.is_tensor(y) and #wanted == y.ndim
  for i, n in ipairs(wanted) do fits = fits and (n < 0 or n == y.shape[i]) end
  if fits then return end
  core.raise(("layer '%s': output_shape says {%s}, the function returned %s"):format(self.name,
    table.concat(wanted, ", "), words.describe(y)))
end

function Lambda:call(x, training, mask)
  local results = table.pack(self.args["function"](x, training, mask, self.args.arguments or {}))
  if self.args.output_shape then check_shape(self, x, results[1]) end
  return table.unpack(results, 1, results.n)
end

return Lambda
