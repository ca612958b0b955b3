--- The rows of cdl's op table as ONNX's operators: M[row](b, node, inputs) adds what is needed to the
-- builder b and gives the names of the row's outputs. A row that is not here has no counterpart.
--
-- inputs are the values of the node's inputs; int(k) reads the node's k-th attribute (from 0, as they
-- are numbered in ops.def) and raises when it depends on the sizes of the model's inputs.
local core = require "cdl.core"
local Builder = require "cdl.onnx.builder"

local M = {}

local INT64_MAX, INT64_MIN = math.maxinteger, math.mininteger + 1

local function is_float(value) return value.dtype == "float32" or value.dtype == "float64" end

local function cast(b, name, dtype) return b:node("Cast", { name }, { to = Builder.type(dtype) }) end

-- ---- elementwise ----

-- An operator of the same meaning; of integers too?
local function same(op)
  return function(b, _, inputs)
    local names = {}
    for i, input in ipairs(inputs) do names[i] = input.name end
    return b:node(op, names)
  end
end

for row, op in pairs {
  neg = "Neg", abs = "Abs", sign = "Sign", exp = "Exp", log = "Log", sqrt = "Sqrt", reciprocal = "Reciprocal",
  sin = "Sin", cos = "Cos", tanh = "Tanh", sigmoid = "Sigmoid", erf = "Erf", softplus = "Softplus", not_ = "Not",
  add = "Add", sub = "Sub", mul = "Mul", div = "Div", pow = "Pow", maximum = "Max", minimum = "Min",
  eq = "Equal", lt = "Less", le = "LessOrEqual", gt = "Greater", ge = "GreaterOrEqual", and_ = "And", or_ = "Or",
  where = "Where", relu = "Relu",
} do M[row] = same(op) end

local function alias(_, _, inputs) return inputs[1].name end
M.stop_gradient = alias

-- Integers are whole already.
for row, op in pairs { floor = "Floor", ceil = "Ceil", round = "Round" } do
  M[row] = function(b, _, inputs) return is_float(inputs[1]) and b:node(op, { inputs[1].name }) or inputs[1].name end
end

function M.ne(b, node, inputs) return b:node("Not", { M.eq(b, node, inputs) }) end
function M.square(b, _, inputs) return b:node("Mul", { inputs[1].name, inputs[1].name }) end
function M.rsqrt(b, _, inputs) return b:node("Reciprocal", { b:node("Sqrt", { inputs[1].name }) }) end

function M.expm1(b, node, inputs)
  return b:node("Sub", { b:node("Exp", { inputs[1].name }), b:number(node.dtype, 1) })
end

function M.log1p(b, node, inputs)
  return b:node("Log", { b:node("Add", { inputs[1].name, b:number(node.dtype, 1) }) })
end

function M.gelu(b, node, inputs)
  local x = inputs[1].name
  local erf = b:node("Erf", { b:node("Mul", { x, b:number(node.dtype, 0.5 ^ 0.5) }) })
  local share = b:node("Mul", { b:node("Add", { erf, b:number(node.dtype, 1) }), b:number(node.dtype, 0.5) })
  return b:node("Mul", { x, share })
end

function M.isfinite(b, _, inputs)
  local x = inputs[1]
  if not is_float(x) then return b:node("Equal", { x.name, x.name }) end
  return b:node("Not", { b:node("Or", { b:node("IsInf", { x.name }), b:node("IsNaN", { x.name }) }) })
end

function M.cast(b, node, inputs) return cast(b, inputs[1].name, node.dtype) end

function M.clip(b, node, inputs)
  local low, high = node.f[1], node.f[2]
  if not is_float(inputs[1]) then low, high = math.ceil(low), math.floor(high) end
  return b:node("Clip", { inputs[1].name, low > -math.huge and b:number(node.dtype, low) or "",
    high < math.huge and b:number(node.dtype, high) or "" })
end

-- Of integers Mod has the divisor's sign, as here.
function M.mod(b, _, inputs)
  local x, y = inputs[1].name, inputs[2].name
  if not is_float(inputs[1]) then return b:node("Mod", { x, y }) end
  return b:node("Sub", { x, b:node("Mul", { b:node("Floor", { b:node("Div", { x, y }) }), y }) })
end

function M.floordiv(b, node, inputs)
  local x, y = inputs[1].name, inputs[2].name
  if is_float(inputs[1]) then return b:node("Floor", { b:node("Div", { x, y }) }) end
  return b:node("Div", { b:node("Sub", { x, M.mod(b, node, inputs) }), y })
