--- What `cdl plot` draws: the columns of a CSVLogger's file, or the scalars below a TensorBoard folder, in charts. A
-- chart has the lines of one metric: training and validation, or one for each run.
local core = require "cdl.core"
local events = require "cdl.event_reader"
local words = require "cdl.words"

local M = {}

-- Adds a line to the chart of that title.
local function add(charts, title, line)
  local chart = charts[title]
  if not chart then
    chart = { title = title, lines = {} }
    charts[title] = chart
    charts[#charts + 1] = chart
  end
  chart.lines[#chart.lines + 1] = line
end

-- A cell of CSV, without its quotes, and the place behind its separator.
local function read_cell(line, at, separator)
  if line:sub(at, at) ~= '"' then
    local stop = line:find(separator, at, true) or #line + 1
    return line:sub(at, stop - 1), stop + 1
  end
  local parts = {}
  repeat
    local stop = line:find('"', at + 1, true) or #line + 1
    parts[#parts + 1] = line:sub(at + 1, stop - 1)
    at = stop + 1
  until line:sub(at, at) ~= '"'
  return table.concat(parts, '"'), at + 1
end

local function read_row(line, separator)
  local cells, at = {}, 1
  while at <= #line + 1 do
    cells[#cells + 1], at = read_cell(line, at, separator)
  end
  return cells
end

-- The table in a file of CSVLogger: the first column is the step.
local function read_csv(path)
  local file, problem = io.open(path, "rb")
  if not file then return nil, problem end
  local text = file:read "a"
  file:close()
  local names, separator, columns, steps, count = nil, ",", {}, {}, 0
  for line in text:gmatch "[^\r\n]+" do
    if not names then
      separator = line:match "^[^,;\t|]*([,;\t|])" or ","
      names = read_row(line, separator)
      for k in ipairs(names) do columns[k] = {} end
    else
      count = count + 1
      local cells = read_row(line, separator)
      steps[count] = tonumber(cells[1]) or count
      for k = 2, #names do
        local cell = cells[k] or ""
        columns[k][count] = tonumber(cell) or (cell:find "nan" or cell:find "inf") and 0 / 0 or false
      end
    end
  end
  if not names or count == 0 then return nil, ("%s: there are no rows"):format(path) end
  local charts = {}
  for k = 2, #names do
    local line = { name = names[k]:find "^val_" and "validation" or "training", steps = {}, values = {} }
    for i, value in ipairs(columns[k]) do
      if value then
        line.steps[#line.steps + 1], line.values[#line.values + 1] = steps[i], value
      end
    end
    if #line.steps > 0 then add(charts, (names[k]:gsub("^val_", "")), line) end
  end
  if #charts == 0 then return nil, ("%s: there is no column of numbers behind the first"):format(path) end
  return charts
end

local function read_folder(path)
  local found, problem = events.scalars(path)
  if not found then return nil, problem end
  local charts = {}
  for _, run in ipairs(words.sorted_keys(found)) do
    for _, tag in ipairs(words.sorted_keys(found[run])) do
      local series = found[run][tag]
      add(charts, tag, { name = run == "." and "" or run, steps = series.steps, values = series.values })
    end
  end
  if #charts == 0 then return nil, ("%s: there are no scalars of TensorBoard in it"):format(path) end
  table.sort(charts, function(a, b) return a.title < b.title end)
  return charts
end

-- The charts whose titles hold one of the names; without names those of epochs, if there are any.
local function choose(charts, names)
  local chosen = {}
  for _, wanted in ipairs(#names > 0 and names or { "epoch_" }) do
    for _, chart in ipairs(charts) do
      if not chosen[chart] and chart.title:find(wanted, 1, true) then
        chosen[chart] = true
        chosen[#chosen + 1] = chart
      end
    end
  end
  if #chosen == 0 and #names == 0 then return charts end
  if #chosen > 0 then return chosen end
  local titles = {}
  for i, chart in ipairs(charts) do titles[i] = chart.title end
  return nil, ("no curve's name holds '%s'%s; there are %s"):format(table.concat(names, "' or '"),
    words.suggestion(names[1], titles), table.concat(titles, ", "))
end

--- The charts of a file or folder: a list of {title =, lines = {{name =, steps =, values =}}}. names: parts of the
-- titles that are wanted. nil and a message when there is nothing to draw.
function M.load(path, names)
  local kind = core.path_kind(path)
  if not kind then return nil, ("there is no file or folder '%s'"):format(path) end
  local charts, problem
  if kind == "folder" then charts, problem = read_folder(path) else charts, problem = read_csv(path) end
  if not charts then return nil, problem end
  return choose(charts, names)
end

--- The least and greatest step and finite value of a chart, or nil when no value is finite.
function M.limits(chart)
  local left, right, low, high = math.huge, -math.huge, math.huge, -math.huge
  for _, line in ipairs(chart.lines) do
    for i, value in ipairs(line.values) do
      if value - value == 0 then
        left, right = math.min(left, line.steps[i]), math.max(right, line.steps[i])
        low, high = math.min(low, value), math.max(high, value)
      end
    end
  end
  if left > right then return nil end
  if low == high then
    local room = low == 0 and 1 or math.abs(low) * 0.1
    low, high = low - room, high + room
  end
  return left, right, low, high
end

--- A number for an axis or a legend: as short as it may be.
function M.number(x)
  if x == math.floor(x) and math.abs(x) < 1e6 then return ("%d"):format(x) end
  local text = ("%.4g"):format(x)
  return (text:gsub("e([+-])0+", "e%1"):gsub("e%+", "e"))
end

--- The last finite value of a line, or nil.
function M.last(line)
  for i = #line.values, 1, -1 do
    if line.values[i] - line.values[i] == 0 then return line.values[i] end
  end
end

--- Round numbers from low to high, about so many.
function M.ticks(low, high, count)
  local rough = (high - low) / count
  if rough <= 0 then return { low } end
  local power = 10 ^ math.floor(math.log(rough, 10))
  local step = 10 * power
  for _, factor in ipairs { 1, 2, 2.5, 5 } do
    if factor * power >= rough * 0.999 then
      step = factor * power
      break
    end
  end
  local list = {}
  for k = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) do list[#list + 1] = k * step end
  return list
end

return M
