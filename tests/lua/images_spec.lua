--- Pictures: files, grids.
local cdl = require "cdl"
local folder = require "folder"
local program = require "program"

describe("pictures", function()
  local temporary
  setup(function() temporary = folder.new() end)
  teardown(function() temporary:remove() end)

  local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok)
    assert.matches("images_spec.lua:%d+: ", message)
    return message
  end

  it("are written and read again", function()
    local x = (cdl.arange(0, 59) * 4):reshape { 4, 5, 3 }:astype "uint8"
    cdl.io.write_png(temporary "x.png", x)
    local y = cdl.io.read_image(temporary "x.png")
    assert.equal("uint8", y.dtype)
    assert.same(x:totable(), y:totable())
    local grey = cdl.io.read_image(temporary "x.png", { color_mode = "grayscale", dtype = "float32" })
    assert.same({ 4, 5, 1 }, grey.shape)
    -- 0.299 * 12 + 0.587 * 16 + 0.114 * 20
    assert.equal(15, grey[{ 1, 2, 1 }])
    assert.same({ 4, 5, 4 }, cdl.io.read_image(temporary "x.png", { color_mode = "rgba" }).shape)
  end)

  it("are written from every dtype", function()
    local function written(x)
      cdl.io.write_png(temporary "x.png", x)
      return cdl.io.read_image(temporary "x.png", { color_mode = "grayscale" }):flatten():totable()
    end
    assert.same({ 0, 128, 255, 255 }, written(cdl.tensor { { -1, 0.5 }, { 1, 7 } }))
    assert.same({ 0, 5, 255, 255 }, written(cdl.tensor({ { -1, 5 }, { 255, 300 } }, "int32")))
    assert.same({ 0, 255 }, written(cdl.tensor { { false, true } }))
    assert.same({ 3, 4 }, written(cdl.tensor({ { { 3 }, { 4 } } }, "uint8")))
    -- A view: columns of a larger picture.
    local x = cdl.arange(0, 11):reshape { 3, 4 }:astype "uint8"
    assert.same({ 1, 3, 5, 7, 9, 11 }, written(x[{ {}, { 2, 4, 2 } }]))
  end)

  it("change their size", function()
    local x = cdl.arange(0, 15):reshape { 4, 4 }:astype "uint8"
    cdl.io.write_png(temporary "x.png", x)
    local function read(options)
      options.color_mode = "grayscale"
      return cdl.io.read_image(temporary "x.png", options):flatten():totable()
    end
    assert.same({ 5, 7, 13, 15 }, read { target_size = { 2, 2 } })
    -- Pillow's numbers: it, too, sees all pixels where a picture gets smaller.
    assert.same({ 4, 5, 10, 11 }, read { target_size = { 2, 2 }, interpolation = "bilinear" })
    assert.same({ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, read { target_size = 4 })
    assert.same({ 4, 5, 6, 7, 8, 9, 10, 11 }, read { target_size = { 2, 4 }, keep_aspect_ratio = true })
  end)

  it("stand in grids", function()
    local x = cdl.ones { 5, 2, 3, 1 } * cdl.arange(1, 5):reshape { 5, 1, 1, 1 }
    local grid = cdl.utils.image_grid(x, { padding = 1, value = 9 })
    assert.same({ 5, 11, 1 }, grid.shape)
    assert.same({ 1, 1, 1, 9, 2, 2, 2, 9, 3, 3, 3 }, grid[1]:flatten():totable())
    assert.same({ 4, 4, 4, 9, 5, 5, 5, 9, 9, 9, 9 }, grid[5]:flatten():totable())
    assert.same({ 14, 3, 1 }, cdl.utils.image_grid(x, { columns = 1, padding = 1 }).shape)
    cdl.io.write_png(temporary "grid.png", x / 5)
    assert.same({ 6, 13, 3 }, cdl.io.read_image(temporary "grid.png").shape)
  end)

  it("that are none are refused", function()
    temporary:write("x.txt", "hello")
    assert.matches("read_image: .*/x.txt: neither a PNG nor a JPEG file",
      message_of(cdl.io.read_image, temporary "x.txt"))
    assert.matches("read_image: .*/absent.png: No such file", message_of(cdl.io.read_image, temporary "absent.png"))
    cdl.io.write_png(temporary "whole.png", cdl.zeros { 8, 8, 3 })
    temporary:write("half.png", temporary:read "whole.png":sub(1, -20))
    assert.matches("half.png: damaged PNG file", message_of(cdl.io.read_image, temporary "half.png"))
    assert.matches("got {2, 2, 5}", message_of(cdl.io.write_png, temporary "y.png", cdl.zeros { 2, 2, 5 }))
    assert.matches("got {0, 2}", message_of(cdl.io.write_png, temporary "y.png", cdl.zeros { 0, 2 }))
    assert.matches("holds nan", message_of(cdl.io.write_png, temporary "y.png", cdl.full({ 1, 1 }, 0 / 0)))
    assert.matches("there is no folder", message_of(cdl.io.write_png, temporary "no/y.png", cdl.zeros { 1, 1 }))
    assert.matches("pictures of 1048577 x 2 pixels are too large",
      message_of(cdl.io.read_image, temporary "whole.png", { target_size = { 1048577, 2 } }))
    assert.matches("color_mode must be one of", message_of(cdl.io.read_image, temporary "whole.png", "grey"))
    assert.same({ "grid.png", "half.png", "whole.png", "x.png", "x.txt" }, temporary:names())
  end)
end)

