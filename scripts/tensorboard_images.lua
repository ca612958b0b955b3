-- Pictures in TensorBoard: the filters of a convnet, what they make of a sample, samples that it gets wrong, and its
-- confusion matrix, after each epoch.
--
--     cdl scripts/tensorboard_images.lua [epochs [folder [samples]]]
--     cdl board folder
local cdl = require "cdl"
local layers = cdl.layers

local epochs, folder, samples = tonumber(arg[1] or 5), arg[2] or "logs/images", tonumber(arg[3] or 4000)

cdl.random.seed(1)
local x, y = cdl.datasets.synthetic.digits { n_samples = samples }
x = x:reshape { samples, x.shape[2], x.shape[3], 1 } / 255
local model = cdl.Sequential {
  layers.Input { x.shape[2], x.shape[3], 1 },
  layers.Conv2D { 8, 5, activation = "relu", name = "strokes" },
  layers.MaxPooling2D(2),
  layers.Conv2D { 16, 3, activation = "relu", name = "shapes" },
  layers.GlobalMaxPooling2D(),
  layers.Dense { 10, activation = "softmax" },
}
model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "accuracy" } }

-- From 0 to 1, as pictures are.
local function scaled(picture)
  local least, greatest = picture:min():item(), picture:max():item()
  return (picture - least) / math.max(greatest - least, 1e-6)
end

-- Each element as a square of side pixels.
local function enlarged(picture, side) return picture:repeat_(side, 1):repeat_(side, 2) end

local writer = cdl.summary.create_file_writer(folder .. "/pictures")
local strokes = cdl.Model { inputs = model.input, outputs = model:get_layer "strokes".output }

local function write_filters(epoch)
  local kernel = model:get_layer "strokes".weights[1]:value() -- (5, 5, 1, 8)
  local filters = {}
  for k = 1, kernel.shape[4] do filters[k] = enlarged(scaled(kernel[{ {}, {}, 1, k }]), 8) end
  writer:image("filters", cdl.stack(filters, 1):expand_dims(4), epoch, { max_outputs = #filters })
end

local function write_activations(epoch, sample)
  local maps = strokes(sample) -- (1, height, width, 8)
  writer:image("activations", scaled(maps:permute { 4, 2, 3, 1 }), epoch, { max_outputs = maps.shape[4] })
  writer:image("sample", sample, epoch)
end

-- The first samples that are taken for another digit, and a table of which.
local function write_mistakes(epoch, pictures, truth, guess)
  local wrong, rows = {}, { { "sample", "is", "taken for" } }
  for i = 1, truth.size do
    if truth[i] ~= guess[i] and #wrong < 8 then
      wrong[#wrong + 1] = pictures[i]
      rows[#rows + 1] = { i, truth[i], guess[i] }
    end
  end
  if #wrong > 0 then writer:image("mistakes", cdl.stack(wrong, 1), epoch, { max_outputs = #wrong }) end
  writer:text("mistakes", rows, epoch)
end

-- Rows are what a sample is, columns what it is taken for.
local function write_confusion(epoch, truth, guess)
  local places = cdl.stack({ truth, guess }, 2)
  local counts = cdl.scatter(places, cdl.ones { truth.size }, { 10, 10 })
  writer:image("confusion", enlarged(counts / counts:sum(2, true):maximum(1), 16), epoch)
end

local Pictures = cdl.Callback:extend "Pictures"
function Pictures:on_epoch_end(epoch)
  local pictures, truth = self.validation_data[1], self.validation_data[2]
  local guess = model:predict(pictures, { verbose = 0 }):argmax(2)
  write_filters(epoch)
  write_activations(epoch, pictures[{ { 1, 1 } }])
  write_mistakes(epoch, pictures, truth, guess)
  write_confusion(epoch, truth, guess)
end

local history = model:fit(x, y, { epochs = epochs, validation_split = 0.2,
  callbacks = { cdl.callbacks.TensorBoard { folder, histogram_freq = 1 }, Pictures() } })
print(("validation accuracy %.4f; look at it with: cdl board %s"):format(history:best "val_accuracy", folder))
