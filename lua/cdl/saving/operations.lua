--- Operations on symbolic tensors (`x + y`, `x:mean(2)`, `x[{ {}, 1 }]`) as Keras's operations in
-- configs, and back.
local activations = require "cdl.activations"
local config = require "cdl.saving.config"
local ops = require "cdl.ops"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

local null, fail = signature.null, config.fail

-- Our function (@: an activation), Keras's class, and the parameters that are settings there, with
-- Keras's names where they differ. The other parameters are what the operation is called on. Of two
-- rows with one class the first is meant when a file is read.
local ROWS = [[
  abs numpy.Absolute | exp numpy.Exp | log numpy.Log | log1p numpy.Log1p | expm1 numpy.Expm1
  sqrt numpy.Sqrt | square numpy.Square | rsqrt math.Rsqrt | reciprocal numpy.Reciprocal | sign numpy.Sign
  floor numpy.Floor | ceil numpy.Ceil | round numpy.Round | sin numpy.Sin | cos numpy.Cos | tanh numpy.Tanh
  erf math.Erf | neg numpy.Negative | isnan numpy.Isnan | isinf numpy.Isinf | isfinite numpy.Isfinite
  relu nn.Relu | sigmoid nn.Sigmoid | softplus nn.Softplus | stop_gradient core.StopGradient
  zeros_like numpy.ZerosLike | ones_like numpy.OnesLike
  add numpy.Add | sub numpy.Subtract | mul numpy.Multiply | div numpy.TrueDivide | div numpy.Divide
  pow numpy.Power | mod numpy.Mod | floordiv numpy.FloorDivide | maximum numpy.Maximum
  minimum numpy.Minimum | eq numpy.Equal | ne numpy.NotEqual | lt numpy.Less | le numpy.LessEqual
  gt numpy.Greater | ge numpy.GreaterEqual | logical_and numpy.LogicalAnd | logical_or numpy.LogicalOr
  logical_not numpy.LogicalNot | matmul numpy.Matmul | where numpy.Where
  sum numpy.Sum axis keepdims | mean numpy.Mean axis keepdims | max numpy.Max axis keepdims
  min numpy.Min axis keepdims | prod numpy.Prod axis keepdims | var numpy.Var axis keepdims
  std numpy.Std axis keepdims | any numpy.Any axis keepdims | all numpy.All axis keepdims
  argmax numpy.Argmax axis keepdims | argmin numpy.Argmin axis keepdims
  logsumexp math.Logsumexp axis keepdims | softmax nn.Softmax axis | log_softmax nn.LogSoftmax axis
  concat numpy.Concatenate axis | stack numpy.Stack axis | cumsum numpy.Cumsum axis | flip numpy.Flip axis
  gather numpy.Take axis | take_along_axis numpy.TakeAlongAxis axis | sort numpy.Sort axis
  argsort numpy.Argsort axis | expand_dims numpy.ExpandDims axis | squeeze numpy.Squeeze axis
  repeat_ numpy.Repeat repeats axis | roll numpy.Roll shift axis | tile numpy.Tile repeats
  reshape numpy.Reshape shape:newshape | broadcast_to numpy.BroadcastTo shape | clip numpy.Clip lo:x_min hi:x_max
  permute numpy.Transpose axes | transpose numpy.Transpose axes | astype core.Cast dtype
  one_hot nn.OneHot num_classes | split numpy.Split parts:indices_or_sections axis
  einsum numpy.Einsum subscripts | subscript numpy.GetItem
  @relu nn.Relu | @relu6 nn.Relu6 | @leaky_relu nn.LeakyRelu negative_slope | @elu nn.Elu alpha
  @selu nn.Selu | @celu nn.Celu alpha | @gelu nn.Gelu approximate | @silu nn.Silu | @softsign nn.Softsign
  @softplus nn.Softplus | @sigmoid nn.Sigmoid | @tanh numpy.Tanh | @softmax nn.Softmax axis
  @log_softmax nn.LogSoftmax axis | @hard_sigmoid nn.HardSigmoid | @hard_silu nn.HardSilu
  @hard_tanh nn.HardTanh | @log_sigmoid nn.LogSigmoid | @exponential numpy.Exp
  @squareplus nn.Squareplus b | @mish nn.Mish | @glu nn.Glu axis]]

