-- A variational autoencoder (Kingma and Welling 2013) on Fashion-MNIST, dense: a layer that draws random
-- numbers and adds its own loss. Without the data set it trains on synthetic digits.
--
--     cdl scripts/vae.lua [epochs [samples]]
local cdl = require "cdl"
local layers = cdl.layers

local epochs, samples = tonumber(arg[1] or 5), tonumber(arg[2] or 60000)
cdl.random.seed(5)

local found, x = pcall(cdl.datasets.fashion_mnist.load_data)
if not found then x = cdl.datasets.synthetic.digits { n_samples = 2000 } end
x = x[{ { 1, math.min(samples, #x) } }]
local pixels = x.size // #x
x = (x:astype "float32" / x:max():item()):reshape { #x, pixels }

-- z = mean + e^(log variance / 2) noise; the divergence from a standard normal joins the loss.
local Sampling = cdl.Layer:extend "Sampling"
function Sampling:call(inputs)
  local mean, log_variance = inputs[1], inputs[2]
  local divergence = (1 + log_variance - mean:square() - log_variance:exp()):sum(2):mean() * -0.5
  self:add_loss(divergence / pixels)
  self:add_metric(divergence, "divergence")
  return mean + (log_variance * 0.5):exp() * cdl.random.normal { shape = mean.shape }
end

local image = cdl.Input { shape = { pixels }, name = "image" }
local hidden = layers.Dense { 256, activation = "relu" }(image)
local mean = layers.Dense(8, { name = "mean" })(hidden)
local log_variance = layers.Dense(8, { name = "log_variance" })(hidden)
local z = Sampling()(mean, log_variance)
local decoder = cdl.Sequential { name = "decoder",
  layers.Dense { 256, activation = "relu", input_shape = { 8 } }, layers.Dense { pixels, activation = "sigmoid" } }
local vae = cdl.Model { inputs = image, outputs = decoder(z) }
vae:compile { optimizer = "adam", loss = "binary_crossentropy" }
vae:summary()
vae:fit(x, x, { epochs = epochs, batch_size = 128, verbose = 2, validation_split = 0.1 })

-- A picture of a drawn sample, in letters.
local drawn = decoder:predict(cdl.random.normal { shape = { 1, 8 } }, { verbose = 0 })
local side = math.floor(pixels ^ 0.5)
for row = 1, side, 2 do
  local line = {}
  for column = 1, side do
    local value = drawn[{ 1, (row - 1) * side + column }]
    local level = math.floor(value * 4.99) + 1
    line[column] = (" .:*#"):sub(level, level)
  end
  print(table.concat(line))
end
