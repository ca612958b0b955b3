--- Pictures changed at random while a model trains (Keras's ImageDataGenerator).
--
--     local generator = cdl.data.ImageDataGenerator { rescale = 1 / 255, rotation_range = 40, zoom_range = 0.2,
--       horizontal_flip = true }
--     model:fit(generator:flow(x, y, { batch_size = 32 }), { epochs = 10 })
--     model:fit(generator:flow_from_directory("pets/train", { target_size = {150, 150} }))
--
-- Both give a Dataset with a pass over all pictures; :repeat_() goes on without end. Pictures are
-- read and changed by threads of their own. What is random is a function of the seed and the pass.
local batches = require "cdl.data.image_batches"
local class = require "cdl.class"
local core = require "cdl.core"
local Dataset = require "cdl.data.dataset"
local files = require "cdl.data.image_files"
local images = require "cdl.images"
local ops = require "cdl.ops"
local random = require "cdl.random"
local signature = require "cdl.signature"
local transforms = require "cdl.data.image_transforms"
local words = require "cdl.words"

local Generator = class "ImageDataGenerator"

local FILLS = { constant = 0, nearest = 1, reflect = 2, wrap = 3, mirror = 4 }

local shift_doc = "part of the size below 1, else pixels; a whole number n: 0 to n - 1 pixels; a list: one of its "
  .. "entries"

local rows = {
  { "featurewise_center", "boolean", false, doc = "subtract the mean of fit's data, channel by channel" },
  { "samplewise_center", "boolean", false, doc = "subtract each picture's mean" },
  { "featurewise_std_normalization", "boolean", false, doc = "divide by the deviation of fit's data" },
  { "samplewise_std_normalization", "boolean", false, doc = "divide by each picture's deviation" },
  { "rotation_range", "number", 0, min = 0, doc = "degrees to either side" },
  { "width_shift_range", "number|list", 0, doc = shift_doc },
  { "height_shift_range", "number|list", 0, doc = shift_doc },
  { "brightness_range", "list", of = "number", doc = "{low, high}: factors of the colours" },
  { "shear_range", "number", 0, min = 0, doc = "degrees to either side" },
  { "zoom_range", "number|list", 0, doc = "{low, high}: factors of the sides; z stands for {1 - z, 1 + z}" },
  { "channel_shift_range", "number", 0, min = 0, doc = "what is added to all colours, to either side" },
  { "fill_mode", { "nearest", "constant", "reflect", "wrap", "mirror" }, "nearest", doc = "what lies outside" },
  { "cval", "number", 0, doc = "the value outside for constant" },
  { "horizontal_flip", "boolean", false, doc = "left and right are exchanged for half of the pictures" },
  { "vertical_flip", "boolean", false, doc = "the same for above and below" },
  { "rescale", "number", doc = "factor of all values, after everything else that changes colours" },
  { "preprocessing_function", "function", doc = "f(picture) gives the picture that goes on; before rescaling" },
  { "validation_split", "number", 0, min = 0, below = 1, doc = "the part of the pictures that is for validation" },
  { "interpolation_order", "integer", 1, min = 0, max = 1,
    doc = "how moved pixels are read: 0 the nearest one, 1 between four" },
}

Generator.signature = signature.new("ImageDataGenerator", rows,
  { doc = "pictures changed at random: turned, moved, zoomed, flipped, in other colours" })

-- {low, high}, checked.
local function read_range(name, value)
  local low, high = value[1], value[2]
  if #value ~= 2 or type(low) ~= "number" or type(high) ~= "number" or low > high then
    core.raise(("ImageDataGenerator: %s must be {low, high}, got %s"):format(name, words.describe(value)))
  end
  return { low, high }
end

local function check_shift(name, value)
  if type(value) == "number" then return end
  for i, entry in ipairs(value) do
    if type(entry) ~= "number" then
      core.raise(("ImageDataGenerator: entry %d of %s must be a number, got %s"):format(i, name,
        words.describe(entry)))
    end
  end
  if #value == 0 then core.raise(("ImageDataGenerator: %s is an empty list"):format(name)) end
end

function Generator:init(...)
  local args = Generator.signature:read(...)
  for _, row in ipairs(rows) do self[row[1]] = args[row[1]] end
  local zoom = args.zoom_range
  self.zoom_range = type(zoom) == "number" and { 1 - zoom, 1 + zoom } or read_range("zoom_range", zoom)
  if args.brightness_range then self.brightness_range = read_range("brightness_range", args.brightness_range) end
  check_shift("width_shift_range", args.width_shift_range)
  check_shift("height_shift_range", args.height_shift_range)
  self.featurewise_center = args.featurewise_center or args.featurewise_std_normalization
  self.samplewise_center = args.samplewise_center or args.samplewise_std_normalization
end

local function define(name, extra, doc, body)
  Generator[name] = signature.method(name, { { "self", "any", required = true }, table.unpack(extra) }, doc, body)
end

-- ---- one picture ----

local function check_picture(who, x, axes)
  if core.is_tensor(x) and x.kind == "eager" and x.ndim == axes and x.size > 0 then return x end
  return core.raise(("%s: wanted pictures {%srows, columns, channels}, got %s"):format(who, axes == 4 and "n, " or "",
    words.describe(x)))
end

-- What the loader does to pictures of that shape {..., rows, columns, channels}.
local function work_of(self, height, width, channels)
  return { height = height, width = width, channels = channels, bilinear = self.interpolation_order == 1,
    fill = FILLS[self.fill_mode], fill_value = self.cval,
    rescale = not self.preprocessing_function and self.rescale or 0 }
end

local function job_of(picture, p, height, width)
  return { picture, transform = transforms.numbers(p, height, width), shift = p.channel_shift_intensity,
    brightness = p.brightness }
end

local seed_row = { "seed", "integer", doc = "left out: cdl.random's next number" }

local function seed_or_next(seed)
  return seed or random.randint { shape = { 1 }, low = 0, high = 1 << 31 }[1]
end

define("get_random_transform", {
  { "img_shape", "shape", required = true, doc = "{rows, columns, channels}" }, seed_row,
}, "Parameters drawn at random: theta tx ty shear zx zy flip_horizontal flip_vertical channel_shift_intensity "
  .. "brightness.", function(self, shape, seed)
    return transforms.draw(self, seed_or_next(seed), "image_transform", 1, shape[1], shape[2])[1]
  end)

define("apply_transform", {
  { "x", "operand", required = true, doc = "{rows, columns, channels}" },
  { "transform_parameters", "data", required = true, doc = "as get_random_transform gives them; any may be missing" },
}, "A picture changed as the parameters say.", function(self, x, parameters)
  check_picture("apply_transform", x, 3)
  local p = { theta = 0, tx = 0, ty = 0, shear = 0, zx = 1, zy = 1 }
  for name, value in pairs(parameters) do p[name] = value end
  local height, width, channels = table.unpack(x.shape)
  local work = work_of(self, height, width, channels)
  work.rescale = 0
  local loader = core.image_loader(work, ops.contiguous(ops.expand_dims(ops.astype(x, "float32"), 1)), 1)
  core.image_ask(loader, { job_of(0, p, height, width) })
  return ops.squeeze(core.image_take(loader), 1)
end)

define("random_transform", { { "x", "operand", required = true, doc = "{rows, columns, channels}" }, seed_row },
  "A picture changed at random.", function(self, x, seed)
    check_picture("random_transform", x, 3)
    return self:apply_transform(x, self:get_random_transform(x.shape, seed))
  end)

-- ---- numbers of pixels ----

local function apply_function(self, x)
  local list = {}
  for i = 1, #x do
    list[i] = self.preprocessing_function(x[i])
    if not core.is_tensor(list[i]) then
      core.raise(("ImageDataGenerator: preprocessing_function must return a tensor, got %s"):format(
        words.describe(list[i])))
    end
  end
  return ops.stack(list)
end

local function standardize_batch(self, x, rescaled)
  if self.preprocessing_function then x = apply_function(self, x) end
  if self.rescale and not rescaled then x = x * self.rescale end
  if self.samplewise_center then x = x - ops.mean(x, { 2, 3, 4 }, true) end
  if self.samplewise_std_normalization then x = x / (ops.std(x, { 2, 3, 4 }, true) + 1e-6) end
  if self.featurewise_center then
    if not self.mean then core.raise "ImageDataGenerator: featurewise_center needs generator:fit(x) first" end
    x = x - self.mean
  end
  if self.featurewise_std_normalization then x = x / (self.std + 1e-6) end
  return x
end

define("standardize", { { "x", "operand", required = true, doc = "a picture, or a batch of them" } },
  "Pictures rescaled and normalized, but not changed at random.", function(self, x)
    if core.is_tensor(x) and x.ndim == 3 then
      return ops.squeeze(standardize_batch(self, ops.expand_dims(ops.astype(x, "float32"), 1)), 1)
    end
    return standardize_batch(self, ops.astype(check_picture("standardize", x, 4), "float32"))
  end)

define("fit", {
  { "x", "operand", required = true, doc = "{n, rows, columns, channels}" },
  { "augment", "boolean", false, doc = "whether to take pictures changed at random" },
  { "rounds", "integer", 1, min = 1, doc = "how often each is taken then" }, seed_row,
}, "Takes the mean and deviation of pictures, which the featurewise options need.",
  function(self, x, augment, rounds, seed)
    x = ops.astype(check_picture("fit", x, 4), "float32")
    if self.rescale then x = x * self.rescale end
    if augment then
      seed = seed_or_next(seed)
      local height, width, changed = x.shape[2], x.shape[3], {}
      for round = 1, rounds do
        local drawn = transforms.draw(self, seed, ("image_fit/%d"):format(round), #x, height, width)
        for i = 1, #x do changed[#changed + 1] = self:apply_transform(x[i], drawn[i]) end
      end
      x = ops.stack(changed)
    end
    local shape = { 1, 1, x.shape[4] }
    self.mean = ops.reshape(ops.mean(x, { 1, 2, 3 }), shape)
    if self.featurewise_std_normalization then self.std = ops.reshape(ops.std(x, { 1, 2, 3 }), shape) end
  end)

-- ---- datasets ----

local function save_pictures(args, x, samples)
  core.make_folder(args.save_to_dir)
  for i, sample in ipairs(samples) do
    local picture = x[i]
    local low, high = ops.min(picture):item(), ops.max(picture):item()
    local name = ("%s/%s_%d_%d.png"):format(args.save_to_dir, args.save_prefix, sample - 1, args.saved)
    images.write_png(name, (picture - low) / math.max(high - low, 1e-12))
    args.saved = args.saved + 1
  end
end

-- A dataset over `count` pictures; source: work, images, picture(sample), labels(samples).
local function make_dataset(self, who, source, args)
  local work, count, size = source.work, source.count, args.batch_size
  if count == 0 then core.raise(("%s: there are no pictures"):format(who)) end
  args.saved = 0
  local function open(key)
    local seed = args.seed or random.get_seed()
    local name = "image_flow/" .. key
    local permutation = args.shuffle and random.named("permutation", seed, name, { count }, "int64")
    local drawn = transforms.draw(self, seed, name, count, work.height, work.width)
    return batches.draw { who = who, work = work, images = source.images, size = size, damaged = args.damaged,
      samples = batches.samples(count, permutation),
      job = function(sample, place) return job_of(source.picture(sample), drawn[place], work.height, work.width) end,
      finish = function(x, samples)
        x = standardize_batch(self, x, not self.preprocessing_function)
        if args.save_to_dir then save_pictures(args, x, samples) end
        return x, source.labels(samples)
      end }
  end
  return Dataset.make { open = open, count = function() return (count + size - 1) // size end }
end

local subset_row = { "subset", { "training", "validation" },
  doc = "which part, where the generator has a validation_split; validation is the first one" }
local damaged_row = { "damaged", { "error", "skip" }, "error", doc = "what a file does that cannot be read" }

local batch_row = { "batch_size", "integer", 32, min = 1, doc = "pictures in a batch" }
local shuffle_row = { "shuffle", "boolean", true, doc = "whether passes come in an order of their own" }
local flow_seed_row = { "seed", "integer", doc = "of order and changes; left out: cdl.random's" }
local save_row = { "save_to_dir", "string", doc = "a folder for PNG files of the pictures as they come out" }
local prefix_row = { "save_prefix", "string", "", doc = "how their names begin" }

-- The first and last of n that a subset is.
local function bounds(self, who, subset, n)
  if not subset then return 1, n end
  if self.validation_split == 0 then
    core.raise(who .. ": subset is given, but the generator has no validation_split")
  end
  local split = math.floor(self.validation_split * n)
  if subset == "validation" then return 1, split end
  return split + 1, n
end

local function check_rows(who, name, x, n)
  if x == nil then return nil end
  if not core.is_tensor(x) or x.ndim == 0 or #x ~= n then
    core.raise(("%s: %s must be a tensor with %d rows, got %s"):format(who, name, n, words.describe(x)))
  end
  return x
end

define("flow", {
  { "x", "operand", required = true, doc = "{n, rows, columns, channels}" },
  { "y", "operand", doc = "what belongs to the pictures, {n, ...}" },
  batch_row, shuffle_row,
  { "sample_weight", "operand", doc = "{n}" },
  flow_seed_row, save_row, prefix_row, subset_row,
}, "A Dataset of batches of pictures in memory, changed at random in every pass.",
  function(self, x, y, batch_size, shuffle, weights, seed, save_to_dir, save_prefix, subset)
    check_picture("flow", x, 4)
    local first, last = bounds(self, "flow", subset, #x)
    local function part(t) return subset and t and t[{ { first, last } }] or t end
    y, weights = part(check_rows("flow", "y", y, #x)), part(check_rows("flow", "sample_weight", weights, #x))
    if last < first then core.raise("flow: there are no pictures for " .. subset) end
    if weights and not y then core.raise "flow: sample_weight is given without y" end
    x = part(x)
    local pictures = ops.contiguous(x.dtype == "uint8" and x or ops.astype(x, "float32"))
    local source = { work = work_of(self, table.unpack(x.shape, 2)), count = #x, images = pictures,
      picture = function(sample) return sample - 1 end,
      labels = function(samples)
        if not y then return nil end
        local places = core.tensor(samples, "int64") - 1
        return ops.gather(y, places, 1), weights and ops.gather(weights, places, 1)
      end }
    return make_dataset(self, "flow", source, { batch_size = batch_size, shuffle = shuffle, seed = seed,
      save_to_dir = save_to_dir, save_prefix = save_prefix })
  end)

-- The files of all classes, with their classes' numbers from 0.
local function find_files(self, directory, classes, subset, follow_links)
  local paths, numbers, names = {}, {}, {}
  for i, name in ipairs(classes) do
    local own = files.pictures("flow_from_directory", directory .. "/" .. name, follow_links)
    local first, last = bounds(self, "flow_from_directory", subset, #own)
    for k = first, last do
      paths[#paths + 1], numbers[#numbers + 1] = own[k], i - 1
      names[#names + 1] = own[k]:sub(#directory + 2)
    end
  end
  return paths, numbers, names
end

-- A function that gives the labels of samples as class_mode says.
local function label_reader(class_mode, numbers, classes)
  return function(samples)
    if not class_mode then return nil end
    local own = {}
    for i, sample in ipairs(samples) do own[i] = numbers[sample] end
    if class_mode == "categorical" then return ops.one_hot(core.tensor(own, "int64"), #classes) end
    return core.tensor(own, "float32")
  end
end

define("flow_from_directory", {
  { "directory", "string", required = true, doc = "a folder with a folder of pictures for each class" },
  { "target_size", "size", { 256, 256 }, axes = 2, doc = "rows and columns that pictures are brought to" },
  images.color_row,
  { "classes", "list", doc = "the classes' folders in the order of their numbers; left out: alphabetical" },
  { "class_mode", { "categorical", "binary", "sparse" }, "categorical", null = true,
    doc = "one-hot labels, numbers (float32 {n}), the same, or cdl.null for none" },
  batch_row, shuffle_row, flow_seed_row, save_row, prefix_row,
  { "follow_links", "boolean", false, doc = "whether to go into folders that are links" },
  subset_row,
  { "interpolation", { "nearest", "bilinear", "bicubic", "lanczos" }, "nearest",
    doc = "how pixels are found when the size changes" },
  { "keep_aspect_ratio", "boolean", false, doc = "cut off what does not fit the ratio of target_size" },
  damaged_row,
}, "A Dataset of batches of pictures from files, changed at random in every pass. Fields: class_indices, classes, "
  .. "filenames, filepaths, samples.",
  function(self, directory, size, color_mode, wanted, class_mode, batch_size, shuffle, seed, save_to_dir, save_prefix,
      follow_links, subset, interpolation, keep_aspect_ratio, damaged)
    local who = "flow_from_directory"
    directory = files.trim(directory)
    local classes = files.classes(who, directory, wanted)
    local paths, numbers, names = find_files(self, directory, classes, subset, follow_links)
    if class_mode == "binary" and #classes ~= 2 then
      core.raise(("%s: class_mode = 'binary' is for 2 classes, there are %d"):format(who, #classes))
    end
    print(("Found %d images belonging to %d classes."):format(#paths, #classes))
    local work = work_of(self, size[1], size[2], images.CHANNELS[color_mode])
    work.resize, work.antialias, work.whole = images.RESIZE[interpolation], true, true
    work.fit = keep_aspect_ratio and 1 or 0
    local dataset = make_dataset(self, who, { work = work, count = #paths,
      picture = function(sample) return paths[sample] end, labels = label_reader(class_mode, numbers, classes) },
      { batch_size = batch_size, shuffle = shuffle, seed = seed, save_to_dir = save_to_dir, save_prefix = save_prefix,
        damaged = damaged })
    dataset.class_indices = {}
    for i, name in ipairs(classes) do dataset.class_indices[name] = i - 1 end
    dataset.classes, dataset.filenames, dataset.filepaths, dataset.samples = numbers, names, paths, #paths
    return dataset
  end)

return Generator