local by_name, by_class = {}, {}
for text in ROWS:gmatch "[^|\n]+" do
  local name, module, class_name, rest = text:match "^%s*(@?[%w_]+) (%a+)%.(%w+)(.*)$"
  local row = { name = name, module = "keras.src.ops." .. module, class_name = class_name, settings = {} }
  for own, theirs in rest:gmatch "([%w_]+):?([%w_]*)" do row.settings[own] = theirs ~= "" and theirs or own end
  by_name[name], by_class[class_name] = by_name[name] or row, by_class[class_name] or row
end

local function function_of(row)
  local name = row.name:match "^@(.*)$"
  return name and activations[name] or ops[row.name]
end

--- Keras's class of the operation that a record is; nil when there is none.
function M.class_name(record)
  local row = by_name[(record.activation and "@" or "") .. (record.name or "")]
  return row and row.class_name
end

--- Whether an entry of a config is an operation, not a layer. Without a module (in .h5 files) layers are
-- known by their argument `trainable`.
function M.is_operation(entry)
  if type(entry.module) == "string" then return entry.module:find "^keras%.src%.ops%." ~= nil end
  return by_class[entry.class_name] ~= nil and type(entry.config) == "table" and entry.config.trainable == nil
end

-- ---- subscripts: from 1 with both ends there, from 0 without the last one here ----

local function bound_out(n, change)
  if n == nil then return null end
  return n > 0 and n - 1 + change or n + change
end

local function slice_out(entry)
  local first, last, step = entry[1], entry[2], entry[3]
  local backwards = step and step < 0
  local start = bound_out(first, 0)
  local stop = bound_out(last, backwards and -1 or 1)
  -- Behind the last element there is nothing, and -1 would be an element.
  if last and ((not backwards and last == -1) or (backwards and last == 1)) then stop = null end
  return { class_name = "__slice__", config = { start = start, stop = stop, step = step or null } }
end

local function subscript_out(key)
  if type(key) == "number" then return { bound_out(key, 0) } end
  local list = {}
  for axis, entry in ipairs(key) do
    list[axis] = type(entry) == "table" and slice_out(entry) or bound_out(entry, 0)
  end
  return list
end

local function bound_in(n, change)
  if n == null or n == nil then return nil end
  if math.type(n) ~= "integer" then return nil, "is no whole number" end
  return n >= 0 and n + 1 + change or n + change
end

local function slice_in(settings)
  local step = settings.step ~= null and settings.step or nil
  local backwards = type(step) == "number" and step < 0
  return { [1] = bound_in(settings.start, 0), [2] = bound_in(settings.stop, backwards and 1 or -1), [3] = step }
end

