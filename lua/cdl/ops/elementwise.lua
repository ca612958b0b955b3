--- Elementwise functions, operators and comparisons.
local core = require "cdl.core"
local symbol = require "cdl.symbol"
local words = require "cdl.words"

-- Rows of the op table that are public under their own name, with the table's own doc.
local UNARY = { "neg", "abs", "sign", "square", "relu", "floor", "ceil", "round", "exp", "expm1",
  "log", "log1p", "sqrt", "rsqrt", "reciprocal", "sin", "cos", "tanh", "sigmoid", "erf", "gelu",
  "softplus", "isfinite", "stop_gradient" }
local BINARY = { "add", "sub", "mul", "div", "pow", "arctan2", "floordiv", "mod", "maximum", "minimum",
  "eq", "ne", "lt", "le", "gt", "ge" }

return function(kit)
  local define = kit.define
  local docs = {}
  for _, row in ipairs(core.rows()) do docs[row.name] = row.doc end

  local x = { "x", "operand", required = true, doc = "any shape" }
  local a = { "a", "operand", required = true, doc = "any shape" }
  local b = { "b", "operand", required = true, doc = "broadcasts with a" }

  for _, name in ipairs(UNARY) do
    local row = core.row(name)
    define(name, { x }, docs[name], function(value) return row(nil, nil, value) end)
  end
  for _, name in ipairs(BINARY) do
    local row = core.row(name)
    define(name, { a, b }, docs[name], function(left, right) return row(nil, nil, left, right) end)
  end

  local not_, and_, or_ = core.row "not_", core.row "and_", core.row "or_"
  define("logical_not", { x }, docs.not_, function(value) return not_(nil, nil, value) end)
  define("logical_and", { a, b }, docs.and_, function(left, right) return and_(nil, nil, left, right) end)
  define("logical_or", { a, b }, docs.or_, function(left, right) return or_(nil, nil, left, right) end)
  define("isnan", { x }, "true where x is not a number", function(value)
    return kit.ops.ne(value, value)
  end)
  define("isinf", { x }, "true where x is infinite", function(value)
    return kit.ops.eq(kit.ops.abs(value), math.huge)
  end)

  local where = core.row "where"
  define("where", {
    { "condition", "operand", required = true, doc = "bool; anything else is true where not 0" },
    a, b,
  }, docs.where, function(condition, left, right) return where(nil, nil, condition, left, right) end)

  local function is_fraction(bound) return math.abs(bound) < math.huge and bound % 1 ~= 0 end
  local clip = core.row "clip"
  define("clip", { x,
    { "lo", "number", -math.huge, doc = "smallest value" },
    { "hi", "number", math.huge, doc = "largest value" },
  }, "x limited to [lo, hi]; the gradient is 0 outside", function(value, lo, hi)
    if lo > hi then core.raise(("clip: lo (%g) is above hi (%g)"):format(lo, hi)) end
    if (is_fraction(lo) or is_fraction(hi)) and type(value) ~= "number" and not value.dtype:find "^float" then
      value = kit.ops.astype(value, "float32")
    end
    return clip(nil, { lo, hi }, value)
  end)

  local cast = core.row "cast"
  define("astype", { x, { "dtype", "dtype", required = true, doc = "the wanted element type" } },
    "x in another dtype; floats are cut towards zero for integer types", function(value, dtype)
      return cast({ core.dtype_id(dtype), 0 }, nil, value)
    end)
  kit.ops.cast = kit.ops.astype

  -- Operators. They skip the signature: two operands need no reading.
  local function operator(name)
    local row = core.row(name)
    local record = { name = name }
    local function apply(left, right) return row(nil, nil, left, right) end
    return function(left, right)
      if symbol.is(left) or symbol.is(right) then return symbol.record(apply, record, left, right) end
      if type(left) == "string" or type(right) == "string" or left == nil or right == nil then
        local other = (type(left) == "string" or left == nil) and left or right
        core.raise(("%s: a tensor and %s cannot be combined"):format(name, words.describe(other)))
      end
      return apply(left, right)
    end
  end
  local unary_minus = core.row "neg"
  local function minus(value) return unary_minus(nil, nil, value) end
  local metamethods = {
    __add = operator "add", __sub = operator "sub", __mul = operator "mul", __div = operator "div",
    __pow = operator "pow", __mod = operator "mod", __idiv = operator "floordiv",
    __unm = function(value)
      if symbol.is(value) then return symbol.record(minus, { name = "neg" }, value) end
      return minus(value)
    end,
  }
  for _, meta in ipairs { core.tensor_meta, core.variable_meta, symbol.meta } do
    for event, f in pairs(metamethods) do meta[event] = f end
  end
end
