--- Charts as a picture: a layout of lines, boxes and words, and the same as SVG. canvas.lua makes the pixels.
local canvas = require "cdl.plot.canvas"
local curves = require "cdl.plot.curves"
local font = require "cdl.plot.font"

local M = {}

local WIDTH, HEIGHT = 640, 400 -- of a chart
local LEFT, RIGHT, TOP, BOTTOM = 64, 20, 44, 36 -- its margins

-- Colours that stay apart for most eyes (Okabe and Ito), dark on white.
local COLOURS = { "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444" }

local INK, FAINT, GRID = "#222222", "#666666", "#e4e4e4"

-- Points in a picture's columns: of many in one column the least and the greatest stay.
local function thin(points)
  if #points < 4 * WIDTH then return points end
  local kept, at = {}, 1
  while at <= #points do
    local column, low, high = math.floor(points[at][1]), at, at
    local next_at = at
    while next_at <= #points and math.floor(points[next_at][1]) == column do
      if points[next_at][2] < points[low][2] then low = next_at end
      if points[next_at][2] > points[high][2] then high = next_at end
      next_at = next_at + 1
    end
    kept[#kept + 1] = points[math.min(low, high)]
    if low ~= high then kept[#kept + 1] = points[math.max(low, high)] end
    at = next_at
  end
  return kept
end

local function add_curves(items, chart, place)
  for i, line in ipairs(chart.lines) do
    local colour, points = COLOURS[(i - 1) % #COLOURS + 1], {}
    local function finish()
      if #points > 0 then items[#items + 1] = { kind = "curve", points = thin(points), colour = colour, width = 2 } end
      points = {}
    end
    for k, value in ipairs(line.values) do
      if value - value == 0 then points[#points + 1] = { place(line.steps[k], value) } else finish() end
    end
    finish()
  end
end

local function add_text(items, x, y, text, options)
  items[#items + 1] = { kind = "text", x = x, y = y, text = text, size = options.size or 12,
    colour = options.colour or FAINT, anchor = options.anchor or "start" }
end

local function add_rule(items, x0, y0, x1, y1, colour)
  items[#items + 1] = { kind = "curve", points = { { x0, y0 }, { x1, y1 } }, colour = colour, width = 1 }
end

-- The lines' names beside their colours, from the right above the chart.
local function add_legend(items, chart, x, y)
  for i = #chart.lines, 1, -1 do
    local name = chart.lines[i].name
    if name ~= "" then
      x = x - font.width(name, 12)
      add_text(items, x, y, name, { colour = INK })
      x = x - 26
      items[#items + 1] = { kind = "curve", points = { { x, y - 4 }, { x + 20, y - 4 } }, width = 3,
        colour = COLOURS[(i - 1) % #COLOURS + 1] }
      x = x - 14
    end
  end
end

local function add_axes(items, box, place)
  for _, value in ipairs(curves.ticks(box.low, box.high, 5)) do
    local _, y = place(box.left, value)
    add_rule(items, box.x, y, box.x + box.width, y, GRID)
    add_text(items, box.x - 8, y + 4, curves.number(value), { anchor = "end" })
  end
  for _, step in ipairs(curves.ticks(box.left, box.right, 6)) do
    if step == math.floor(step) then
      local x = place(step, box.low)
      add_rule(items, x, box.y + box.height, x, box.y + box.height + 4, FAINT)
      add_text(items, x, box.y + box.height + 18, curves.number(step), { anchor = "middle" })
    end
  end
  add_rule(items, box.x, box.y + box.height, box.x + box.width, box.y + box.height, FAINT)
end

-- The items of one chart whose corner is at x, y.
local function add_chart(items, chart, x, y)
  add_text(items, x + LEFT, y + 26, chart.title, { size = 15, colour = INK })
  add_legend(items, chart, x + WIDTH - RIGHT, y + 26)
  local left, right, low, high = curves.limits(chart)
  if not left then return add_text(items, x + LEFT, y + HEIGHT / 2, "no finite value", {}) end
  local room = (high - low) * 0.04
  local box = { x = x + LEFT, y = y + TOP, width = WIDTH - LEFT - RIGHT, height = HEIGHT - TOP - BOTTOM,
    left = left, right = right, low = low - room, high = high + room }
  local function place(step, value)
    local across = right > left and (step - left) / (right - left) or 0.5
    return box.x + across * box.width, box.y + (box.high - value) / (box.high - box.low) * box.height
  end
  add_axes(items, box, place)
  add_curves(items, chart, place)
end

-- Charts in rows of at most two: width, height and items.
local function arrange(charts)
  local columns = math.min(#charts, 2)
  local items = {}
  for i, chart in ipairs(charts) do
    add_chart(items, chart, (i - 1) % columns * WIDTH, (i - 1) // columns * HEIGHT)
  end
  return columns * WIDTH, (#charts + columns - 1) // columns * HEIGHT, items
end

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

--- The charts as SVG.
function M.svg(charts)
  local width, height, items = arrange(charts)
  local lines = {
    ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif">')
      :format(width, height, width, height),
    '<rect width="100%" height="100%" fill="#ffffff"/>',
  }
  for _, item in ipairs(items) do
    if item.kind == "text" then
      lines[#lines + 1] = ('<text x="%.1f" y="%.1f" font-size="%d" fill="%s" text-anchor="%s">%s</text>'):format(
        item.x, item.y, item.size, item.colour, item.anchor, (item.text:gsub('[&<>"]', ENTITIES)))
    else
      local points = {}
      for i, point in ipairs(item.points) do points[i] = ("%.1f,%.1f"):format(point[1], point[2]) end
      lines[#lines + 1] = ('<polyline points="%s" fill="none" stroke="%s" stroke-width="%d" stroke-linejoin="round"/>')
        :format(table.concat(points, " "), item.colour, item.width)
    end
  end
  lines[#lines + 1] = "</svg>\n"
  return table.concat(lines, "\n")
end

--- The charts as the bytes of a PNG file.
function M.png(charts)
  local width, height, items = arrange(charts)
  local picture = canvas.new(width, height)
  for _, item in ipairs(items) do
    if item.kind == "curve" then
      picture:curve(item.points, item.width, item.colour)
    else
      local x = item.x
      if item.anchor ~= "start" then
        x = x - font.width(item.text, item.size) * (item.anchor == "end" and 1 or 0.5)
      end
      for _, stroke in ipairs(font.strokes(item.text, x, item.y, item.size)) do
        picture:curve(stroke, item.size / 10, item.colour)
      end
    end
  end
  return picture:png()
end

return M
