--- Matrix products and softmax.
local core = require "cdl.core"
local einsum = require "cdl.ops.einsum"
local kinds = require "cdl.kinds"
local words = require "cdl.words"

return function(kit)
  local define, axis_of = kit.define, kit.axis_of
  local ops, value_of = kit.ops, kit.value_of

  local a_row = { "a", "operand", required = true, doc = "{..., m, k}" }
  local b_row = { "b", "operand", required = true, doc = "{..., k, n}" }

  local matmul = core.row "matmul"
  local function is_whole(x) return not x.dtype:find "^float" end

  -- The row computes with floats. Integers go through float64, which is exact up to 2^53, and keep
  -- their dtype.
  local function multiply(a, b)
    if not (is_whole(a) and is_whole(b)) then return matmul({ 0, 0 }, nil, a, b) end
    local dtype = core.promote(a.dtype, b.dtype)
    local y = matmul({ 0, 0 }, nil, ops.astype(a, "float64"), ops.astype(b, "float64"))
    return ops.astype(ops.astype(y, "int64"), dtype == "bool" and "int64" or dtype)
  end

  local function product(a, b)
    a, b = value_of(a), value_of(b)
    if a.ndim == 0 or b.ndim == 0 then core.raise "matmul: scalars have no matrix product; use *" end
    local left, right = a, b
    if a.ndim == 1 then left = ops.expand_dims(a, 1) end
    if b.ndim == 1 then right = ops.expand_dims(b, 2) end
    local y = multiply(left, right)
    if a.ndim == 1 then y = ops.squeeze(y, -2) end
    if b.ndim == 1 then y = ops.squeeze(y, -1) end
    return y
  end
  define("matmul", { a_row, b_row },
    "Matrix product of the last two axes; the axes before them broadcast. A vector on the left is a row, on the "
      .. "right a column.",
    product)

  define("dot", { { "a", "operand", required = true }, { "b", "operand", required = true } },
    "Sum over the last axis of a and the last but one of b (the only one of a vector), as NumPy's dot.",
    function(a, b)
      a, b = value_of(a), value_of(b)
      if a.ndim == 0 or b.ndim == 0 then return a * b end
      if a.ndim <= 2 and b.ndim <= 2 then return product(a, b) end
      return ops.tensordot(a, b, { { -1 }, { b.ndim == 1 and -1 or -2 } })
    end)

  local function list_of(axes, count, from)
    if axes then
      local ok, read = kinds.axes.read(axes, {})
      if not ok then
        core.raise(("tensordot: the axes of a and b must be %s, got %s"):format(kinds.axes.wants, words.describe(axes)))
      end
      return type(read) == "table" and read or { read }
    end
    local list = {}
    for i = 1, count do list[i] = from + i end
    return list
  end

  -- Axes not in the list, then those in it (or the other way round), as a matrix.
  local function as_matrix(x, axes, summed_last)
    local summed, order, free, rows = {}, {}, {}, 1
    for _, axis in ipairs(axes) do summed[axis_of(x, axis, "tensordot") + 1] = true end
    for i, n in ipairs(x.shape) do
      if not summed[i] then
        free[#free + 1] = n
        rows = rows * n
        order[#order + 1] = i
      end
    end
    local inner = {}
    for _, axis in ipairs(axes) do inner[#inner + 1] = axis_of(x, axis, "tensordot") + 1 end
    local all = {}
    for _, list in ipairs(summed_last and { order, inner } or { inner, order }) do
      for _, axis in ipairs(list) do all[#all + 1] = axis end
    end
    local depth = 1
    for _, axis in ipairs(inner) do depth = depth * x.shape[axis] end
    local matrix = #all > 0 and ops.permute(x, all) or x
    return core.reshape(matrix, summed_last and { rows, depth } or { depth, rows }), free
  end

  define("tensordot", { { "a", "operand", required = true }, { "b", "operand", required = true },
    { "axes", "any", 2, doc = "how many last axes of a meet the first of b, or {axes of a, axes of b}" },
  }, "Sum of products over some axes.", function(a, b, axes)
    a, b = value_of(a), value_of(b)
    local left, right
    local count = math.type(axes) and math.tointeger(axes)
    if count and count >= 0 and count <= math.min(a.ndim, b.ndim) then
      left, right = list_of(nil, count, a.ndim - count), list_of(nil, count, 0)
    elseif type(axes) ~= "table" or #axes ~= 2 then
      core.raise(("tensordot: axes must be a number of axes, at most %d here, or {axes of a, axes of b}, got %s")
        :format(math.min(a.ndim, b.ndim), words.describe(axes)))
    else
      left, right = list_of(axes[1]), list_of(axes[2])
    end
    if #left ~= #right then
      core.raise(("tensordot: %d axes of a meet %d axes of b"):format(#left, #right))
    end
    local x, rows = as_matrix(a, left, true)
    local y, columns = as_matrix(b, right, false)
    return core.reshape(multiply(x, y),
      table.move(columns, 1, #columns, #rows + 1, table.move(rows, 1, #rows, 1, {})))
  end)

  define("einsum", {
    { "subscripts", "string", required = true, doc = "\"ij,jk->ik\"; ... stands for any axes" },
    { "operands", "any", rest = true, doc = "one tensor for each term" },
  }, "Sum of products in Einstein's notation.", function(subscripts, operands)
    operands = operands or {}
    for i, x in ipairs(operands) do
      if words.is_plain(x) then x = core.tensor(x) end
      x = value_of(x)
      if not core.is_tensor(x) then
        core.raise(("einsum: operand %d must be a tensor, got %s"):format(i, words.describe(x)))
      end
      operands[i] = x
    end
    return einsum(subscripts, operands, ops)
  end, { method = false })

  local dense = core.row "dense"
  local ACTIVATIONS = { linear = 0, relu = 1, tanh = 2, sigmoid = 3 }
  define("dense", {
    { "x", "operand", required = true, doc = "{..., k}" },
    { "kernel", "operand", required = true, doc = "{k, n}" },
    { "bias", "operand", required = true, doc = "{n}" },
    { "activation", { "linear", "relu", "tanh", "sigmoid" }, "linear", doc = "applied in the same pass" },
  }, "activation(x kernel + bias) in one pass.", function(x, kernel, bias, activation)
    return dense({ ACTIVATIONS[activation] }, nil, x, kernel, bias)
  end)

  local x_row = { "x", "operand", required = true, doc = "any shape but a scalar's" }
  local axis_row = { "axis", "axis", -1, doc = "the axis that sums to 1" }
  local function along(name, doc)
    local row = core.row(name)
    define(name, { x_row, axis_row }, doc, function(x, axis)
      x = value_of(x)
      local at = axis_of(x, axis, name) + 1
      if at == x.ndim then return row(nil, nil, x) end
      local order = {}
      for i = 1, x.ndim do order[i] = i end
      order[at], order[x.ndim] = x.ndim, at
      return ops.permute(row(nil, nil, ops.permute(x, order)), order)
    end)
  end
  along("softmax", "e^x / sum(e^x) along an axis.")
  along("log_softmax", "x - logsumexp(x) along an axis.")
end
