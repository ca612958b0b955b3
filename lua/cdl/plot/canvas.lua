--- A white picture on which lines are drawn with soft edges.
local core = require "cdl.core"

local Canvas = {}
Canvas.__index = Canvas

local M = {}

--- A white picture of so many pixels. A pixel is one number, 0xrrggbb.
function M.new(width, height)
  local pixels = {}
  for i = 1, width * height do pixels[i] = 0xffffff end
  return setmetatable({ width = width, height = height, pixels = pixels }, Canvas)
end

-- How much of each pixel a stroke covers: at most 1 at its middle, less at its edge.
local function cover(self, covered, x0, y0, x1, y1, radius)
  local dx, dy = x1 - x0, y1 - y0
  local length = dx * dx + dy * dy
  local reach = radius + 1
  local top = math.max(0, math.floor(math.min(y0, y1) - reach))
  local bottom = math.min(self.height - 1, math.ceil(math.max(y0, y1) + reach))
  for y = top, bottom do
    local from, to = math.min(x0, x1) - reach, math.max(x0, x1) + reach
    if length > 0 and math.abs(dy) > 1e-9 then
      -- Of a steep line only the part near this row.
      local a, b = (y - reach - y0) / dy, (y + reach - y0) / dy
      local first, last = math.max(0, math.min(a, b)), math.min(1, math.max(a, b))
      local xa, xb = x0 + first * dx, x0 + last * dx
      from, to = math.min(xa, xb) - reach, math.max(xa, xb) + reach
    end
    for x = math.max(0, math.floor(from)), math.min(self.width - 1, math.ceil(to)) do
      local along = length > 0 and math.max(0, math.min(1, ((x - x0) * dx + (y - y0) * dy) / length)) or 0
      local away = math.sqrt((x - x0 - along * dx) ^ 2 + (y - y0 - along * dy) ^ 2)
      local part = radius + 0.5 - away
      if part > 0 then
        local at = y * self.width + x + 1
        if part > (covered[at] or 0) then covered[at] = math.min(part, 1) end
      end
    end
  end
end

local function mix(old, new, part)
  local result = 0
  for shift = 0, 16, 8 do
    local a, b = old >> shift & 255, new >> shift & 255
    result = result | math.floor(a + (b - a) * part + 0.5) << shift
  end
  return result
end

--- Draws a line through points { {x, y}, ... } in a colour "#rrggbb".
function Canvas:curve(points, width, colour)
  local covered, ink = {}, tonumber(colour:sub(2), 16)
  for i = 1, math.max(#points - 1, 1) do
    local a, b = points[i], points[i + 1] or points[i]
    -- The middle of a pixel is at .5.
    cover(self, covered, a[1] - 0.5, a[2] - 0.5, b[1] - 0.5, b[2] - 0.5, width / 2)
  end
  for at, part in pairs(covered) do self.pixels[at] = mix(self.pixels[at], ink, part) end
end

--- The picture as the bytes of a PNG file.
function Canvas:png()
  local rows, char = {}, string.char
  for y = 0, self.height - 1 do
    local row = {}
    for x = 1, self.width do
      local pixel = self.pixels[y * self.width + x]
      row[x] = char(pixel >> 16, pixel >> 8 & 255, pixel & 255)
    end
    rows[y + 1] = table.concat(row)
  end
  return core.png_encode(core.reshape(core.bytes_tensor(table.concat(rows)), { self.height, self.width, 3 }))
end

return M
