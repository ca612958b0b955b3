--- Random changes of pictures, as ImageDataGenerator draws them: their parameters, and the
-- transform of pixels that they come to.
local random = require "cdl.random"

local M = {}

-- Products of 3 x 3 matrices, whose last row is 0 0 1. Coordinates are (column, row), as in
-- Keras, where x is the column.
local function product(a, b)
  local c = {}
  for i = 0, 1 do
    for j = 1, 3 do
      c[3 * i + j] = a[3 * i + 1] * b[j] + a[3 * i + 2] * b[3 + j] + (j == 3 and a[3 * i + 3] or 0)
    end
  end
  return c
end

local function rotation(degrees)
  local angle = math.rad(degrees)
  return { math.cos(angle), -math.sin(angle), 0, math.sin(angle), math.cos(angle), 0 }
end

local function shear(degrees)
  local angle = math.rad(degrees)
  return { 1, -math.sin(angle), 0, 0, math.cos(angle), 0 }
end

--- What affine_transform needs to give a picture of that size as the parameters say; nil when they
-- move nothing. As in Keras: rotated, shifted, sheared, zoomed around the middle, then flipped.
function M.numbers(p, rows, columns)
  local moved = p.theta ~= 0 or p.tx ~= 0 or p.ty ~= 0 or p.shear ~= 0 or p.zx ~= 1 or p.zy ~= 1
  if not moved and not p.flip_horizontal and not p.flip_vertical then return nil end
  local m = rotation(p.theta)
  m = product(m, { 1, 0, p.tx, 0, 1, p.ty })
  m = product(m, shear(p.shear))
  m = product(m, { p.zx, 0, 0, 0, p.zy, 0 })
  local middle_x, middle_y = columns / 2 - 0.5, rows / 2 - 0.5
  m = product({ 1, 0, middle_x, 0, 1, middle_y }, m)
  m = product(m, { 1, 0, -middle_x, 0, 1, -middle_y })
  -- The flipped picture's pixel reads what the other side read.
  m = product(m, { p.flip_horizontal and -1 or 1, 0, p.flip_horizontal and columns - 1 or 0,
    0, p.flip_vertical and -1 or 1, p.flip_vertical and rows - 1 or 0 })
  m[7], m[8] = 0, 0
  return m
end

-- A function that gives n numbers from [0, 1) by name.
local function source(seed, name, n)
  return function(what)
    return random.named("uniform", seed, ("%s/%s"):format(name, what), { n }, "float64", { 0, 1 }):totable()
  end
end

local function spread(low, high, units)
  for i, unit in ipairs(units) do units[i] = low + (high - low) * unit end
  return units
end

-- Shifts: of up to a part of the size (below 1) or of pixels; a whole number n means 0 .. n - 1
-- pixels, a list one of its entries, both to either side.
local function shifts(range, size, draw, what)
  local list = range
  if math.type(range) == "float" then
    local scale = range < 1 and size or 1
    return spread(-range * scale, range * scale, draw(what))
  elseif math.type(range) == "integer" then
    list = {}
    for i = 1, range do list[i] = i - 1 end
  end
  local scale, places, sides = math.max(table.unpack(list)) < 1 and size or 1, draw(what), draw(what .. "/side")
  for i, unit in ipairs(places) do
    places[i] = list[math.floor(unit * #list) + 1] * scale * (sides[i] < 0.5 and -1 or 1)
  end
  return places
end

--- The parameters of n pictures of that size: a list of tables with Keras's names. They are a
-- function of the seed and the name alone.
function M.draw(generator, seed, name, n, rows, columns)
  local draw, list = source(seed, name, n), {}
  for i = 1, n do list[i] = { theta = 0, tx = 0, ty = 0, shear = 0, zx = 1, zy = 1 } end
  local function fill(field, values)
    for i, value in ipairs(values) do list[i][field] = value end
  end
  local function around(field, range)
    if range ~= 0 then fill(field, spread(-range, range, draw(field))) end
  end
  around("theta", generator.rotation_range)
  if generator.width_shift_range ~= 0 then fill("tx", shifts(generator.width_shift_range, columns, draw, "tx")) end
  if generator.height_shift_range ~= 0 then fill("ty", shifts(generator.height_shift_range, rows, draw, "ty")) end
  around("shear", generator.shear_range)
  local zoom = generator.zoom_range
  if zoom[1] ~= 1 or zoom[2] ~= 1 then
    fill("zx", spread(zoom[1], zoom[2], draw "zx"))
    fill("zy", spread(zoom[1], zoom[2], draw "zy"))
  end
  for _, flip in ipairs { "flip_horizontal", "flip_vertical" } do
    local wanted = generator[flip:gsub("flip_(.*)", "%1_flip")]
    local units = wanted and draw(flip)
    for i = 1, n do list[i][flip] = wanted and units[i] < 0.5 or false end
  end
  around("channel_shift_intensity", generator.channel_shift_range)
  local brightness = generator.brightness_range
  if brightness then fill("brightness", spread(brightness[1], brightness[2], draw "brightness")) end
  return list
end

return M
