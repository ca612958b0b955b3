--- Functions that take or make tensors of indices. Indices count from 0, in and out; where they
-- are wanted floats must be integral, and what is out of range raises, naming value and place.
local core = require "cdl.core"

return function(kit)
  local define, axis_of = kit.define, kit.axis_of
  local ops, value_of = kit.ops, kit.value_of

  local x_row = { "x", "operand", required = true, doc = "any shape" }
  local indices_row = { "indices", "operand", required = true, doc = "from 0, any shape" }

  local gather = core.row "gather"
  define("gather", { x_row, indices_row, { "axis", "axis", 1, doc = "the axis that is indexed" } },
    "Slices of x along an axis, at indices from 0: that axis is replaced by the indices' axes.",
    function(x, indices, axis)
      return gather({ axis_of(x, axis, "gather") }, nil, x, indices)
    end)

  local take_along = core.row "take_along"
  define("take_along_axis", { x_row, indices_row, { "axis", "axis", -1, doc = "the axis that is indexed" } },
    "One element of x along an axis for each index; indices have as many axes as x.",
    function(x, indices, axis)
      return take_along({ axis_of(x, axis, "take_along_axis") }, nil, x, indices)
    end)

  local one_hot = core.row "one_hot"
  define("one_hot", {
    { "x", "operand", required = true, doc = "classes from 0, any shape" },
    { "num_classes", "integer", required = true, min = 1, doc = "size of the new last axis" },
    { "dtype", "dtype", "float32", doc = "element type of the result" },
  }, "1 at the class, 0 elsewhere, along a new last axis.", function(x, num_classes, dtype)
    local hot = one_hot({ num_classes }, nil, x)
    return dtype == "float32" and hot or ops.astype(hot, dtype)
  end)

  local scatter = core.row "scatter"
  define("scatter", {
    { "indices", "operand", required = true, doc = "{..., k}: places in the first k axes, from 0" },
    { "values", "operand", required = true, doc = "{..., the other axes of shape}" },
    { "shape", "shape", required = true, unknown = false, doc = "shape of the result" },
  }, "Zeros of a shape with values added at the indexed places.", function(indices, values, shape)
    indices, values = value_of(indices), value_of(values)
    local k = indices.shape[indices.ndim]
    if not k or k < 1 or k > #shape then
      core.raise(("scatter: the last axis of indices holds 1 to %d places, got %s"):format(#shape, tostring(k)))
    end
    -- The first k axes of the result as one: place = (i1 * n2 + i2) * n3 + i3 ...
    local rows, place = 1, nil
    for i = 1, k do
      rows = rows * shape[i]
      local at = core.reshape(kit.box(indices, indices.ndim - 1, i - 1, 1),
        table.move(indices.shape, 1, indices.ndim - 1, 1, {}))
      at = kit.check_range(at, shape[i])
      place = place and place * shape[i] + at or at
    end
    local rest = table.move(shape, k + 1, #shape, 1, {})
    return core.reshape(scatter({ 0, rows }, nil, values, place),
      table.move(rest, 1, #rest, k + 1, table.move(shape, 1, k, 1, {})))
  end, { method = false })

  -- Indices that are sure to be below n: gather from 0 .. n-1 checks them.
  function kit.check_range(indices, n)
    return gather({ 0 }, nil, core.arange(0, n, 1, "int64"), indices)
  end

  local function index_list(list) return core.tensor(#list > 0 and list or { 0 }, "int64") end

  define("repeat_", { x_row,
    { "repeats", "integer", required = true, min = 0, doc = "copies of each element" },
    { "axis", "axis", doc = "the axis; the flattened tensor when left out" },
  }, "Each element repeated, next to each other.", function(x, repeats, axis)
    x = value_of(x)
    if axis == nil then x, axis = ops.flatten(x), 1 end
    local at = axis_of(x, axis, "repeat_")
    return ops.contiguous(kit.spread(x, at, at + 1, repeats))
  end)

  -- Source places (from 0) for an axis of n elements padded by before and after.
  local places = {
    edge = function(i, n) return math.max(0, math.min(n - 1, i)) end,
    reflect = function(i, n)
      if n == 1 then return 0 end
      i = i % (2 * n - 2)
      return i < n and i or 2 * n - 2 - i
    end,
    symmetric = function(i, n)
      i = i % (2 * n)
      return i < n and i or 2 * n - 1 - i
    end,
  }
  local pad = core.row "pad"
  define("pad", { x_row,
    { "pad_width", "list", required = true, doc = "a pair {before, after} for each axis; one pair for all" },
    { "mode", { "constant", "edge", "reflect", "symmetric" }, "constant", doc = "what fills the border" },
    { "constant_values", "number", 0, doc = "the filling in mode constant" },
  }, "x with borders.", function(x, pad_width, mode, constant)
    x = value_of(x)
    local pairs_of = pad_width
    if #pairs_of ~= x.ndim or (x.ndim > 0 and type(pairs_of[1]) == "number") then
      local one = type(pairs_of[1]) == "number" and pairs_of or #pairs_of == 1 and pairs_of[1]
      if not one then
        core.raise(("pad: %d pairs are given for a tensor with %d axes"):format(#pairs_of, x.ndim))
      end
      pairs_of = {}
      for i = 1, x.ndim do pairs_of[i] = one end
    end
    local ints = {}
    for i, pair in ipairs(pairs_of) do
      local before = type(pair) == "table" and math.tointeger(pair[1])
      local after = type(pair) == "table" and math.tointeger(pair[2])
      if not before or not after or before < 0 or after < 0 then
        core.raise(("pad: axis %d wants a pair {before, after} of integers from 0"):format(i))
      end
      ints[#ints + 1] = before
      ints[#ints + 1] = after
    end
    if mode == "constant" then return pad(ints, { constant }, x) end
    for i, n in ipairs(x.shape) do
      local before, after = ints[2 * i - 1], ints[2 * i]
      if before + after > 0 then
        if n == 0 then core.raise(("pad: mode %s cannot fill from the empty axis %d"):format(mode, i)) end
        if before + after >= 1 << 31 then
          core.raise(("pad: a border of %d elements is too wide"):format(before + after))
        end
        local list = {}
        for k = -before, n + after - 1 do list[#list + 1] = places[mode](k, n) end
        x = gather({ i - 1 }, nil, x, index_list(list))
      end
    end
    return x
  end)
end
