--- Printed digits of 5 x 7 dots, for the synthetic data set `digits`.
local ops = require "cdl.ops"

local M = {}

local WIDTH, HEIGHT = 5, 7

local dots = {
  ".###. #...# #..## #.#.# ##..# #...# .###.", -- 0
  "..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.", -- 1
  ".###. #...# ....# ...#. ..#.. .#... #####", -- 2
  "##### ...#. ..#.. ...#. ....# #...# .###.", -- 3
  "...#. ..##. .#.#. #..#. ##### ...#. ...#.", -- 4
  "##### #.... ####. ....# ....# #...# .###.", -- 5
  "..##. .#... #.... ####. #...# #...# .###.", -- 6
  "##### ....# ...#. ..#.. .#... .#... .#...", -- 7
  ".###. #...# #...# .###. #...# #...# .###.", -- 8
  ".###. #...# #...# .#### ....# ...#. .##..", -- 9
}

-- Whether a dot of the digit covers the pixel (row, column), counted from its upper left corner.
local function is_dark(digit, row, column, scale)
  local y, x = row // scale, column // scale
  if y < 0 or y >= HEIGHT or x < 0 or x >= WIDTH then return false end
  local at = y * (WIDTH + 1) + x + 1
  return dots[digit + 1]:sub(at, at) == "#"
end

-- One picture, appended to the list of pixels.
local function draw(pixels, digit, size, scale, top, left)
  for row = 0, size - 1 do
    for column = 0, size - 1 do
      pixels[#pixels + 1] = is_dark(digit, row - top, column - left, scale) and 1 or 0
    end
  end
end

-- The first pixels at which something of this length can begin: around the middle, at most two
-- pixels away from it.
local function offsets(size, length)
  local middle, list = (size - length) // 2, {}
  for offset = math.max(0, middle - 2), math.min(size - length, middle + 2) do
    list[#list + 1] = offset
  end
  return list
end

--- All digits at all places in a square of size x size pixels: float32 {10 * places, size, size}
-- of 0 and 1, and places. Digit d at place p (both from 0) is picture d * places + p.
function M.pictures(size)
  local scale = (size - 1) // HEIGHT
  local tops, lefts = offsets(size, HEIGHT * scale), offsets(size, WIDTH * scale)
  local pixels = {}
  for digit = 0, 9 do
    for _, top in ipairs(tops) do
      for _, left in ipairs(lefts) do draw(pixels, digit, size, scale, top, left) end
    end
  end
  local places = #tops * #lefts
  return ops.reshape(ops.tensor(pixels, "float32"), { 10 * places, size, size }), places
end

return M
