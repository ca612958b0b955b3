--- What layers that change images share. A subclass defines augment(x), what is done to a batch
-- {batch, rows, columns, channels} while training - which is the default when such a layer is called by
-- itself - and perhaps keep(x), what is done else.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local random = require "cdl.random"
local words = require "cdl.words"

local ImageLayer = Layer:extend "ImageLayer"
ImageLayer.one_input = true
ImageLayer.default_training = true

ImageLayer.format_row = { "data_format", { "channels_last" }, "channels_last", doc = "the order of axes" }
ImageLayer.seed_row = { "seed", "integer", doc = "for numbers of its own; drawn from cdl.random's seed if left out" }
ImageLayer.range_row = { "value_range", "list", { 0, 255 }, of = "number",
  doc = "smallest and largest value of a pixel" }

--- A row for a factor: how far, as a number or {lowest, highest}.
function ImageLayer.factor_row(name, doc, default)
  return { name, "factor", default, required = default == nil, doc = doc }
end

--- Lowest and highest value of the factor of that name. A pair is both; a number f stands for -f to f, within
-- the bounds `least` and `most`.
function ImageLayer:read_factor(name, least, most)
  local value = self.args[name]
  local is_pair = type(value) == "table"
  local low, high = value, value
  if is_pair then low, high = math.min(value[1], value[2]), math.max(value[1], value[2]) end
  if not (low >= least and high <= most) then
    core.raise(("%s: %s must be from %g to %g, got %s"):format(self.__name, name, least, most, words.literal(value)))
  end
  if is_pair then return low, high end
  return math.max(-math.abs(value), least), math.abs(value)
end

--- The two ends of value_range in order.
function ImageLayer:read_range()
  local range = self.args.value_range
  if #range ~= 2 then
    core.raise(("%s: value_range must be a list of two numbers, got %s"):format(self.__name, words.literal(range)))
  end
  return math.min(range[1], range[2]), math.max(range[1], range[2])
end

--- A number from low to high for each image of x, as {batch, 1, 1, 1}.
function ImageLayer:draw(x, low, high)
  return random.of_shape("uniform", { x.shape[1], 1, 1, 1 }, { low, high }, self.args.seed)
end

--- Bool {batch, 1, 1, 1}: for each image, true with a probability that is drawn from low to high.
function ImageLayer:decide(x, low, high)
  local chance = self:draw(x, low, high)
  return ops.lt(self:draw(x, 0, 1), chance)
end

function ImageLayer.keep(_, x) return x end

function ImageLayer:call(x, training)
  local shape = x.shape
  if #shape ~= 3 and #shape ~= 4 then
    core.raise(("layer '%s': %s wants images {batch, rows, columns, channels}, or one without the batch, got {%s}")
      :format(self.name, self.__name, table.concat(shape, ", ")))
  end
  local y = self.any_dtype and x or ops.astype(x, self.dtype)
  if #shape == 3 then y = ops.expand_dims(y, 1) end
  y = (training and self.augment or self.keep)(self, y)
  return #shape == 3 and ops.squeeze(y, 1) or y
end

return ImageLayer