local function subscript_in(key, ndim, context, place)
  if type(key) ~= "table" or key.class_name then key = { key } end
  local list = {}
  for i, entry in ipairs(key) do
    if math.type(entry) == "integer" then
      list[#list + 1] = bound_in(entry, 0)
    elseif type(entry) == "table" and entry.class_name == "__slice__" and type(entry.config) == "table" then
      list[#list + 1] = slice_in(entry.config)
    elseif type(entry) == "table" and entry.class_name == "__ellipsis__" then
      for _ = 1, ndim - #key + 1 do list[#list + 1] = {} end
    else
      fail(context, place, "subscript %d is neither a number nor a range", i)
    end
  end
  return list
end

-- ---- to a config ----

local function axes_out(value)
  if type(value) == "table" then
    local list = {}
    for i, entry in ipairs(value) do list[i] = axes_out(entry) end
    return list
  end
  return value > 0 and value - 1 or value
end

local function setting_out(value, param)
  if value == nil then return null end
  if param.kind == "axis" or param.kind == "axes" then return axes_out(value) end
  if type(value) == "number" and math.abs(value) == math.huge then return null end
  if words.is_plain(value) then return table.move(value, 1, #value, 1, {}) end
  return value
end

-- The axes of a transposition in full: all, in the reverse order, or with two of them swapped.
local function permutation(x, axes, other)
  if type(axes) == "table" then return axes end
  local list, n = {}, x.ndim
  for i = 1, n do list[i] = axes and i or n + 1 - i end
  if axes then
    local a, b = axes < 0 and n + 1 + axes or axes, other < 0 and n + 1 + other or other
    list[a], list[b] = b, a
  end
  return list
end

local function refuse(record, context, place)
  fail(context, place, "the operation '%s' has no counterpart in Keras; put it into a layer of your own",
    record.name or "?")
end

--- What a record is in a config: { module =, class_name =, config =, args = the positional arguments }.
function M.encode(record, context, place)
  local row = by_name[(record.activation and "@" or "") .. (record.name or "")]
  if not row then refuse(record, context, place) end
  local made = { module = row.module, class_name = row.class_name, config = {}, args = {} }
  local given = record.args
  if row.name == "subscript" then
    made.args = { given[1], subscript_out(record.key) }
    return made
  elseif row.class_name == "Transpose" then
    made.args, made.config.axes = { given[1] }, axes_out(permutation(given[1], given[2], given[3]))
    return made
  end
  local sig = signature.of(function_of(row))
  for i, param in ipairs(sig and sig.params or {}) do
    local theirs = row.settings[param.name]
    if theirs then
      made.config[theirs] = setting_out(given[i], param)
    elseif param.rest then
      table.move(given[i], 1, #given[i], #made.args + 1, made.args)
    elseif param.kind == "operand" or param.kind == "list" then
      made.args[#made.args + 1] = given[i]
    elseif given[i] ~= nil and given[i] ~= param.value then
      fail(context, place, "the argument '%s' = %s has no counterpart in Keras", param.name, words.literal(given[i]))
    end
  end
  return made
end

-- ---- from a config ----

local function axes_in(value)
  if type(value) == "table" then
    local list = {}
    for i, entry in ipairs(value) do list[i] = axes_in(entry) end
    return list
  end
  return math.type(value) == "integer" and value >= 0 and value + 1 or value
end

local function setting_in(value, param)
  if value == nil or value == null then return nil end
  if type(value) == "table" and value.config then value = value.config.name end -- a dtype policy
  return (param.kind == "axis" or param.kind == "axes") and axes_in(value) or value
end

-- The arguments of our function, in order: what the operation was called on, and its settings.
local function arguments_in(row, entry, args, kwargs)
  local settings = type(entry.config) == "table" and entry.config or {}
  local list, n, at = {}, 0, 1
  for _, param in ipairs(signature.of(function_of(row)).params) do
    n = n + 1
    local theirs = row.settings[param.name]
    if theirs then
      list[n] = setting_in(settings[theirs], param)
      if list[n] == nil then list[n] = setting_in(kwargs[theirs], param) end
    elseif param.rest then
      for i = at, #args do list[n + i - at] = args[i] end
      n = n + #args - at
    elseif param.kind == "operand" or param.kind == "list" then
      list[n], at = args[at], at + 1
    end
  end
  return list, n
end

local OPERATORS = {
  add = function(a, b) return a + b end, sub = function(a, b) return a - b end,
  mul = function(a, b) return a * b end, div = function(a, b) return a / b end,
  pow = function(a, b) return a ^ b end, mod = function(a, b) return a % b end,
  floordiv = function(a, b) return a // b end,
}

--- The tensors that an operation of a config gives.
function M.decode(entry, args, kwargs, context, place)
  local row = by_class[entry.class_name]
  place = ("%s: operation '%s'"):format(place, entry.name or entry.class_name)
  if not row then fail(context, place, "the operation %s is not known to cdl", entry.class_name) end
  local results = table.pack(pcall(function()
    if row.name == "subscript" then return args[1][subscript_in(args[2], args[1].ndim, context, place)] end
    if OPERATORS[row.name] then return OPERATORS[row.name](args[1], args[2]) end
    local list, n = arguments_in(row, entry, args, kwargs)
    return function_of(row)(table.unpack(list, 1, n))
  end))
  if not results[1] then
    fail(context, place, "%s", config.without_place(results[2]))
  end
  if words.is_plain(results[2]) then return table.unpack(results[2]) end
  return table.unpack(results, 2, results.n)
end

return M
