--- Functions that change shapes. On contiguous eager tensors reshape, squeeze, expand_dims and
-- transpose are views: they share memory.
local core = require "cdl.core"

return function(kit)
  local define, axis_of, as_tensor = kit.define, kit.axis_of, kit.as_tensor
  local ops = kit.ops

  local x_row = { "x", "operand", required = true, doc = "any shape" }

  local function braces(list) return "{" .. table.concat(list, ", ") .. "}" end

  -- A variable stands for its value.
  local function value_of(x)
    x = as_tensor(x)
    if core.is_variable(x) then return core.read(x) end
    return x
  end
  kit.value_of = value_of

  -- The shape with its one -1 worked out.
  local function complete(x, shape)
    local unknown, known = nil, 1
    for i, n in ipairs(shape) do
      if n == -1 then
        if unknown then core.raise(("reshape: more than one size is unknown in %s"):format(braces(shape))) end
        unknown = i
      else
        known = known * n
      end
    end
    local size = x.size
    if unknown then
      if known == 0 or size % known ~= 0 then
        core.raise(("reshape: %d elements of shape %s do not divide into %s"):format(size,
          braces(x.shape), braces(shape)))
      end
      shape = table.move(shape, 1, #shape, 1, {})
      shape[unknown] = size // known
    elseif known ~= size then
      core.raise(("reshape: shape %s has %d elements, shape %s has %d"):format(braces(x.shape), size,
        braces(shape), known))
    end
    return shape
  end

  define("reshape", { x_row, { "shape", "shape", required = true, doc = "the new sizes; one may be -1" } },
    "The same elements, in row-major order, in another shape.", function(x, shape)
      x = value_of(x)
      return core.reshape(x, complete(x, shape))
    end)
  define("flatten", { x_row }, "All elements along one axis.", function(x)
    x = value_of(x)
    return core.reshape(x, { x.size })
  end)

  local function permute(x, axes, name)
    x = value_of(x)
    local order, seen = {}, {}
    if #axes ~= x.ndim then
      core.raise(("%s: %d axes are given for a tensor with %d"):format(name, #axes, x.ndim))
    end
    for i, axis in ipairs(axes) do
      order[i] = axis_of(x, axis, name)
      if seen[order[i]] then core.raise(("%s: axis %d is given twice"):format(name, axis)) end
      seen[order[i]] = true
    end
    return core.permute(x, order)
  end
  define("permute", { x_row, { "axes", "axes", required = true, doc = "output axis k is input axis axes[k]" } },
    "The axes in another order.", function(x, axes)
      return permute(x, type(axes) == "number" and { axes } or axes, "permute")
    end)
  define("transpose", { x_row,
    { "axes", "axes", doc = "the order of the axes; reversed when left out; or one of two to swap" },
    { "other", "axis", doc = "the axis to swap with, when axes is one axis" },
  }, "The axes reversed, in a given order (Keras), or two of them swapped (Torch).",
    function(x, axes, other)
      x = value_of(x)
      local order = axes
      if axes == nil or type(axes) == "number" then
        order = {}
        for i = 1, x.ndim do order[i] = axes == nil and x.ndim + 1 - i or i end
      end
      if type(axes) == "number" then
        if not other then core.raise "transpose: wanted a list of axes, or two axes to swap" end
        local a, b = axis_of(x, axes, "transpose") + 1, axis_of(x, other, "transpose") + 1
        order[a], order[b] = b, a
      end
      return permute(x, order, "transpose")
    end)

  define("squeeze", { x_row, { "axis", "axes", doc = "axes of size 1; all of them when left out" } },
    "Without axes of size 1.", function(x, axis)
      x = value_of(x)
      local drop, shape = {}, {}
      if axis ~= nil then
        for _, one in ipairs(type(axis) == "number" and { axis } or axis) do
          local at = axis_of(x, one, "squeeze") + 1
          if x.shape[at] ~= 1 then
            core.raise(("squeeze: axis %d of shape %s is not 1"):format(one, braces(x.shape)))
          end
          drop[at] = true
        end
      end
      for i, n in ipairs(x.shape) do
        if not (drop[i] or (axis == nil and n == 1)) then shape[#shape + 1] = n end
      end
      return core.reshape(x, shape)
    end, { settle = function(x, axis)
      if axis ~= nil then return x, axis end
      local axes = {}
      for i, n in ipairs(x.shape) do
        if n == 1 then axes[#axes + 1] = i end
      end
      return x, axes
    end })
  define("expand_dims", { x_row, { "axis", "axis", required = true, doc = "where the new axis will be" } },
    "With a new axis of size 1.", function(x, axis)
      x = value_of(x)
      local at = axis > 0 and axis or x.ndim + 2 + axis
      if at < 1 or at > x.ndim + 1 then
        core.raise(("expand_dims: axis %d is out of range for a result with %d axes"):format(axis, x.ndim + 1))
      end
      local shape = table.move(x.shape, 1, x.ndim, 1, {})
      table.insert(shape, at, 1)
      return core.reshape(x, shape)
    end)

  local broadcast = core.row "broadcast_to"
  local function broadcast_to(x, shape) return broadcast({ #shape, table.unpack(shape) }, nil, x) end
  define("broadcast_to", { x_row, { "shape", "shape", required = true, unknown = false, doc = "the wanted sizes" } },
    "Repeated along new axes and axes of size 1.", broadcast_to)

  -- The first count elements along an axis (from 0).
  function kit.box(x, at, first, count, step)
    local starts, counts, steps = {}, {}, {}
    for i, n in ipairs(x.shape) do starts[i], counts[i], steps[i] = 0, n, 1 end
    starts[at + 1], counts[at + 1], steps[at + 1] = first, count, step or 1
    return core.slice(x, starts, counts, steps)
  end
  function ops.take_first(x, at, count) return kit.box(x, at, 0, count) end

  local concat = core.row "concat"
  local function join(list, axis, name)
    if #list == 0 then core.raise(name .. ": the list of tensors is empty") end
    local first = as_tensor(list[1])
    return concat({ axis_of(first, axis, name) }, nil, table.unpack(list))
  end
  local MOST = 48 -- inputs of one node; longer lists are joined in groups
  local function join_groups(list, axis, name)
    while #list > MOST do
      local groups = {}
      for i = 1, #list, MOST do
        groups[#groups + 1] = join(table.move(list, i, math.min(i + MOST - 1, #list), 1, {}), axis, name)
      end
      list = groups
    end
    return join(list, axis, name)
  end
  define("concat", {
    { "list", "list", required = true, of = "operand", doc = "tensors that differ along the axis alone" },
    { "axis", "axis", -1, doc = "the axis" },
  }, "Tensors joined along an axis.", function(list, axis) return join_groups(list, axis, "concat") end)
  define("stack", {
    { "list", "list", required = true, of = "operand", doc = "tensors of one shape" },
    { "axis", "axis", 1, doc = "where the new axis will be" },
  }, "Tensors joined along a new axis.", function(list, axis)
    local parts, first = {}, nil
    for i, x in ipairs(list) do
      x = as_tensor(x)
      local shape = braces(x.shape)
      first = first or shape
      if shape ~= first then
        core.raise(("stack: tensor %d has shape %s, the first one %s"):format(i, shape, first))
      end
      parts[i] = ops.expand_dims(x, axis)
    end
    return join_groups(parts, axis, "stack")
  end)

  define("split", { x_row,
    { "parts", "size", required = true, min = 0,
      doc = "how many equal parts, or a list of the places to cut (rows before each cut)" },
    { "axis", "axis", 1, doc = "the axis" },
  }, "A list of pieces along an axis.", function(x, parts, axis)
    x = value_of(x)
    local at = axis_of(x, axis, "split")
    local n = x.shape[at + 1]
    local cuts = parts
    if type(parts) == "number" then
      if parts < 1 or n % parts ~= 0 then
        core.raise(("split: axis %d has %d elements, not a multiple of %d"):format(axis, n, parts))
      end
      cuts = {}
      for i = 1, parts - 1 do cuts[i] = i * (n // parts) end
    end
    local pieces, from = {}, 0
    for i = 1, #cuts + 1 do
      local to = cuts[i] or n
      if to < from or to > n then
        core.raise(("split: the cut at %d is out of order or beyond %d"):format(to, n))
      end
      pieces[i] = kit.box(x, at, from, to - from)
      from = to
    end
    return table.unpack(pieces)
  end, { list = true })

  define("flip", { x_row, { "axis", "axes", doc = "the axes; all when left out" } },
    "Reversed along axes.", function(x, axis)
      x = value_of(x)
      local axes = axis
      if axis == nil then
        axes = {}
        for i = 1, x.ndim do axes[i] = i end
      elseif type(axis) == "number" then
        axes = { axis }
      end
      for _, one in ipairs(axes) do
        local at = axis_of(x, one, "flip")
        local n = x.shape[at + 1]
        x = kit.box(x, at, math.max(n - 1, 0), n, -1)
      end
      return ops.contiguous(x)
    end)

  define("roll", { x_row, { "shift", "integer", required = true, doc = "places towards the end" },
    { "axis", "axis", doc = "the axis; the flattened tensor when left out" },
  }, "Elements shifted along an axis; what leaves at one end enters at the other.",
    function(x, shift, axis)
      x = value_of(x)
      if axis == nil then return ops.reshape(ops.roll(ops.flatten(x), shift, 1), x.shape) end
      local at = axis_of(x, axis, "roll")
      local n = x.shape[at + 1]
      local cut = n == 0 and 0 or shift % n
      if cut == 0 then return ops.copy(x) end
      return join({ kit.box(x, at, n - cut, cut), kit.box(x, at, 0, n - cut) }, at + 1, "roll")
    end)

  -- Axis `at` (from 0) `count` times as long: each block of what lies behind the first `outer` axes
  -- stands `count` times in a row.
  function kit.spread(x, at, outer, count)
    local shape, before, behind = x.shape, 1, 1
    for i, n in ipairs(shape) do
      if i <= outer then before = before * n else behind = behind * n end
    end
    local blocks = core.reshape(x, { before, 1, behind })
    shape[at + 1] = shape[at + 1] * count
    return core.reshape(ops.broadcast_to(blocks, { before, count, behind }), shape)
  end

  define("tile", { x_row, { "repeats", "size", required = true, min = 0, doc = "copies along each axis" } },
    "The whole tensor repeated along axes.", function(x, repeats)
      x = value_of(x)
      if type(repeats) == "number" then repeats = { repeats } end
      local shape = table.move(x.shape, 1, x.ndim, 1, {})
      repeats = table.move(repeats, 1, #repeats, 1, {})
      while #shape < #repeats do table.insert(shape, 1, 1) end
      while #repeats < #shape do table.insert(repeats, 1, 1) end
      local result = core.reshape(x, shape)
      for i, n in ipairs(repeats) do
        if n ~= 1 then result = kit.spread(result, i - 1, i - 1, n) end
      end
      return ops.contiguous(result)
    end)

  local function copied(x)
    x = value_of(x)
    return x.kind == "eager" and core.copy(x) or x
  end
  define("contiguous", { x_row }, "The same elements in row-major memory of their own.", copied)
  define("copy", { x_row }, "A copy in new memory.", copied)
  define("fill", { x_row, { "value", "number|boolean", required = true, doc = "the new value" } },
    "Sets every element of an eager tensor; returns the tensor.", function(x, value)
      core.assign_into(x, value)
      return x
    end)

  core.methods.item = core.item
  core.methods.totable = core.totable
end
