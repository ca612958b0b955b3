package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 8.5: two networks, one that paints frogs and one that tells them from real ones. The frogs are those of
-- CIFAR-10, or its frogs alone in cifar10_frogs_jpg.tar in $CDL_DATA. Pictures go to dcgan_frogs.png. The
-- networks have a quarter and half of the book's channels, so that a processor trains them in minutes.
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local steps, batch, numbers = book.size(400, 2), 20, 32

-- The pictures of the archive, by way of a folder that goes again.
local function unpack_frogs(path)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute(("mkdir '%s' && tar xf '%s' -C '%s'"):format(folder, path, folder)))
  local batches = {}
  for x in cdl.data.image_folder(folder, { labels = cdl.null, image_size = 32, batch_size = 500, shuffle = false })
    :iterate() do batches[#batches + 1] = x end
  os.execute(("rm -r '%s'"):format(folder))
  return cdl.concat(batches, 1)
end

local function read_frogs()
  local path = (os.getenv "CDL_DATA" or ".") .. "/cifar10_frogs_jpg.tar"
  local file = io.open(path)
  if file then
    file:close()
    return unpack_frogs(path)
  end
  local x, y = cdl.datasets.cifar10.load_data()
  local places = {}
  for i = 1, #y do
    if y[{ i, 1 }] == 6 then places[#places + 1] = i - 1 end
  end
  return x:gather(cdl.tensor(places, "int64"), 1)
end
local x = book.data(read_frogs, function() return cdl.random.uniform { shape = { 64, 32, 32, 3 } } * 255 end)
x = x:astype "float32" / 127.5 - 1

local width = book.size(64, 8) -- channels
local function leaky() return layers.LeakyReLU() end
local generator = cdl.Sequential { name = "generator",
  layers.Dense { width * 16 * 16, input_shape = { numbers } }, leaky(),
  layers.Reshape { 16, 16, width },
  layers.Conv2D { width, 5, padding = "same" }, leaky(),
  layers.Conv2DTranspose { width, 4, strides = 2, padding = "same" }, leaky(),
  layers.Conv2D { width, 5, padding = "same" }, leaky(),
  layers.Conv2D { width, 5, padding = "same" }, leaky(),
  layers.Conv2D { 3, 7, padding = "same", activation = "tanh" },
}
local discriminator = cdl.Sequential { name = "discriminator",
  layers.Conv2D { width, 3, input_shape = { 32, 32, 3 } }, leaky(),
  layers.Conv2D { width, 4, strides = 2 }, leaky(),
  layers.Conv2D { width, 4, strides = 2 }, leaky(),
  layers.Conv2D { width, 4, strides = 2 }, leaky(),
  layers.Flatten(),
  layers.Dropout(0.4),
  layers.Dense { 1, activation = "sigmoid" },
}
discriminator:compile { optimizer = cdl.optimizers.RMSprop { learning_rate = 8e-4, clipvalue = 1 },
  loss = "binary_crossentropy" }

-- In the whole the discriminator stands still: what is trained is taken at compile.
discriminator.trainable = false
local input = cdl.Input { shape = { numbers } }
local gan = cdl.Model { inputs = input, outputs = discriminator(generator(input)) }
gan:compile { optimizer = cdl.optimizers.RMSprop { learning_rate = 4e-4, clipvalue = 1 },
  loss = "binary_crossentropy" }

local function noise() return cdl.random.normal { shape = { batch, numbers } } end

local start, d_loss, g_loss = 1
for step = 1, steps do
  local painted = generator:predict_on_batch(noise())
  local real = x[{ { start, start + batch - 1 } }]
  -- 1 is painted, 0 is real, with a little noise, which keeps the discriminator from being too sure.
  local labels = cdl.concat({ cdl.ones { batch, 1 }, cdl.zeros { batch, 1 } }, 1)
  labels = labels + 0.05 * cdl.random.uniform { shape = labels.shape }
  d_loss = discriminator:train_on_batch(cdl.concat({ painted, real }, 1), labels)
  g_loss = gan:train_on_batch(noise(), cdl.zeros { batch, 1 })
  start = start + batch
  if start + batch - 1 > #x then start = 1 end
  if step % 50 == 0 or step == steps then
    print(("step %d: discriminator %.4f, generator %.4f"):format(step, d_loss, g_loss))
  end
end
cdl.io.write_png(book.file "dcgan_frogs.png", generator:predict_on_batch(noise()) / 2 + 0.5)
print("twenty frogs are in " .. book.file "dcgan_frogs.png")
book.report("loss of the generator", g_loss, "of a discriminator that guesses: 0.6931")
