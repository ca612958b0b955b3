--- Einstein's notation: each pair of terms is one batched matrix product.
local core = require "cdl.core"

local matmul = core.row "matmul"

local function fail(format, ...) core.raise(("einsum: " .. format):format(...)) end

-- "ij,jk->ik" for tensors with these numbers of axes: lists of letters. Axes under "..." get
-- capital Greek-like names "<1", "<2" from the last one.
local function parse_term(term, x)
  local before, after = term:match "^(.-)%.%.%.(.*)$"
  local list = {}
  if not before then
    if not term:match "^%a*$" then fail("'%s' holds something that is no letter", term) end
    for letter in term:gmatch "%a" do list[#list + 1] = letter end
    if x and #list ~= x.ndim then
      fail("'%s' names %d axes, the tensor has %d", term, #list, x.ndim)
    end
    return list
  end
  for letter in before:gmatch "%a" do list[#list + 1] = letter end
  local hidden = x and x.ndim - #before - #after or 0
  if hidden < 0 then fail("'%s' names more axes than the tensor's %d", term, x.ndim) end
  for i = hidden, 1, -1 do list[#list + 1] = "<" .. i end
  for letter in after:gmatch "%a" do list[#list + 1] = letter end
  return list, hidden
end

local function parse(subscripts, operands)
  local text = subscripts:gsub("%s", "")
  local inputs, output = text:match "^(.-)%->(.*)$"
  inputs = inputs or text
  local terms, hidden, count = {}, 0, {}
  local i = 0
  for term in (inputs .. ","):gmatch "([^,]*)," do
    i = i + 1
    if not operands[i] then fail("'%s' has more terms than the %d tensors", subscripts, #operands) end
    local list, dots = parse_term(term, operands[i])
    hidden = math.max(hidden, dots or 0)
    for _, letter in ipairs(list) do count[letter] = (count[letter] or 0) + 1 end
    terms[i] = list
  end
  if i ~= #operands then fail("'%s' has %d terms for %d tensors", subscripts, i, #operands) end
  local result = {}
  if output then
    local before, after = output:match "^(.-)%.%.%.(.*)$"
    for letter in (before or output):gmatch "%a" do result[#result + 1] = letter end
    for k = hidden, 1, -1 do
      if before then result[#result + 1] = "<" .. k end
    end
    for letter in (after or ""):gmatch "%a" do result[#result + 1] = letter end
  else
    for k = hidden, 1, -1 do result[#result + 1] = "<" .. k end
    local once = {}
    for letter, n in pairs(count) do
      if n == 1 and #letter == 1 then once[#once + 1] = letter end
    end
    table.sort(once)
    for _, letter in ipairs(once) do result[#result + 1] = letter end
  end
  local seen = {}
  for _, letter in ipairs(result) do
    if not count[letter] then fail("the output's '%s' stands in no term", letter) end
    if seen[letter] then fail("the output's '%s' stands twice", letter) end
    seen[letter] = true
  end
  return terms, result
end

local function index_of(list)
  local at = {}
  for i, letter in ipairs(list) do at[letter] = i end
  return at
end

-- A letter that stands twice in a term means the diagonal of its two axes: the matrix times the
-- identity, summed over one of them.
local function diagonal(x, term, ops)
  local at, rest = {}, {}
  for _, letter in ipairs(term) do
    local first = at[letter]
    if first then
      local n, axis, shape = x.shape[first], #rest + 1, {}
      if x.shape[axis] ~= n then fail("'%s' is %d on one axis and %d on another", letter, n, x.shape[axis]) end
      for k = 1, x.ndim do shape[k] = (k == first or k == axis) and n or 1 end
      x = ops.astype(ops.sum(x * core.reshape(ops.eye(n, n, x.dtype), shape), axis), x.dtype)
    else
      rest[#rest + 1] = letter
      at[letter] = #rest
    end
  end
  return x, rest
end

-- Sums away the letters of a term that nothing else wants.
local function drop(x, term, wanted, ops)
  local axes, rest = {}, {}
  for i, letter in ipairs(term) do
    if wanted[letter] then rest[#rest + 1] = letter else axes[#axes + 1] = i end
  end
  if #axes > 0 then x = ops.sum(x, axes) end
  return x, rest
end

-- The tensor with its axes in the order of `groups` (lists of letters), one axis per group.
local function arrange(x, term, groups, ops)
  local at, order, shape = index_of(term), {}, {}
  for g, group in ipairs(groups) do
    shape[g] = 1
    for _, letter in ipairs(group) do
      order[#order + 1] = at[letter]
      shape[g] = shape[g] * x.shape[at[letter]]
    end
  end
  if #order > 0 then x = ops.permute(x, order) end
  return core.reshape(x, shape)
end

local function sizes_of(x, term, sizes)
  for i, letter in ipairs(term) do
    local n = x.shape[i]
    if sizes[letter] and sizes[letter] ~= n then
      fail("'%s' is %d in one term and %d in another", letter, sizes[letter], n)
    end
    sizes[letter] = n
  end
end

-- The product of matrices {rows, summed} and {summed, columns}. One whose letters end the other way
-- round is multiplied transposed, so that the runs of its last axis stay together.
local function multiply(x, left, y, right, lists, ops)
  local batch, rows, summed, columns = lists.batch, lists.rows, lists.summed, lists.columns
  local is_whole = not (x.dtype:find "^float" or y.dtype:find "^float")
  local a_turned = not is_whole and #rows > 0 and rows[#rows] == left[#left]
  local b_turned = not is_whole and #summed > 0 and index_of(summed)[right[#right]] ~= nil
  local a = arrange(x, left, a_turned and { batch, summed, rows } or { batch, rows, summed }, ops)
  local b = arrange(y, right, b_turned and { batch, columns, summed } or { batch, summed, columns }, ops)
  if is_whole then return ops.matmul(a, b) end
  return matmul({ a_turned and 1 or 0, b_turned and 1 or 0 }, nil, a, b)
end

local function contract(x, left, y, right, wanted, ops)
  local sizes = {}
  sizes_of(x, left, sizes)
  sizes_of(y, right, sizes)
  local in_left, in_right = index_of(left), index_of(right)
  local batch, summed, rows, columns = {}, {}, {}, {}
  for _, letter in ipairs(left) do
    local list = not in_right[letter] and rows or wanted[letter] and batch or summed
    list[#list + 1] = letter
  end
  for _, letter in ipairs(right) do
    if not in_left[letter] then columns[#columns + 1] = letter end
  end
  local product = multiply(x, left, y, right, { batch = batch, rows = rows, summed = summed, columns = columns }, ops)
  local term, shape = {}, {}
  for _, list in ipairs { batch, rows, columns } do
    for _, letter in ipairs(list) do
      term[#term + 1] = letter
      shape[#shape + 1] = sizes[letter]
    end
  end
  return core.reshape(product, shape), term
end

--- The value of subscripts for a list of tensors.
return function(subscripts, operands, ops)
  local terms, result = parse(subscripts, operands)
  for k, term in ipairs(terms) do operands[k], terms[k] = diagonal(operands[k], term, ops) end
  local function wanted_after(k)
    local wanted = index_of(result)
    for i = k + 1, #terms do
      for _, letter in ipairs(terms[i]) do wanted[letter] = true end
    end
    return wanted
  end
  local x, term = operands[1], terms[1]
  for k = 2, #operands do
    local wanted = wanted_after(k - 1)
    x, term = drop(x, term, wanted, ops)
    local y, other = operands[k], terms[k]
    local mine = index_of(term)
    for letter in pairs(wanted_after(k)) do mine[letter] = true end
    y, other = drop(y, other, mine, ops)
    x, term = contract(x, term, y, other, wanted_after(k), ops)
  end
  x, term = drop(x, term, index_of(result), ops)
  local at, order = index_of(term), {}
  for i, letter in ipairs(result) do order[i] = at[letter] end
  if #order > 0 then x = ops.permute(x, order) end
  return #operands == 1 and ops.copy(x) or x
end
