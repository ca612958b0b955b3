-- A generative adversarial network on two-dimensional data: a model with a training step of its own, two
-- optimizers and fresh random numbers at every step. The generator learns to put points on a circle.
--
--     cdl scripts/gan.lua [epochs]
local cdl = require "cdl"
local layers, optimizers = cdl.layers, cdl.optimizers

local epochs = tonumber(arg[1] or 60)
cdl.random.seed(3)

local function bce(label, p)
  local hit = label == 1 and p or 1 - p
  return -cdl.ops.log(cdl.ops.clip(hit, 1e-6, 1)):mean()
end

local GAN = cdl.Model:extend "GAN"
function GAN:init(args) self.d, self.g = args.d, args.g end
function GAN:train_step(x, y, sample_weight)                    -- traced once per shape, like everything else
  local z = cdl.random.normal { shape = {x.shape[1], 32} }      -- fresh numbers at every step
  local fake = self.g(z, true)
  local d_loss = bce(1, self.d(x, true)) + bce(0, self.d(cdl.stop_gradient(fake), true))
  self.d_opt:apply(cdl.gradients(d_loss, self.d.trainable_weights), self.d.trainable_weights)
  local g_loss = bce(1, self.d(self.g(z, true), true))          -- sees the updated d: program order
  self.g_opt:apply(cdl.gradients(g_loss, self.g.trainable_weights), self.g.trainable_weights)
  return { d_loss = d_loss, g_loss = g_loss }                   -- scalars become running means in logs
end

local discriminator = cdl.Sequential {
  layers.Dense { 64, activation = "relu", input_shape = { 2 } }, layers.Dense { 64, activation = "relu" },
  layers.Dense { 1, activation = "sigmoid" } }
local generator = cdl.Sequential {
  layers.Dense { 64, activation = "relu", input_shape = { 32 } }, layers.Dense { 64, activation = "relu" },
  layers.Dense(2) }
local gan = GAN { d = discriminator, g = generator }
gan:compile { d_opt = optimizers.Adam { learning_rate = 1e-3, beta_1 = 0.5 },
  g_opt = optimizers.Adam { learning_rate = 1e-3, beta_1 = 0.5 } }

local angle = cdl.random.uniform { shape = { 4096 }, minval = 0, maxval = 2 * math.pi }
local circle = cdl.stack({ angle:cos(), angle:sin() }, 2) + cdl.random.normal { shape = { 4096, 2 }, stddev = 0.02 }

local function distance()  -- of generated points from the circle, on average
  local points = generator:predict(cdl.random.normal { shape = { 1000, 32 } }, { verbose = 0 })
  return ((points * points):sum(2):sqrt() - 1):abs():mean():item()
end

local before = distance()
gan:fit(circle, { epochs = epochs, batch_size = 128, verbose = 2, callbacks = {
  { on_epoch_end = function(_, epoch, logs)
      if epoch % 20 == 0 then print(("epoch %d: points are %.3f from the circle"):format(epoch, distance())) end
    end } } })
print(("mean distance from the circle: %.3f before, %.3f after"):format(before, distance()))
