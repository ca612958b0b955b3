--- The order in which NumPy shuffles: what numpy.random.RandomState(seed).shuffle does to the
-- numbers 0 .. n-1. Keras shuffles its data sets so, and a set in another order would be another
-- set: its first samples are what people validate on.
--
--     local draw = order.generator(113)
--     local places = order.shuffled(draw, 25000)     --> list of 0 .. 24999
local core = require "cdl.core"

local M = {}

local SIZE, PERIOD = 624, 397

-- The next 624 words of the Mersenne Twister (Matsumoto and Nishimura, "Mersenne twister", 1998).
local function refill(state)
  for i = 0, SIZE - 1 do
    local y = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff)
    state[i] = state[(i + PERIOD) % SIZE] ~ (y >> 1) ~ (y & 1) * 0x9908b0df
  end
end

--- A function that gives 32 random bits at each call.
function M.generator(seed)
  local state, at = { [0] = seed & 0xffffffff }, SIZE
  for i = 1, SIZE - 1 do
    local before = state[i - 1]
    state[i] = (1812433253 * (before ~ (before >> 30)) + i) & 0xffffffff
  end
  return function()
    if at == SIZE then
      refill(state)
      at = 0
    end
    local y = state[at]
    at = at + 1
    y = y ~ (y >> 11)
    y = y ~ ((y << 7) & 0x9d2c5680)
    y = y ~ ((y << 15) & 0xefc60000)
    return y ~ (y >> 18)
  end
end

-- A random integer 0 .. most: bits are drawn until they are one.
local function interval(draw, most)
  local mask = most
  for _, shift in ipairs { 1, 2, 4, 8, 16 } do mask = mask | (mask >> shift) end
  local value
  repeat value = draw() & mask until value <= most
  return value
end

--- 0 .. n-1, shuffled.
function M.shuffled(draw, n)
  local places = {}
  for i = 1, n do places[i] = i - 1 end
  for i = n - 1, 1, -1 do
    local j = interval(draw, i)
    places[i + 1], places[j + 1] = places[j + 1], places[i + 1]
  end
  return places
end

--- The places that undo such an order.
function M.inverse(places)
  local inverse = {}
  for i, place in ipairs(places) do inverse[place + 1] = i - 1 end
  return inverse
end

--- The first rows of a tensor and the others; either part may be empty.
function M.divide(x, count)
  local function part(first, last)
    if last >= first then return x[{ { first, last } }] end
    return core.full({ 0, table.unpack(x.shape, 2) }, 0, x.dtype)
  end
  return part(1, count), part(count + 1, #x)
end

return M
