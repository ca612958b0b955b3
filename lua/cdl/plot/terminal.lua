--- Curves as text: a character of braille holds two by four dots.
local curves = require "cdl.plot.curves"

local M = {}

local COLOURS = { 34, 33, 32, 35, 36, 31 } -- ANSI: blue, yellow, green ...
local LABEL = 9 -- columns for the numbers on the left

-- Dots of a character of braille by place in it, from the top left.
local DOTS = { [0] = { [0] = 0x01, 0x02, 0x04, 0x40 }, { [0] = 0x08, 0x10, 0x20, 0x80 } }

local function braille(dots) return utf8.char(0x2800 + dots) end

local Grid = {}
Grid.__index = Grid

local function new_grid(columns, rows)
  return setmetatable({ columns = columns, rows = rows, dots = {}, owner = {} }, Grid)
end

function Grid:set(x, y, owner)
  local cell = (y // 4) * self.columns + x // 2
  self.dots[cell] = (self.dots[cell] or 0) | DOTS[x % 2][y % 4]
  self.owner[cell] = owner
end

-- A straight line of dots; later lines of a chart have gaps where there are no colours.
function Grid:line(x0, y0, x1, y1, owner, gap)
  local steps = math.max(math.abs(x1 - x0), math.abs(y1 - y0), 1)
  for k = 0, steps do
    local x = math.floor(x0 + (x1 - x0) * k / steps + 0.5)
    if x % gap == 0 then self:set(x, math.floor(y0 + (y1 - y0) * k / steps + 0.5), owner) end
  end
end

local function paint(text, owner, colours)
  if not colours or not owner then return text end
  return ("\27[%dm%s\27[0m"):format(COLOURS[(owner - 1) % #COLOURS + 1], text)
end

function Grid:row_text(row, colours)
  local cells = {}
  for column = 0, self.columns - 1 do
    local cell = row * self.columns + column
    cells[#cells + 1] = self.dots[cell] and paint(braille(self.dots[cell]), self.owner[cell], colours) or " "
  end
  return (table.concat(cells):gsub(" +$", ""))
end

local function draw_line(grid, line, owner, place, gap)
  local x0, y0
  for i, value in ipairs(line.values) do
    if value - value == 0 then
      local x, y = place(line.steps[i], value)
      if x0 then grid:line(x0, y0, x, y, owner, gap) else grid:set(x, y, owner) end
      x0, y0 = x, y
    else
      x0 = nil
    end
  end
end

local function legend(chart, colours)
  local parts = {}
  for i, line in ipairs(chart.lines) do
    local last = curves.last(line)
    local mark = colours and "━━" or i == 1 and "━━" or "┅┅"
    parts[i] = ("%s %s%s"):format(paint(mark, i, colours), line.name ~= "" and line.name .. " " or "",
      last and curves.number(last) or "no number")
  end
  return table.concat(parts, "   ")
end

local function pad_left(text, width) return (" "):rep(width - #text) .. text end

--- A chart as lines of text, so many characters wide and rows high. colours: whether the terminal has them.
function M.draw(chart, width, height, colours)
  local lines = { chart.title .. "   " .. legend(chart, colours) }
  local left, right, low, high = curves.limits(chart)
  if not left then
    lines[2] = "  (no finite value)"
    return lines
  end
  local columns = math.max(width - LABEL - 1, 8)
  local grid = new_grid(columns, height)
  local function place(step, value)
    local across = right > left and (step - left) / (right - left) or 0
    return math.floor(across * (2 * columns - 1) + 0.5),
      math.floor((high - value) / (high - low) * (4 * height - 1) + 0.5)
  end
  for i, line in ipairs(chart.lines) do draw_line(grid, line, i, place, colours and 1 or i) end
  local middle = (height - 1) // 2
  for row = 0, height - 1 do
    local at = row == 0 and high or row == height - 1 and low
      or row == middle and high - (high - low) * (row + 0.5) / height
    local label = at and curves.number(at) or ""
    lines[#lines + 1] = pad_left(label, LABEL) .. (at and "┤" or "│") .. grid:row_text(row, colours)
  end
  lines[#lines + 1] = (" "):rep(LABEL) .. "└" .. ("─"):rep(columns)
  local first, last = curves.number(left), curves.number(right)
  lines[#lines + 1] = (" "):rep(LABEL + 1) .. first .. pad_left(last, columns - #first)
  return lines
end

return M
