--- Functions that make tensors from nothing. They are eager, also while a function is traced.
local core = require "cdl.core"
local signature = require "cdl.signature"

local function float_or(dtype) return dtype or "float32" end

return function(kit)
  local define = kit.define

  kit.ops.tensor = signature.fn("tensor", {
    { "value", "data", required = true, doc = "nested tables of numbers or booleans, a number, a tensor (copied)" },
    { "dtype", "dtype", doc = "float32 if left out; bool when all are booleans" },
  }, "A tensor from nested tables. Ragged tables, and values that the dtype cannot hold, raise.",
    function(value, dtype) return core.tensor(value, dtype) end)

  local shape = { "shape", "shape", required = true, unknown = false, doc = "list of sizes" }
  local dtype = { "dtype", "dtype", "float32", doc = "element type" }

  define("zeros", { shape, dtype }, "A tensor of zeros.",
    function(sizes, kind) return core.full(sizes, 0, kind) end)
  define("ones", { shape, dtype }, "A tensor of ones.",
    function(sizes, kind) return core.full(sizes, 1, kind) end)
  define("full", { shape, { "value", "number|boolean", required = true, doc = "every element" }, dtype },
    "A tensor with one value everywhere.",
    function(sizes, value, kind) return core.full(sizes, value, kind) end)

  define("zeros_like", { { "x", "operand", required = true }, { "dtype", "dtype", doc = "x's own if left out" } },
    "Zeros of the shape of x.",
    function(x, kind)
      x = kit.as_tensor(x)
      return core.full(x.shape, 0, kind or x.dtype)
    end)
  define("ones_like", { { "x", "operand", required = true }, { "dtype", "dtype", doc = "x's own if left out" } },
    "Ones of the shape of x.",
    function(x, kind)
      x = kit.as_tensor(x)
      return core.full(x.shape, 1, kind or x.dtype)
    end)

  define("arange", {
    { "first", "number", required = true, doc = "first value" },
    { "last", "number", doc = "last value, included as in Lua's for; left out: 1 to first" },
    { "step", "number", 1, doc = "difference between neighbours, not 0" },
    { "dtype", "dtype", doc = "float32 if left out" },
  }, "Numbers from first to last, both included.", function(first, last, step, kind)
    if last == nil then first, last = 1, first end
    if step == 0 then core.raise "arange: step must not be 0" end
    local steps = (last - first) / step
    if steps ~= steps or steps > 2^53 then
      core.raise(("arange: from %g to %g in steps of %g is no finite number of elements"):format(first, last, step))
    end
    local count = steps > -1 and math.max(0, math.floor(steps + 1e-9) + 1) or 0
    return core.arange(first, count, step, float_or(kind))
  end)

  define("linspace", {
    { "first", "number", required = true, doc = "first value" },
    { "last", "number", required = true, doc = "last value, included" },
    { "num", "integer", 50, min = 0, doc = "how many" },
    { "dtype", "dtype", doc = "float32 if left out" },
  }, "Evenly spaced numbers from first to last, both included.", function(first, last, num, kind)
    local step = num > 1 and (last - first) / (num - 1) or 0
    local x = core.arange(first, num, step, float_or(kind))
    if num > 1 then x[num] = last end
    return x
  end)

  define("eye", {
    { "n", "integer", required = true, min = 0, doc = "rows" },
    { "m", "integer", min = 0, doc = "columns; n if left out" },
    { "dtype", "dtype", "float32", doc = "element type" },
  }, "A matrix with ones on the diagonal.", function(n, m, kind)
    m = m or n
    local x = core.full({ n * m }, 0, kind)
    local diagonal = math.min(n, m)
    if diagonal > 0 then
      core.assign_into(core.slice(x, { 0 }, { diagonal }, { m + 1 }), 1)
    end
    return core.reshape(x, { n, m })
  end)
end
