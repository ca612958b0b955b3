-- Data from a generator: a Lua function that makes each batch when the loop asks for it. There is no
-- data set here at all, and every batch has sequences of another length.
--
--     cdl scripts/generator.lua [tiny]
--
-- A walker goes up or down by one step at a time, at random. From its path the network learns how
-- many steps of the longest climb were taken without a step down.
local cdl = require "cdl"
local layers = cdl.layers

local tiny = arg[1] == "tiny"
local batch_size = tiny and 8 or 64
local longest = tiny and 8 or 24

cdl.random.seed(7)

-- A batch of paths of n steps {rows, n, 1}, and the longest climb of each {rows, 1}.
local function walk(rows, n)
  local up = cdl.random.bernoulli { shape = {rows, n} }
  local climb, best = cdl.zeros { rows }, cdl.zeros { rows }
  for step = 1, n do
    local now = up[{ {}, step }]
    climb = (climb + 1) * now -- a step down ends the climb
    best = best:maximum(climb)
  end
  return (2 * up - 1):expand_dims(-1), best:expand_dims(-1)
end

-- 1. A generator without end. Lengths come from a short list, since each new shape is traced once.
local function training_batches()
  local lengths, turn = { longest // 4, longest // 2, longest }, 0
  return function()
    turn = turn % #lengths + 1
    return walk(batch_size, lengths[turn])
  end
end

-- 2. One that ends, made anew for every validation: the same ten batches each time.
local kept = {}
for i = 1, tiny and 2 or 10 do kept[i] = table.pack(walk(batch_size, longest)) end
local validation = cdl.data.from_generator(function()
  return coroutine.wrap(function()
    for _, batch in ipairs(kept) do coroutine.yield(batch[1], batch[2]) end
  end)
end)

-- The unknown length is written -1.
local model = cdl.Sequential {
  layers.Input { -1, 1 },
  layers.Lambda(function(x) -- windows of 4 steps; the start is padded with steps down
    local n = x.shape[2]
    local padded = cdl.concat({ cdl.full({ x.shape[1], 3, 1 }, -1), x }, 2)
    local shifted = {}
    for k = 1, 4 do shifted[k] = padded[{ {}, { k, k + n - 1 } }] end
    return cdl.concat(shifted, 3)
  end, { name = "windows" }),
  layers.Dense { tiny and 8 or 32, activation = "relu" },
  layers.Dense { tiny and 8 or 32, activation = "relu" },
  layers.Lambda(function(x) return cdl.concat({ x:max(2), x:mean(2) }, 2) end, { name = "pool" }),
  layers.Dense { tiny and 8 or 32, activation = "relu" },
  layers.Dense(1),
}
model:compile { optimizer = "adam", loss = "mse", metrics = { "mae" } }

-- 3. An endless generator needs steps_per_epoch; the next epoch goes on where it is.
local history = model:fit(training_batches(), {
  steps_per_epoch = tiny and 6 or 150, epochs = tiny and 2 or 6,
  validation_data = validation,
})

-- 4. A dataset is a pipeline: samples of tensors in random order, in batches, and a function over
-- each batch. A path read backwards has the same longest climb, so the error should stay.
local paths, climbs = walk(tiny and 32 or 1024, longest)
local backwards = cdl.data.Dataset.from_tensors(paths, climbs):shuffle():batch(batch_size)
  :map(function(x, y) return x:flip(2), y end)
local _, forwards_error = model:evaluate(paths, climbs, { verbose = 0 })
local _, backwards_error = model:evaluate(backwards, { verbose = 0 })
print(("after %d epochs the climb is off by %.2f steps on average; read backwards by %.2f"):format(
  #history.epoch, forwards_error, backwards_error))
