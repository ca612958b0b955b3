--- Activation functions (`cdl.activations`): functions of tensors, for layers by name.
local core = require "cdl.core"
local ops = require "cdl.ops"
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"
local words = require "cdl.words"

local M = {}

local functions, names = {}, {} -- by name; name by function

local x_row = { "x", "operand", required = true, doc = "any shape" }
local axis_row = { "axis", "axis", -1, doc = "the axis, from 1 or negative from the end" }

-- A call on a symbolic tensor is recorded as a whole, since bodies read shapes.
local function define(name, rows, doc, body)
  local record = { name = name, activation = true }
  table.insert(rows, 1, x_row)
  local f = signature.fn(name, rows, doc, function(x, ...)
    if type(x) == "number" or type(x) == "boolean" then x = core.tensor(x) end
    if symbol.is(x) then return symbol.record(body, record, x, ...) end
    return body(x, ...)
  end)
  M[name], functions[name], names[f] = f, f, name
end

local function alias(name, of) M[name], functions[name] = M[of], M[of] end

local function slope_row(default)
  return { "negative_slope", "number", default, doc = "slope below the threshold" }
end

define("linear", {}, "x itself.", function(x) return x end)

define("relu", {
  slope_row(0),
  { "max_value", "number", min = 0, doc = "the result is cut there; not cut if left out" },
  { "threshold", "number", 0, doc = "where the linear part begins" },
}, "max(x, 0); with arguments: x above the threshold, negative_slope (x - threshold) elsewhere, cut at max_value.",
  function(x, slope, max_value, threshold)
    local y
    if slope == 0 and threshold == 0 then
      y = ops.relu(x)
    else
      y = ops.where(ops.gt(x, threshold), x, (x - threshold) * slope)
    end
    return max_value and ops.clip(y, -math.huge, max_value) or y
  end)

define("relu6", {}, "min(max(x, 0), 6).", function(x) return ops.minimum(ops.relu(x), 6) end)

define("leaky_relu", { slope_row(0.2) }, "x where positive, negative_slope x elsewhere.",
  function(x, slope) return ops.where(ops.gt(x, 0), x, x * slope) end)

-- alpha (e^(x / scale) - 1) for negative x; the positive ones are cut off before the exponential,
-- so that neither it nor its gradient overflows.
local function exponential_part(x, alpha, scale)
  return ops.expm1(ops.clip(x, -math.huge, 0) / scale) * alpha
end

define("elu", { { "alpha", "number", 1, doc = "minus the limit for x towards minus infinity" } },
  "x where positive, alpha (e^x - 1) elsewhere.",
  function(x, alpha) return ops.where(ops.gt(x, 0), x, exponential_part(x, alpha, 1)) end)

define("celu", { { "alpha", "number", 1, above = 0, doc = "minus the limit for x towards minus infinity" } },
  "x where positive, alpha (e^(x / alpha) - 1) elsewhere.",
  function(x, alpha) return ops.where(ops.gt(x, 0), x, exponential_part(x, alpha, alpha)) end)

local SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
define("selu", {}, "scale elu(x, alpha) with the self-normalising constants (Klambauer et al. 2017).",
  function(x)
    return ops.where(ops.gt(x, 0), x, exponential_part(x, SELU_ALPHA, 1)) * SELU_SCALE
  end)

define("gelu", { { "approximate", "boolean", false, doc = "use the tanh formula" } },
  "x Phi(x), Phi the normal distribution function (Hendrycks and Gimpel 2016).",
  function(x, approximate)
    if not approximate then return ops.gelu(x) end
    local inner = (x + ops.square(x) * x * 0.044715) * math.sqrt(2 / math.pi)
    return x * 0.5 * (ops.tanh(inner) + 1)
  end)

define("silu", {}, "x sigmoid(x).", function(x) return x * ops.sigmoid(x) end)
alias("swish", "silu")
define("sigmoid", {}, "1 / (1 + e^-x).", ops.sigmoid)
define("tanh", {}, "Hyperbolic tangent.", ops.tanh)
define("softplus", {}, "log(1 + e^x), without overflow.", ops.softplus)
define("softsign", {}, "x / (1 + |x|).", function(x) return x / (ops.abs(x) + 1) end)
define("exponential", {}, "e^x.", ops.exp)
define("log_sigmoid", {}, "log(sigmoid(x)), without overflow.", function(x) return -ops.softplus(-x) end)
define("mish", {}, "x tanh(softplus(x)) (Misra 2019).", function(x) return x * ops.tanh(ops.softplus(x)) end)

