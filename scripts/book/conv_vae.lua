package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- 8.4: a convolutional variational autoencoder; its two numbers per picture form a map of digits, which is
-- drawn into vae_digits.png.
local cdl = require "cdl"
local book = require "common"
local layers = cdl.layers

cdl.random.seed(1)
local x = book.digits()

-- A picture becomes the mean and the logarithm of the variance of a place on the map.
local image = cdl.Input { shape = { 28, 28, 1 } }
local hidden = layers.Conv2D(32, 3, { padding = "same", activation = "relu" })(image)
hidden = layers.Conv2D(64, 3, { padding = "same", activation = "relu", strides = 2 })(hidden)
hidden = layers.Conv2D(64, 3, { padding = "same", activation = "relu" })(hidden)
hidden = layers.Conv2D(64, 3, { padding = "same", activation = "relu" })(hidden)
hidden = layers.Dense(32, { activation = "relu" })(layers.Flatten()(hidden))
local mean, log_variance = layers.Dense(2)(hidden), layers.Dense(2)(hidden)

-- Draws a place near the mean; the divergence from a standard normal distribution joins the loss.
local Sampling = cdl.Layer:extend "Sampling"
function Sampling:call(inputs)
  local m, v = inputs[1], inputs[2]
  self:add_loss((1 + v - m:square() - v:exp()):mean() * -5e-4)
  return m + (v * 0.5):exp() * cdl.random.normal { shape = m.shape }
end

local decoder = cdl.Sequential { name = "decoder",
  layers.Dense { 14 * 14 * 64, activation = "relu", input_shape = { 2 } },
  layers.Reshape { 14, 14, 64 },
  layers.Conv2DTranspose { 32, 3, padding = "same", activation = "relu", strides = 2 },
  layers.Conv2D { 1, 3, padding = "same", activation = "sigmoid" },
}
local vae = cdl.Model { inputs = image, outputs = decoder(Sampling()(mean, log_variance)) }
vae:compile { optimizer = "rmsprop", loss = "binary_crossentropy" }
local epochs = book.size(8, 1)
local history = vae:fit(x, x, { epochs = epochs, steps_per_epoch = book.size(100, 2), batch_size = 32, verbose = 2 })

-- Places where the map has the same weight: 15 by 15 quantiles of the normal distribution, which are found
-- by halving intervals of its integral.
local function quantile(p)
  local low, high = -5, 5
  for _ = 1, 40 do
    local middle = (low + high) / 2
    local below = 0.5 * (1 + cdl.tensor(middle / math.sqrt(2)):erf():item())
    if below < p then low = middle else high = middle end
  end
  return (low + high) / 2
end

local side, places = book.size(15, 3), {}
for row = 1, side do
  for column = 1, side do places[#places + 1] = { quantile((row - 0.5) / side), quantile((column - 0.5) / side) } end
end
local digits = decoder:predict(cdl.tensor(places), { verbose = 0 })
cdl.io.write_png(book.file "vae_digits.png", cdl.utils.image_grid(digits, { columns = side, padding = 0 }))
print("the map is in " .. book.file "vae_digits.png")
book.report("loss", history.history.loss[epochs], "the book: 0.20 after 10 epochs")