end

-- ---- reductions ----

local function axes_of(mask)
  local axes = {}
  for k = 0, 30 do
    if mask >> k & 1 == 1 then axes[#axes + 1] = k end
  end
  return axes
end

local function reduce(op, before, after)
  return function(b, node, inputs, int)
    local name, axes = inputs[1].name, axes_of(int(0))
    local widened = before or (node.dtype ~= inputs[1].dtype and node.dtype)
    if widened then name = cast(b, name, widened) end
    if #axes > 0 then
      if op == "ReduceSum" then
        name = b:node(op, { name, b:ints(axes) }, { keepdims = int(1) })
      else
        name = b:node(op, { name }, { axes = axes, keepdims = int(1) })
      end
    end
    return after and cast(b, name, after) or name
  end
end

M.sum, M.mean, M.prod = reduce "ReduceSum", reduce "ReduceMean", reduce "ReduceProd"
M.max, M.min, M.logsumexp = reduce "ReduceMax", reduce "ReduceMin", reduce "ReduceLogSumExp"
M.all, M.any = reduce("ReduceMin", "int32", "bool"), reduce("ReduceMax", "int32", "bool")

function M.standardise(b, node, inputs, int)
  local axes = {}
  for k = 0, int(1) - 1 do axes[#axes + 1] = int(0) + k end
  local function mean(name) return b:node("ReduceMean", { name }, { axes = axes, keepdims = 1 }) end
  local center = mean(inputs[1].name)
  local apart = b:node("Sub", { inputs[1].name, center })
  local variance = mean(b:node("Mul", { apart, apart }))
  local under = b:node("Add", { variance, b:number(node.dtype, node.f[1]) })
  return b:node("Div", { apart, b:node("Sqrt", { under }) }), center, variance
end

local function arg(op)
  return function(b, _, inputs, int)
    return b:node(op, { inputs[1].name }, { axis = int(0), keepdims = int(1), select_last_index = 0 })
  end
end
M.argmax, M.argmin = arg "ArgMax", arg "ArgMin"

function M.cumsum(b, node, inputs, int)
  local name = inputs[1].name
  if inputs[1].dtype ~= node.dtype then name = cast(b, name, node.dtype) end
  return b:node("CumSum", { name, b:number("int64", int(0)) }, { reverse = int(1), exclusive = int(2) })
end

function M.sort(b, _, inputs, int)
  local axis = int(0)
  return b:node("TopK", { inputs[1].name, b:size(inputs[1].shape[axis + 1]) },
    { axis = axis, largest = int(1), sorted = 1 }, 2)
end

-- ---- shapes ----

function M.reshape(b, node, inputs)
  local shape, unknown, place = node.shape, 0, nil
  for i, size in ipairs(shape) do
    if math.type(size) ~= "integer" then unknown, place = unknown + 1, i end
  end
  if unknown ~= 1 then return b:node("Reshape", { inputs[1].name, b:sizes(shape) }) end
  -- One size may be left to the operator.
  local list = table.move(shape, 1, #shape, 1, {})
  list[place] = -1
  return b:node("Reshape", { inputs[1].name, b:ints(list) })
end

function M.permute(b, node, inputs, int)
  local perm = {}
  for k = 1, #node.shape do perm[k] = int(k - 1) end
  return b:node("Transpose", { inputs[1].name }, { perm = perm })
end

function M.broadcast_to(b, node, inputs) return b:node("Expand", { inputs[1].name, b:sizes(node.shape) }) end

local function same_size(a, b)
  if math.type(a) or math.type(b) or a.opaque or b.opaque then return a == b end
  if a.constant ~= b.constant or #a.terms ~= #b.terms then return false end
  for i, term in ipairs(a.terms) do
    local other = b.terms[i]
    if term.input ~= other.input or term.axis ~= other.axis or term.factor ~= other.factor then return false end
  end
  return true
end

-- a + factor * b
local function combine(a, factor, b)
  if math.type(a) and math.type(b) then return a + factor * b end
  if math.type(a) then a = { constant = a, terms = {} } end
  if math.type(b) then b = { constant = b, terms = {} } end
  if a.opaque or b.opaque then return { opaque = true } end
  local sum = { constant = a.constant + factor * b.constant, terms = table.move(a.terms, 1, #a.terms, 1, {}) }
  for _, term in ipairs(b.terms) do
    local joined = false
    for i, own in ipairs(sum.terms) do
      if own.input == term.input and own.axis == term.axis then
        joined = true
        local count = own.factor + factor * term.factor
        if count == 0 then
          table.remove(sum.terms, i)
        else
          sum.terms[i] = { input = own.input, axis = own.axis, factor = count }
        end
        break
      end
    end
    if not joined then
      sum.terms[#sum.terms + 1] = { input = term.input, axis = term.axis, factor = factor * term.factor }
    end
  end
  if #sum.terms == 0 then return sum.constant end
  return sum
end

function M.slice(b, node, inputs, int)
  local starts, ends, axes, steps, x = {}, {}, {}, {}, inputs[1]
  for k = 1, #x.shape do
    local start, count, step = node.i[k], node.i[6 + k], int(11 + k)
    if not (start == 0 and step == 1 and same_size(count, x.shape[k])) then
      local stop = combine(start, step, count)
      -- Behind the first element; a negative number would count from the end.
      if math.type(stop) and stop < 0 then stop = INT64_MIN end
      if step > 0 and same_size(stop, x.shape[k]) then stop = INT64_MAX end
      local n = #axes + 1
      starts[n], ends[n], axes[n], steps[n] = start, stop, k - 1, step
    end
  end
  if #axes == 0 then return x.name end
  return b:node("Slice", { x.name, b:sizes(starts), b:sizes(ends), b:ints(axes), b:ints(steps) })
end

-- Zeros with x in a box.
function M.unslice(b, node, inputs, int)
  local before, after, x = {}, {}, inputs[1]
  for k = 1, #x.shape do
    if int(11 + k) ~= 1 then return nil end
    before[k] = node.i[k]
    after[k] = combine(combine(node.i[6 + k], -1, node.i[k]), -1, x.shape[k])
  end
  table.move(after, 1, #after, #before + 1, before)
  return b:node("Pad", { x.name, b:sizes(before), b:number(node.dtype, 0) })
end

function M.pad(b, node, inputs, int)
  local pads, n = {}, #node.shape
  for k = 1, n do pads[k], pads[n + k] = int(2 * k - 2), int(2 * k - 1) end
  local value = node.f[1]
  if node.dtype == "bool" then value = value ~= 0 elseif not is_float(node) then value = math.tointeger(value) end
  return b:node("Pad", { inputs[1].name, b:ints(pads), b:number(node.dtype, value) })
end

function M.concat(b, _, inputs, int)
  local names = {}
  for i, input in ipairs(inputs) do names[i] = input.name end
  return b:node("Concat", names, { axis = int(0) })
end

function M.gather(b, _, inputs, int)
  return b:node("Gather", { inputs[1].name, inputs[2].name }, { axis = int(0) })
end

function M.take_along(b, _, inputs, int)
  return b:node("GatherElements", { inputs[1].name, inputs[2].name }, { axis = int(0) })
end

function M.one_hot(b, _, inputs, int)
  local values = b:constant(core.tensor { 0, 1 })
  return b:node("OneHot", { inputs[1].name, b:number("int64", int(0)), values }, { axis = -1 })
end

-- ---- products ----

-- The last two axes change places.
local function turn(b, value)
  local perm, n = {}, #value.shape
  for k = 1, n do perm[k] = k - 1 end
  perm[n - 1], perm[n] = n - 1, n - 2
  return b:node("Transpose", { value.name }, { perm = perm })
end

function M.matmul(b, _, inputs, int)
  local x = int(0) == 1 and turn(b, inputs[1]) or inputs[1].name
  local y = int(1) == 1 and turn(b, inputs[2]) or inputs[2].name
  return b:node("MatMul", { x, y })
end

local ACTIVATIONS = { [0] = false, "Relu", "Tanh", "Sigmoid" }

function M.dense(b, _, inputs, int)
  local y = b:node("Add", { b:node("MatMul", { inputs[1].name, inputs[2].name }), inputs[3].name })
  local activation = ACTIVATIONS[int(0)]
  return activation and b:node(activation, { y }) or y
end

function M.softmax(b, _, inputs) return b:node("Softmax", { inputs[1].name }, { axis = -1 }) end
function M.log_softmax(b, _, inputs) return b:node("LogSoftmax", { inputs[1].name }, { axis = -1 }) end

require "cdl.onnx.spatial" (M)
require "cdl.onnx.recurrent" (M)

return M
