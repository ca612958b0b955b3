--- Subscripts: `x[i]`, `x[{ {1, 32}, 3, {} }]`, `x[i] = v`, `pairs(x)`. Places count from 1, and
-- negative ones from the end; ranges include both ends.
local core = require "cdl.core"
local symbol = require "cdl.symbol"
local words = require "cdl.words"

return function(kit)
  local value_of = kit.value_of

  local function braces(list) return "{" .. table.concat(list, ", ") .. "}" end

  local function place(i, n, axis, shape)
    local at = math.type(i) and math.tointeger(i)
    if not at then
      core.raise(("subscript of axis %d must be an integer, got %s"):format(axis, words.describe(i)))
    end
    local from_zero = at > 0 and at - 1 or n + at
    if at == 0 or from_zero < 0 or from_zero >= n then
      core.raise(("subscript %d is out of range for axis %d of shape %s (1 to %d, or -%d to -1)"):format(
        at, axis, braces(shape), n, n))
    end
    return from_zero
  end

  -- {first, last, step} -> first (from 0), count, step
  local function range(entry, n, axis, shape)
    local step = entry[3] == nil and 1 or math.type(entry[3]) and math.tointeger(entry[3])
    if not step or step == 0 then
      core.raise(("the step of axis %d must be an integer other than 0, got %s"):format(axis,
        words.describe(entry[3])))
    end
    for key in pairs(entry) do
      if key ~= 1 and key ~= 2 and key ~= 3 then
        core.raise(("a range is {first, last, step}; axis %d has the key %s"):format(axis, words.literal(key)))
      end
    end
    if n == 0 then return 0, 0, step end
    local first = entry[1] == nil and (step > 0 and 1 or -1) or entry[1]
    local last = entry[2] == nil and (step > 0 and -1 or 1) or entry[2]
    local from, to = place(first, n, axis, shape), place(last, n, axis, shape)
    local count = step > 0 and (to - from) // step + 1 or (from - to) // -step + 1
    return from, math.max(count, 0), step
  end

  -- What a subscript means for this shape: starts, counts, steps, and the shape that is left.
  local function read(shape, key)
    if type(key) == "number" then key = { key } end
    if type(key) ~= "table" or getmetatable(key) then
      core.raise("a tensor is subscripted by a number or a list of numbers and ranges, got "
        .. words.describe(key))
    end
    if #shape == 0 then core.raise "a scalar tensor has no subscripts; use :item()" end
    local starts, counts, steps, left = {}, {}, {}, {}
    local given = 0
    for axis in pairs(key) do
      if math.type(axis) ~= "integer" or axis < 1 or axis > #shape then
        core.raise(("subscripts for axes 1 to %d are wanted, got one for %s"):format(#shape, words.literal(axis)))
      end
      given = math.max(given, axis)
    end
    for axis, n in ipairs(shape) do
      local entry = key[axis]
      steps[axis] = 1
      if entry == nil then
        if axis <= given then core.raise(("the subscript of axis %d is nil"):format(axis)) end
        starts[axis], counts[axis] = 0, n
        left[#left + 1] = n
      elseif type(entry) == "table" then
        starts[axis], counts[axis], steps[axis] = range(entry, n, axis, shape)
        left[#left + 1] = counts[axis]
      else
        starts[axis], counts[axis] = place(entry, n, axis, shape), 1
      end
    end
    return starts, counts, steps, left
  end

  local function drop(x, key)
    local dropped = type(key) == "number" and { key } or key
    local axes = {}
    for axis, entry in pairs(dropped) do
      if type(entry) ~= "table" then axes[#axes + 1] = axis - 1 end
    end
    table.sort(axes, function(a, b) return a > b end)
    for _, axis in ipairs(axes) do x = core.drop_axis(x, axis) end
    return x
  end

  -- A view (eager) or a node; `left` has fewer axes where numbers were given.
  local function view(x, key)
    local starts, counts, steps, left = read(x.shape, key)
    local box = core.slice(x, starts, counts, steps)
    if #left == #starts then return box, left end
    if x.kind == "eager" then return drop(box, key), left end
    return core.reshape(box, left), left
  end

  local function subscript(x, key)
    local box, left = view(value_of(x), key)
    if #left == 0 and box.kind == "eager" then return core.item(box) end
    return box
  end

  function core.hooks.subscript(x, key)
    if not symbol.is(x) then return subscript(x, key) end
    return symbol.record(function(concrete)
      return (view(concrete, key))
    end, { name = "subscript", key = key }, x)
  end

  function core.hooks.assign(x, key, value)
    if x.kind ~= "eager" then
      core.raise "only eager tensors can be assigned to; use where, scatter or a variable"
    end
    if words.is_plain(value) then value = core.tensor(value) end
    core.assign_into((view(x, key)), value)
  end

  -- for i, row in pairs(x)
  local function next_row(x, i)
    if i >= #x then return nil end
    return i + 1, x[i + 1]
  end
  local function rows(x) return next_row, x, 0 end
  core.tensor_meta.__pairs = rows
  core.variable_meta.__pairs = rows
  symbol.meta.__pairs = function(x)
    if #x < 0 then core.raise "the first axis of this symbolic tensor has no known size" end
    return rows(x)
  end
end