local function hard_sigmoid(x) return ops.clip(x / 6 + 0.5, 0, 1) end
define("hard_sigmoid", {}, "x / 6 + 0.5, cut to [0, 1].", hard_sigmoid)
define("hard_silu", {}, "x hard_sigmoid(x).", function(x) return x * hard_sigmoid(x) end)
alias("hard_swish", "hard_silu")
define("hard_tanh", {}, "x cut to [-1, 1].", function(x) return ops.clip(x, -1, 1) end)

local threshold_row = { "threshold", "number", 0.5, min = 0, doc = "half the width of the flat part" }
define("soft_shrink", { threshold_row }, "sign(x) max(|x| - threshold, 0).",
  function(x, threshold) return ops.sign(x) * ops.relu(ops.abs(x) - threshold) end)
define("hard_shrink", { threshold_row }, "x where |x| is above the threshold, 0 elsewhere.",
  function(x, threshold) return ops.where(ops.gt(ops.abs(x), threshold), x, 0) end)
define("tanh_shrink", {}, "x - tanh(x).", function(x) return x - ops.tanh(x) end)

define("threshold", {
  { "threshold", "number", required = true, doc = "where the linear part begins" },
  { "default_value", "number", required = true, doc = "the result at and below the threshold" },
}, "x above the threshold, default_value elsewhere.",
  function(x, threshold, value) return ops.where(ops.gt(x, threshold), x, value) end)

define("squareplus", { { "b", "number", 4, min = 0, doc = "how round the corner is" } },
  "(x + sqrt(x^2 + b)) / 2.", function(x, b) return (x + ops.sqrt(ops.square(x) + b)) * 0.5 end)
define("sparse_plus", {}, "0 up to -1, (x + 1)^2 / 4 up to 1, x beyond.", function(x)
  local curve = ops.square(ops.clip(x, -1, 1) + 1) * 0.25
  return ops.where(ops.ge(x, 1), x, curve)
end)
define("sparse_sigmoid", {}, "(x + 1) / 2, cut to [0, 1].",
  function(x) return ops.clip((x + 1) * 0.5, 0, 1) end)

define("softmax", { axis_row }, "e^x / sum(e^x) along an axis.", ops.softmax)
define("log_softmax", { axis_row }, "x - logsumexp(x) along an axis.", ops.log_softmax)

local function axis_from_start(x, axis, name)
  local at = axis > 0 and axis or x.ndim + 1 + axis
  if at < 1 or at > x.ndim then
    core.raise(("%s: axis %d is out of range for a tensor with %d axes"):format(name, axis, x.ndim))
  end
  return at
end

-- The axis as a list of sizes to which one number per place along it broadcasts.
local function along(x, at)
  local shape = {}
  for i = 1, x.ndim do shape[i] = i == at and x.shape[at] or 1 end
  return shape
end

define("sparsemax", { axis_row },
  "The point of the probability simplex that is nearest to x, along an axis (Martins and Astudillo 2016).",
  function(x, axis)
    local at = axis_from_start(x, axis, "sparsemax")
    local sorted = ops.sort(x, at, true)
    local sums = ops.cumsum(sorted, at) - 1
    local place = ops.reshape(ops.arange(1, x.shape[at]), along(x, at))
    local inside = ops.astype(ops.gt(sorted * place, sums), "float32")
    local count = ops.sum(inside, at, true)
    -- The last sum inside the support: the sums there, less those before it.
    local last = ops.astype(ops.eq(place, count), "float32")
    return ops.relu(x - ops.sum(sums * last, at, true) / count)
  end)

define("glu", { axis_row }, "a sigmoid(b) for the halves a, b of x along an axis, which is halved.",
  function(x, axis)
    local at = axis_from_start(x, axis, "glu")
    if x.shape[at] % 2 ~= 0 then
      core.raise(("glu: axis %d of shape {%s} has an odd size and cannot be halved"):format(axis,
        table.concat(x.shape, ", ")))
    end
    local halves = ops.split(x, 2, at)
    return halves[1] * ops.sigmoid(halves[2])
  end)

local known -- sorted names, for suggestions

--- The function that is meant by a name, a function (itself) or nil (linear). A layer or any other
-- callable object is taken as it is.
function M.get(identifier)
  if identifier == nil or identifier == signature.null then return M.linear end
  if type(identifier) == "string" then
    local f = functions[identifier] or functions[identifier:lower()]
    if f then return f end
    known = known or words.sorted_keys(functions)
    return core.raise(("unknown activation '%s'%s; there are: %s"):format(identifier,
      words.suggestion(identifier, known), table.concat(known, ", ")))
  end
  local meta = type(identifier) == "table" and getmetatable(identifier)
  if type(identifier) == "function" or (meta and meta.__call) then return identifier end
  return core.raise("activation must be a name or a function, got " .. words.describe(identifier))
end

--- The name of one of these functions; nil for any other.
function M.name_of(f) return names[f] end

return M
