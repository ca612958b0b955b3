--- Numbers for strings that Keras's layers give, too: FarmHash64 (Pike and Alakuijala; the fingerprint, which never
-- changes) and, with a key, SipHash-2-4 (Aumasson and Bernstein 2012). Integers are unsigned and wrap.
local core = require "cdl.core"
local words = require "cdl.words"

local M = {}

--- The row of an argument `salt`.
M.salt_row = { "salt", "integer|list", of = "integer", doc = "one or two integers: other numbers than without" }

--- The key that a salt stands for: two integers; nil for nil.
function M.key_of(name, salt)
  local key = type(salt) == "number" and { salt, salt } or salt
  if key and #key ~= 2 then
    core.raise(("%s: salt must be one or two integers, got %s"):format(name, words.literal(salt)))
  end
  return key
end

local K0, K1, K2 = 0xc3a5c85c97cb3127, 0xb492b66fbe98f273, 0x9ae16a3b2f90404f

local function rotate_right(x, n) return x >> n | x << (64 - n) end
local function shift_mix(x) return x ~ x >> 47 end
local function word(s, at) return (string.unpack("<i8", s, at + 1)) end
local function half_word(s, at) return (string.unpack("<I4", s, at + 1)) end

local function mix(u, v, mul)
  local a = shift_mix((u ~ v) * mul)
  return shift_mix((v ~ a) * mul) * mul
end

local function hash_to_16(s)
  local n = #s
  local mul = K2 + n * 2
  if n >= 8 then
    local a, b = word(s, 0) + K2, word(s, n - 8)
    return mix(rotate_right(b, 37) * mul + a, (rotate_right(a, 25) + b) * mul, mul)
  elseif n >= 4 then
    return mix(n + (half_word(s, 0) << 3), half_word(s, n - 4), mul)
  elseif n > 0 then
    local y = s:byte(1) + (s:byte((n >> 1) + 1) << 8)
    local z = n + (s:byte(n) << 2)
    return shift_mix(y * K2 ~ z * K0) * K2
  end
  return K2
end

local function hash_to_32(s)
  local n = #s
  local mul = K2 + n * 2
  local a, b, c, d = word(s, 0) * K1, word(s, 8), word(s, n - 8) * mul, word(s, n - 16) * K2
  return mix(rotate_right(a + b, 43) + rotate_right(c, 30) + d, a + rotate_right(b + K2, 18) + c, mul)
end

local function hash_to_64(s)
  local n = #s
  local mul = K2 + n * 2
  local a, b, c, d = word(s, 0) * K2, word(s, 8), word(s, n - 8) * mul, word(s, n - 16) * K2
  local y = rotate_right(a + b, 43) + rotate_right(c, 30) + d
  local z = mix(y, a + rotate_right(b + K2, 18) + c, mul)
  local e, f = word(s, 16) * mul, word(s, 24)
  local g, h = (y + word(s, n - 32)) * mul, (z + word(s, n - 24)) * mul
  return mix(rotate_right(e + f, 43) + rotate_right(g, 30) + h, e + rotate_right(f + a, 18) + g, mul)
end

-- Two words from 32 bytes and two seeds.
local function weak(s, at, a, b)
  a = a + word(s, at)
  b = rotate_right(b + a + word(s, at + 24), 21)
  local c = a
  a = a + word(s, at + 8) + word(s, at + 16)
  return a + word(s, at + 24), b + rotate_right(a, 44) + c
end

-- One round over the 64 bytes at `at`; state: x y z v1 v2 w1 w2.
local function round(s, at, state, mul, is_last)
  local x, y, z, v1, v2, w1, w2 = table.unpack(state)
  x = rotate_right(x + y + v1 + word(s, at + 8), 37) * mul
  y = rotate_right(y + v2 + word(s, at + 48), 42) * mul
  x = x ~ (is_last and w2 * 9 or w2)
  y = y + (is_last and v1 * 9 or v1) + word(s, at + 40)
  z = rotate_right(z + w1, 33) * mul
  v1, v2 = weak(s, at, v2 * mul, x + w1)
  w1, w2 = weak(s, at + 32, z + w2, y + word(s, at + 16))
  return { z, y, x, v1, v2, w1, w2 }
end

local function hash_long(s)
  local n, seed = #s, 81
  local y = seed * K1 + 113
  local state = { seed * K2 + word(s, 0), y, shift_mix(y * K2 + 113) * K2, 0, 0, 0, 0 }
  local last = (n - 1) // 64 * 64
  for at = 0, last - 1, 64 do state = round(s, at, state, K1, false) end
  local mul = K1 + ((state[3] & 0xff) << 1)
  state[6] = state[6] + (n - 1 & 63)
  state[4] = state[4] + state[6]
  state[6] = state[6] + state[4]
  local x, z, v1, v2, w1, w2
  x, y, z, v1, v2, w1, w2 = table.unpack(round(s, last + (n - 1 & 63) - 63, state, mul, true))
  return mix(mix(v1, w1, mul) + shift_mix(y) * K0 + z, mix(v2, w2, mul) + x, mul)
end

--- FarmHash64 of a string.
function M.hash(s)
  local n = #s
  if n <= 16 then return hash_to_16(s) elseif n <= 32 then return hash_to_32(s) end
  if n <= 64 then return hash_to_64(s) end
  return hash_long(s)
end

local function rotate_left(x, n) return x << n | x >> (64 - n) end

--- SipHash-2-4 of a string with a key of two integers.
function M.keyed_hash(s, key1, key2)
  local a, b = key1 ~ 0x736f6d6570736575, key2 ~ 0x646f72616e646f6d
  local c, d = key1 ~ 0x6c7967656e657261, key2 ~ 0x7465646279746573
  local function rounds(count)
    for _ = 1, count do
      a, c = a + b, c + d
      b, d = rotate_left(b, 13) ~ a, rotate_left(d, 16) ~ c
      a = rotate_left(a, 32)
      c, a = c + b, a + d
      b, d = rotate_left(b, 17) ~ c, rotate_left(d, 21) ~ a
      c = rotate_left(c, 32)
    end
  end
  local whole = #s // 8 * 8
  local padded = s:sub(whole + 1) .. ("\0"):rep(7 - (#s - whole)) .. string.char(#s & 0xff)
  for at = 0, whole, 8 do
    local m = at < whole and word(s, at) or word(padded, 0)
    d = d ~ m
    rounds(2)
    a = a ~ m
  end
  c = c ~ 0xff
  rounds(4)
  return a ~ b ~ c ~ d
end

-- An unsigned integer modulo n.
local function modulo(x, n) return ((x >> 1) % n * 2 + (x & 1)) % n end

--- A number from 0 below n for a string; with a key (a list of two integers) another one.
function M.bucket(s, n, key)
  return modulo(key and M.keyed_hash(s, key[1], key[2]) or M.hash(s), n)
end

local JOIN = 0xc6a4a7935bd1e995

--- A number from 0 below n for several hashes, as TensorFlow crosses them: each is mixed into what came before.
function M.crossed(hashes, n)
  local all = 0xdecafcaffe
  for _, hash in ipairs(hashes) do
    local mixed = ((all ~ JOIN) ~ shift_mix(hash * JOIN) * JOIN) * JOIN
    all = shift_mix(shift_mix(mixed) * JOIN)
  end
  return modulo(all, n)
end

return M