describe("folders of pictures", function()
  local temporary
  setup(function()
    temporary = folder.new()
    -- Picture i has the colour 10 i everywhere; a.. are class one, b.. class two.
    cdl.io.make_folder(temporary "pets/one")
    cdl.io.make_folder(temporary "pets/two/more")
    for i, name in ipairs { "one/a.png", "one/b.png", "two/c.png", "two/d.png", "two/more/e.PNG" } do
      cdl.io.write_png(temporary("pets/" .. name), cdl.full({ 4, 6, 3 }, 10 * i, "uint8"))
    end
    temporary:write("pets/one/notes.txt", "no picture")
  end)
  teardown(function() temporary:remove() end)

  local function options(more)
    local args = { image_size = { 2, 3 }, verbose = false, shuffle = false }
    for name, value in pairs(more or {}) do args[name] = value end
    return args
  end

  -- The colours of all pictures in the order in which they come, and the labels.
  local function pass(dataset)
    local colours, labels = {}, {}
    for x, y in dataset:iterate() do
      for i = 1, #x do
        colours[#colours + 1] = x[{ i, 1, 1, 1 }]
        labels[#labels + 1] = y and (y.ndim == 1 and y[i] or y[i]:totable())
      end
    end
    return colours, labels
  end

  it("become datasets with labels", function()
    local dataset = cdl.data.image_folder(temporary "pets/", options { batch_size = 2 })
    assert.equal(3, #dataset)
    assert.same({ "one", "two" }, dataset.class_names)
    assert.matches("/pets/two/more/e.PNG$", dataset.file_paths[5])
    local colours, labels = pass(dataset)
    assert.same({ 10, 20, 30, 40, 50 }, colours)
    assert.same({ 0, 0, 1, 1, 1 }, labels)
    for x, y in dataset:take(1):iterate() do
      assert.same({ 2, 2, 3, 3 }, x.shape)
      assert.equal("float32", x.dtype)
      assert.equal("int32", y.dtype)
    end
    labels = select(2, pass(cdl.data.image_folder(temporary "pets", options { label_mode = "binary" })))
    assert.same({ { 0 }, { 0 }, { 1 }, { 1 }, { 1 } }, labels)
    labels = select(2, pass(cdl.data.image_folder(temporary "pets", options { label_mode = "categorical",
      class_names = { "two", "one" } })))
    assert.same({ { 1, 0 }, { 1, 0 }, { 1, 0 }, { 0, 1 }, { 0, 1 } }, labels)
    colours, labels = pass(cdl.data.image_folder(temporary "pets", options { labels = cdl.null }))
    assert.equal(5, #colours)
    assert.same({}, labels)
    labels = select(2, pass(cdl.data.image_folder(temporary "pets", options { labels = { 3, 4, 5, 3, 4 } })))
    assert.same({ 3, 4, 5, 3, 4 }, labels)
  end)

  it("give single pictures, in any colours and sizes", function()
    local count = 0
    for x, y in cdl.data.image_folder(temporary "pets", options { batch_size = cdl.null, color_mode = "grayscale",
      image_size = 5 }):iterate() do
      count = count + 1
      assert.same({ 5, 5, 1 }, x.shape)
      assert.near(10 * count, x[{ 3, 3, 1 }], 1e-4)
      assert.equal(count < 3 and 0 or 1, y:item())
    end
    assert.equal(5, count)
    for x in cdl.data.image_folder(temporary "pets", options { image_size = { 4, 4 }, pad_to_aspect_ratio = true,
      batch_size = 1 }):take(1):iterate() do
      assert.same({ 0, 10, 10, 0 }, x[{ 1, {}, 2, 1 }]:totable())
    end
  end)

  it("are shuffled anew in every pass, and divided once", function()
    local args = options { shuffle = true, seed = 3, batch_size = 2 }
    local dataset = cdl.data.image_folder(temporary "pets", args)
    local first, labels = pass(dataset)
    for i, colour in ipairs(first) do assert.equal(colour < 25 and 0 or 1, labels[i]) end
    assert.not_same(first, (pass(dataset)))
    assert.same(first, (pass(cdl.data.image_folder(temporary "pets", args))))
    args.validation_split, args.subset = 0.4, "both"
    local train, validation = cdl.data.image_folder(temporary "pets", args)
    local colours = pass(train)
    assert.equal(3, #colours)
    table.move(pass(validation), 1, 2, 4, colours)
    table.sort(colours)
    assert.same({ 10, 20, 30, 40, 50 }, colours)
    args.subset = "validation"
    assert.same(validation.file_paths, cdl.data.image_folder(temporary "pets", args).file_paths)
  end)

  it("with damaged files raise, or pass over them", function()
    temporary:write("pets/one/bad.jpg", "\xff\xd8\xff no picture")
    local args = options { batch_size = 2 }
    local ok, message = pcall(pass, cdl.data.image_folder(temporary "pets", args))
    assert.is_false(ok)
    assert.matches("image_folder: .*/pets/one/bad.jpg: damaged JPEG file", message)
    local status, out, err = program.run { "-e", ([[
      local cdl = require "cdl"
      local dataset = cdl.data.image_folder(%q, { image_size = 2, damaged = "skip", shuffle = false, verbose = false })
      for _ = 1, 2 do for x, y in dataset:iterate() do print(#x, #y, x[{1, 1, 1, 1}], x[{5, 1, 1, 1}]) end end
      for x in cdl.data.image_folder(%q, { labels = cdl.null, damaged = "skip", batch_size = 1, verbose = false })
        :iterate() do assert(#x == 1) end]]):format(temporary "pets", temporary "pets") }
    assert.equal("5\t5\t10.0\t50.0\n5\t5\t10.0\t50.0\n", out)
    assert.equal(0, status)
    local text = "warning: image_folder: [^\n]*/bad.jpg: damaged JPEG file: [^\n]*; it is left out"
    local warning, count = err:gsub(text, "")
    assert.equal(1, count)
    assert.equal("cdl: \n", warning)
    os.remove(temporary "pets/one/bad.jpg")
  end)

  it("say what is wrong with them", function()
    local function fails(text, args)
      local ok, message = pcall(cdl.data.image_folder, temporary "pets", options(args))
      assert.is_false(ok)
      assert.matches("images_spec.lua:%d+: image_folder: ", message)
      assert.matches(text, message)
    end
    fails("there is no folder \"three\" in '.*pets'; there are one, two", { class_names = { "three" } })
    fails("2 labels for 5 files", { labels = { 1, 2 } })
    fails("a seed is needed", { validation_split = 0.5, subset = "training", shuffle = true })
    fails("subset is given, but not validation_split", { subset = "training" })
    fails("'binary' is for 2 classes, there are 1", { label_mode = "binary", class_names = { "one" } })
    cdl.io.make_folder(temporary "none/here")
    local ok, message = pcall(cdl.data.image_folder, temporary "none", options())
    assert.is_false(ok)
    assert.matches("no picture files in '.*none'", message)
    ok, message = pcall(cdl.data.image_folder, temporary "absent", options())
    assert.is_false(ok)
    assert.matches("cannot read the folder '.*absent'", message)
  end)
end)

describe("ImageDataGenerator", function()
  local x = cdl.arange(0, 8):reshape { 3, 3, 1 } * 10

  -- The numbers of a changed picture, row by row.
  local function changed(parameters, args)
    return cdl.data.ImageDataGenerator(args or {}):apply_transform(x, parameters):flatten():totable()
  end

  it("moves, turns, zooms and flips as Keras", function()
    assert.same({ 10, 20, 20, 40, 50, 50, 70, 80, 80 }, changed { tx = 1 })
    assert.same({ 0, 0, 0, 0, 10, 20, 30, 40, 50 }, changed({ ty = -1 }, { fill_mode = "constant" }))
    assert.same({ 30, 40, 50, 0, 10, 20, 0, 10, 20 }, changed { ty = -1, flip_vertical = true })
    assert.same({ 20, 10, 0, 50, 40, 30, 80, 70, 60 }, changed { flip_horizontal = true })
    local turned = changed { theta = 90 }
    for i, value in ipairs { 20, 50, 80, 10, 40, 70, 0, 30, 60 } do assert.near(value, turned[i], 1e-3) end
    assert.same({ 5, 10, 15, 35, 40, 45, 65, 70, 75 }, changed { zx = 0.5 })
  end)

  it("changes colours as Keras", function()
    assert.same({ 25, 35, 45, 55, 65, 75, 80, 80, 80 }, changed { channel_shift_intensity = 25 })
    assert.same({ 0, 15, 30, 45, 60, 75, 90, 105, 120 }, changed { brightness = 1.5 })
  end)

  it("draws within its ranges, the same for a seed", function()
    local generator = cdl.data.ImageDataGenerator { rotation_range = 10, width_shift_range = 0.1,
      height_shift_range = { 3, 5 }, zoom_range = 0.2, shear_range = 4, brightness_range = { 0.5, 0.9 },
      channel_shift_range = 7, horizontal_flip = true }
    local flips = 0
    for seed = 1, 40 do
      local p = generator:get_random_transform({ 20, 30, 3 }, seed)
      assert.is_true(math.abs(p.theta) <= 10 and math.abs(p.tx) <= 3 and math.abs(p.shear) <= 4)
      assert.is_true(math.abs(p.ty) == 3 or math.abs(p.ty) == 5)
      assert.is_true(p.zx >= 0.8 and p.zx <= 1.2 and p.zy >= 0.8 and p.zy <= 1.2)
      assert.is_true(p.brightness >= 0.5 and p.brightness <= 0.9 and math.abs(p.channel_shift_intensity) <= 7)
      assert.is_false(p.flip_vertical)
      flips = flips + (p.flip_horizontal and 1 or 0)
    end
    assert.is_true(flips > 8 and flips < 32)
    assert.same(generator:get_random_transform({ 20, 30, 3 }, 5), generator:get_random_transform({ 20, 30, 3 }, 5))
    local whole = cdl.data.ImageDataGenerator { width_shift_range = 2 }:get_random_transform({ 5, 5, 1 }, 1)
    assert.is_true(whole.tx == 0 or math.abs(whole.tx) == 1)
  end)

  it("flows through pictures in memory", function()
    local pictures = cdl.random.uniform { shape = { 5, 4, 4, 2 } }
    local y, w = cdl.arange(1, 5), cdl.arange(10, 50, 10)
    local generator = cdl.data.ImageDataGenerator { rescale = 0.5 }
    local dataset = generator:flow(pictures, y, { batch_size = 2, shuffle = false, sample_weight = w })
    assert.equal(3, #dataset)
    local first = 1
    for a, b, c in dataset:iterate() do
      local rows = { first, first + #a - 1 }
      assert.same((pictures[{ rows }] * 0.5):totable(), a:totable())
      assert.same(y[{ rows }]:totable(), b:totable())
      assert.same(w[{ rows }]:totable(), c:totable())
      first = first + #a
    end
    local seen = {}
    for _, b in generator:flow(pictures, y, { batch_size = 2, seed = 1 }):iterate() do
      table.move(b:totable(), 1, #b, #seen + 1, seen)
    end
    assert.not_same({ 1, 2, 3, 4, 5 }, seen)
    table.sort(seen)
    assert.same({ 1, 2, 3, 4, 5 }, seen)
  end)

  it("changes every pass in its own way, the same for a seed", function()
    local pictures = cdl.random.uniform { shape = { 3, 6, 6, 1 } }
    local function first_of(dataset)
      return (dataset:iterate()()):totable()
    end
    local generator = cdl.data.ImageDataGenerator { rotation_range = 90, zoom_range = { 0.5, 1 } }
    local one = generator:flow(pictures, nil, { shuffle = false, seed = 4 })
    local other = generator:flow(pictures, nil, { shuffle = false, seed = 4 })
    local pass = first_of(one)
    assert.not_same(pictures:totable(), pass)
    assert.same(pass, first_of(other))
    assert.not_same(pass, first_of(one))
  end)

  it("normalizes by sample and by feature, after a function of the user", function()
    local pictures = cdl.random.uniform { shape = { 4, 3, 3, 2 } }
    local generator = cdl.data.ImageDataGenerator { featurewise_center = true, featurewise_std_normalization = true }
    generator:fit(pictures)
    for a in generator:flow(pictures, nil, 4):iterate() do
      for channel = 1, 2 do
        assert.near(0, a[{ {}, {}, {}, channel }]:mean():item(), 1e-5)
        assert.near(1, a[{ {}, {}, {}, channel }]:std():item(), 1e-3)
      end
    end
    local sample = cdl.data.ImageDataGenerator { samplewise_center = true, rescale = 2,
      preprocessing_function = function(picture) return picture + 1 end }:standardize(pictures[1])
    assert.near(0, sample:mean():item(), 1e-5)
    local plain = cdl.data.ImageDataGenerator { rescale = 2,
      preprocessing_function = function(picture) return picture + 1 end }
    for a in plain:flow(pictures, nil, { batch_size = 4, shuffle = false }):iterate() do
      assert.near((pictures:mean():item() + 1) * 2, a:mean():item(), 1e-5)
    end
  end)

  it("flows from folders, divides them and saves what comes out", function()
    local temporary <close> = setmetatable({ folder.new() }, { __close = function(t) t[1]:remove() end })
    local place = temporary[1]
    for _, class in ipairs { "a", "b" } do
      cdl.io.make_folder(place("train/" .. class))
      for i = 1, 4 do cdl.io.write_png(place(("train/%s/%d.png"):format(class, i)), cdl.full({ 3, 3 }, i / 10)) end
    end
    local _, out = program.run { "-e", ([[
      local cdl = require "cdl"
      local generator = cdl.data.ImageDataGenerator { validation_split = 0.25, rescale = 1 / 255 }
      local train = generator:flow_from_directory(%q, { target_size = 2, color_mode = "grayscale", batch_size = 3,
        class_mode = "sparse", subset = "training", shuffle = false, save_to_dir = %q, save_prefix = "p" })
      for x, y in train:iterate() do print(#x, x.shape[2], x[{1, 1, 1, 1}], table.concat(y:totable(), " ")) end
      print(train.samples, train.class_indices.b, train.filenames[4])
      for _, y in generator:flow_from_directory(%q, { subset = "validation", target_size = 2, seed = 1 }):iterate() do
        print(#y, y.shape[2])
      end]]):format(place "train/", place "saved", place "train") }
    assert.matches("Found 6 images belonging to 2 classes.\n3\t2\t0.2%d*\t0.0 0.0 0.0\n3\t2\t0.2%d*\t1.0 1.0 1.0\n"
      .. "6\t1\tb/2.png\nFound 2 images belonging to 2 classes.\n2\t2\n", out)
    local _, names = program.shell("ls " .. program.quote(place "saved"))
    assert.equal("p_0_0.png\np_1_1.png\np_2_2.png\np_3_3.png\np_4_4.png\np_5_5.png\n", names)
  end)

  it("trains a model, on any number of threads alike", function()
    local function run(threads)
      local status, out, err = program.run { "--threads", tostring(threads), "--seed", "1", "-e", [[
        local cdl = require "cdl"
        local x, y = cdl.datasets.synthetic.digits { n_samples = 200, size = 8 }
        local generator = cdl.data.ImageDataGenerator { rescale = 1 / 255, rotation_range = 10, zoom_range = 0.1 }
        local model = cdl.Sequential { cdl.layers.Flatten { input_shape = { 8, 8, 1 } }, cdl.layers.Dense(10) }
        model:compile { loss = cdl.losses.SparseCategoricalCrossentropy { from_logits = true }, optimizer = "adam" }
        local data = generator:flow(x:reshape { 200, 8, 8, 1 }, y)
        local history = model:fit(data, { epochs = 3, verbose = 0 })
        print(("%.9g %.9g"):format(history.history.loss[1], history.history.loss[3]))]] }
      assert.equal("", err)
      assert.equal(0, status)
      return out
    end
    local one = run(1)
    local first, last = one:match "(%S+) (%S+)"
    assert.is_true(tonumber(last) < tonumber(first))
    assert.equal(one, run(3))
  end)

  it("refuses what makes no sense", function()
    local function fails(text, f, ...)
      local ok, message = pcall(f, ...)
      assert.is_false(ok)
      assert.matches("images_spec.lua:%d+: ", message)
      assert.matches(text, message)
    end
    local Generator = cdl.data.ImageDataGenerator
    fails("zoom_range must be {low, high}", Generator, { zoom_range = { 1 } })
    fails("unknown argument 'rotation'", Generator, { rotation = 1 })
    fails("entry 1 of width_shift_range must be a number", Generator, { width_shift_range = { "a" } })
    local generator = Generator { featurewise_center = true }
    fails("wanted pictures {n, rows, columns, channels}", generator.flow, generator, x)
    fails("y must be a tensor with 2 rows", generator.flow, generator, cdl.ones { 2, 2, 2, 1 }, cdl.ones { 3 })
    fails("no validation_split", generator.flow, generator, cdl.ones { 2, 2, 2, 1 }, nil, { subset = "training" })
    fails("featurewise_center needs generator:fit%(x%) first", generator.standardize, generator, x)
  end)
end)
