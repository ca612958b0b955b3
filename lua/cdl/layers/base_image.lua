--- What layers that change images share. A subclass defines augment(x, labels), what is done to a batch
-- {batch, rows, columns, channels} while training - which is the default when such a layer is called by
-- itself - and perhaps keep(x), what is done else. Such layers also take {images =, labels =} and give that;
-- the labels are changed by those whose augment gives new ones as a second value.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local random = require "cdl.random"
local words = require "cdl.words"

local ImageLayer = Layer:extend "ImageLayer"
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
  if range[1] == range[2] then
    core.raise(("%s: value_range must be two different numbers, got %s"):format(self.__name, words.literal(range)))
  end
  return math.min(range[1], range[2]), math.max(range[1], range[2])
end

local function scaled(x, from_low, from_high, low, high)
  if from_low == low and from_high == high then return x end
  return (x - from_low) / (from_high - from_low) * (high - low) + low
end

--- Pixels in value_range (which read_range has kept as smallest and largest) as pixels from low to high.
function ImageLayer:from_range(x, low, high) return scaled(x, self.smallest, self.largest, low, high) end

--- The way back.
function ImageLayer:to_range(x, low, high) return scaled(x, low, high, self.smallest, self.largest) end

--- x limited to value_range.
function ImageLayer:clip(x) return ops.clip(x, self.smallest, self.largest) end

--- Raises unless images have red, green and blue; with `or_grey` one channel will do, too.
function ImageLayer:check_colours(x, or_grey)
  local channels = x.shape[4]
  if channels ~= 3 and not (or_grey and channels == 1) then
    core.raise(("layer '%s': %s wants images with 3 channels%s, got shape {%s}"):format(self.name, self.__name,
      or_grey and " (or 1)" or "", table.concat(x.shape, ", ")))
  end
end

--- A number from low to high for each image of x, as {batch, 1, 1, 1}; or one for the batch.
function ImageLayer:draw(x, low, high, batch)
  return random.of_shape("uniform", { batch or x.shape[1], 1, 1, 1 }, { low, high }, self.args.seed)
end

--- Bool {batch, 1, 1, 1}: for each image, true with a probability that is drawn from low to high.
function ImageLayer:decide(x, low, high)
  local chance = self:draw(x, low, high)
  return ops.lt(self:draw(x, 0, 1), chance)
end

--- Where along an axis, 2 or 3, a stretch of that length {batch, 1, 1, 1} lies whose place is drawn for each image:
-- bool, of x's size along the axis and 1 elsewhere.
function ImageLayer:within(x, axis, length)
  local n, shape = x.shape[axis], { 1, 1, 1, 1 }
  shape[axis] = n
  local first = self:draw(x, 0, 1) * (n - length)
  local places = ops.reshape(ops.arange(0, n - 1), shape)
  return ops.logical_and(ops.ge(places, first), ops.lt(places, first + length))
end

--- The numbers of another image for each image of x, from 0, as they are drawn.
function ImageLayer:permutation(x)
  return ops.argsort(random.of_shape("uniform", { x.shape[1] }, { 0, 1 }, self.args.seed))
end

--- Labels {batch, classes, ...} by a weight {batch, 1, 1, 1}, the others by the rest.
function ImageLayer:mix_labels(labels, others, weight)
  local shape = labels.shape
  if #shape < 2 then
    core.raise(("layer '%s': %s mixes labels {batch, classes}, as one_hot makes them, got {%s}"):format(self.name,
      self.__name, table.concat(shape, ", ")))
  end
  for i = 2, #shape do shape[i] = 1 end
  local share = ops.reshape(weight, shape)
  return share * labels + (1 - share) * others
end

function ImageLayer.keep(_, x) return x end

local function images_of(self, x)
  if not words.is_plain(x) then return x end
  if #x == 1 then return x[1] end
  for key in pairs(x) do
    if key ~= "images" and key ~= "labels" then
      core.raise(("layer '%s': %s takes images, or {images =, labels =}; got the key %s"):format(self.name, self.__name,
        words.literal(key)))
    end
  end
  if not words.is_tensor(x.images) then
    core.raise(("layer '%s': images must be a tensor, got %s"):format(self.name, words.describe(x.images)))
  end
  return x.images
end

function ImageLayer:call(x, training)
  local images, dict = images_of(self, x), words.is_plain(x) and x.images and x
  local shape, labels = images.shape, dict and dict.labels
  if #shape ~= 3 and #shape ~= 4 then
    core.raise(("layer '%s': %s wants images {batch, rows, columns, channels}, or one without the batch, got {%s}")
      :format(self.name, self.__name, table.concat(shape, ", ")))
  end
  local one = #shape == 3
  if labels and not one and labels.shape[1] ~= shape[1] then
    core.raise(("layer '%s': labels of shape {%s} do not fit images of shape {%s}"):format(self.name,
      table.concat(labels.shape, ", "), table.concat(shape, ", ")))
  end
  local y = self.any_dtype and images or ops.astype(images, self.dtype)
  if one then y = ops.expand_dims(y, 1) end
  local new_labels
  y, new_labels = (training and self.augment or self.keep)(self, y,
    labels and one and ops.expand_dims(labels, 1) or labels or nil)
  if one then y = ops.squeeze(y, 1) end
  if not dict then return y end
  if new_labels and one then new_labels = ops.squeeze(new_labels, 1) end
  return { images = y, labels = new_labels or labels }
end

return ImageLayer
