--- Datasets of pictures in folders (Keras's image_dataset_from_directory).
--
--     local train, validation = cdl.data.image_folder("pets", { image_size = {150, 150},
--       validation_split = 0.2, subset = "both", seed = 1 })
--     print(train.class_names[1], #train.file_paths)
local core = require "cdl.core"
local Dataset = require "cdl.data.dataset"
local batches = require "cdl.data.image_batches"
local files = require "cdl.data.image_files"
local images = require "cdl.images"
local ops = require "cdl.ops"
local order = require "cdl.datasets.order"
local random = require "cdl.random"
local signature = require "cdl.signature"
local words = require "cdl.words"

local WHO = "image_folder"

local function fail(format, ...) return core.raise(WHO .. ": " .. format:format(...)) end

-- ---- which files, and their labels ----

-- Paths, labels from 0 (nil: none) and names of classes.
local function index_inferred(args)
  local classes = files.classes(WHO, args.directory, args.class_names)
  local paths, labels = {}, {}
  for i, class in ipairs(classes) do
    for _, path in ipairs(files.pictures(WHO, args.directory .. "/" .. class, args.follow_links)) do
      paths[#paths + 1], labels[#paths + 1] = path, i - 1
    end
  end
  return paths, labels, classes
end

local function index_listed(args)
  local paths = files.pictures(WHO, args.directory, args.follow_links)
  local labels, seen, classes = {}, {}, {}
  if #args.labels ~= #paths then fail("%d labels for %d files in '%s'", #args.labels, #paths, args.directory) end
  for i, label in ipairs(args.labels) do
    local whole = math.type(label) and math.tointeger(label)
    if not whole or whole < 0 then fail("label %d is %s; wanted integers from 0", i, words.literal(label)) end
    labels[i] = whole
    if not seen[whole] then classes[#classes + 1] = whole end
    seen[whole] = true
  end
  table.sort(classes)
  for i, label in ipairs(classes) do classes[i] = tostring(label) end
  return paths, labels, classes
end

local function index(args)
  if args.labels == "inferred" and args.label_mode then return index_inferred(args) end
  if args.class_names then fail "class_names is for labels = 'inferred'" end
  if type(args.labels) == "table" and args.label_mode then return index_listed(args) end
  if type(args.labels) == "string" and args.labels ~= "inferred" then
    fail("labels must be 'inferred', a list of integers or cdl.null, got %s", words.literal(args.labels))
  end
  return files.pictures(WHO, args.directory, args.follow_links)
end

local function check(args)
  local split, subset = args.validation_split, args.subset
  if split and not subset then fail "with validation_split, subset must be 'training', 'validation' or 'both'" end
  if subset and not split then fail "subset is given, but not validation_split" end
  if split and args.shuffle and not args.seed then
    fail "with validation_split and shuffle a seed is needed, so that the parts never overlap"
  elseif args.crop_to_aspect_ratio and args.pad_to_aspect_ratio then
    fail "only one of crop_to_aspect_ratio and pad_to_aspect_ratio can be true"
  end
end

local function permute(list, places)
  local result = {}
  for i, place in ipairs(places) do result[i] = list[place + 1] end
  return result
end

-- ---- the datasets ----

-- A function that gives the labels of samples as label_mode says.
local function label_reader(args, labels, classes)
  return function(samples)
    if not labels then return nil end
    local own = {}
    for i, sample in ipairs(samples) do own[i] = labels[sample] end
    if args.label_mode == "categorical" then return ops.one_hot(core.tensor(own, "int64"), #classes) end
    local y = core.tensor(own, args.label_mode == "int" and "int32" or "float32")
    return args.label_mode == "int" and y or ops.reshape(y, { #own, 1 })
  end
end

local function work_of(args)
  return { height = args.image_size[1], width = args.image_size[2], channels = images.CHANNELS[args.color_mode],
    resize = images.RESIZE[args.interpolation],
    fit = args.crop_to_aspect_ratio and 1 or args.pad_to_aspect_ratio and 2 or 0 }
end

local function make_dataset(args, paths, labels, classes, shuffle)
  local read_labels, work, size = label_reader(args, labels, classes), work_of(args), args.batch_size or 1
  local function finish(x, samples)
    local y = read_labels(samples)
    if args.batch_size then return x, y end
    return ops.squeeze(x, 1), y and ops.reshape(y, table.move(y.shape, 2, y.ndim, 1, {}))
  end
  local function open(key)
    local permutation = shuffle and random.named("permutation", args.seed or random.get_seed(), WHO .. "/" .. key,
      { #paths }, "int64")
    return batches.draw { who = WHO, work = work, size = size, samples = batches.samples(#paths, permutation),
      job = function(sample) return { paths[sample] } end, finish = finish, damaged = args.damaged }
  end
  local dataset = Dataset.make { open = open, count = function() return (#paths + size - 1) // size end }
  dataset.class_names, dataset.file_paths = classes, paths
  return dataset
end

-- The part of the files that a subset is: the validation part is at the end.
local function part(args, list, subset)
  if not subset then return list end
  local validation = math.floor(args.validation_split * #list)
  if subset == "validation" then return table.move(list, #list - validation + 1, #list, 1, {}) end
  return table.move(list, 1, #list - validation, 1, {})
end

local function make_part(args, paths, labels, classes, subset)
  local own = part(args, paths, subset)
  if #own == 0 then
    fail("no %s files in '%s' (PNG or JPEG, by their suffix)", subset or "picture", args.directory)
  end
  if args.verbose and subset then print(("Using %d files for %s."):format(#own, subset)) end
  return make_dataset(args, own, labels and part(args, labels, subset), classes,
    args.shuffle and not (args.subset == "both" and subset == "validation"))
end

local function make(args)
  check(args)
  args.directory = files.trim(args.directory)
  local paths, labels, classes = index(args)
  if args.label_mode == "binary" and labels and #classes ~= 2 then
    fail("label_mode = 'binary' is for 2 classes, there are %d", #classes)
  end
  if args.verbose then
    print(labels and ("Found %d files belonging to %d classes."):format(#paths, #classes)
      or ("Found %d files."):format(#paths))
  end
  if args.shuffle then
    local seed = (args.seed or random.get_seed()) & 0xffffffff
    local places = order.shuffled(order.generator(seed), #paths)
    paths, labels = permute(paths, places), labels and permute(labels, places)
  end
  if args.subset ~= "both" then return make_part(args, paths, labels, classes, args.subset) end
  return make_part(args, paths, labels, classes, "training"), make_part(args, paths, labels, classes, "validation")
end

local rows = {
  { "directory", "string", required = true, doc = "a folder with a folder of pictures for each class" },
  { "labels", "string|list", "inferred", null = true,
    doc = "a label for each file in the order of their paths, or cdl.null for none" },
  { "label_mode", { "int", "categorical", "binary" }, "int", null = true,
    doc = "int32 {n}, one-hot float32 {n, classes}, float32 {n, 1}; cdl.null: no labels" },
  { "class_names", "list", doc = "the classes' folders in the order of their numbers; left out: alphabetical" },
  images.color_row,
  { "batch_size", "integer", 32, min = 1, null = true, doc = "pictures in a batch; cdl.null: no batches" },
  { "image_size", "size", { 256, 256 }, axes = 2, doc = "rows and columns that pictures are brought to" },
  { "shuffle", "boolean", true, doc = "whether passes come in an order of their own; else by class and name" },
  { "seed", "integer", doc = "of the order; left out: cdl.random's" },
  { "validation_split", "number", above = 0, below = 1, doc = "the part of the files that is for validation" },
  { "subset", { "training", "validation", "both" }, doc = "which part; both gives two datasets" },
  { "interpolation", { "bilinear", "nearest", "bicubic", "lanczos3", "lanczos5" }, "bilinear",
    doc = "how pixels are found when the size changes" },
  { "follow_links", "boolean", false, doc = "whether to go into folders that are links" },
  { "crop_to_aspect_ratio", "boolean", false, doc = "cut off what does not fit the ratio of image_size" },
  { "pad_to_aspect_ratio", "boolean", false, doc = "fill up with 0 to that ratio" },
  { "verbose", "boolean", true, doc = "whether to say how many files were found" },
  { "damaged", { "error", "skip" }, "error", doc = "what a file does that cannot be read; skip warns once" },
}

return signature.fn(WHO, rows, "Keras's image_dataset_from_directory: a dataset of batches of pictures, float32 "
  .. "{n, rows, columns, channels} from 0 to 255, and labels. Files are read by threads of their own. "
  .. "Fields: class_names, file_paths.",
  function(...)
    local args = {}
    for i, row in ipairs(rows) do args[row[1]] = (select(i, ...)) end
    return make(args)
  end)
