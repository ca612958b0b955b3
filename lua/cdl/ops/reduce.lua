--- Reductions, scans and sorting. Axes from 1, negative from the end; all axes when left out.
local core = require "cdl.core"

return function(kit)
  local define, axis_of, as_tensor = kit.define, kit.axis_of, kit.as_tensor
  local ops = kit.ops

  local x_row = { "x", "operand", required = true, doc = "any shape" }
  local axis_row = { "axis", "axes", doc = "an axis or a list of axes; all when left out" }
  local keepdims_row = { "keepdims", "boolean", false, doc = "keep reduced axes with size 1" }

  local function mask_of(x, axis, name)
    if axis == nil then return (1 << x.ndim) - 1 end
    if type(axis) == "number" then return 1 << axis_of(x, axis, name) end
    local mask = 0
    for _, one in ipairs(axis) do
      local bit = 1 << axis_of(x, one, name)
      if mask & bit ~= 0 then core.raise(("%s: axis %d is given twice"):format(name, one)) end
      mask = mask | bit
    end
    return mask
  end

  local function reduction(name, doc)
    local row = core.row(name)
    define(name, { x_row, axis_row, keepdims_row }, doc, function(x, axis, keepdims)
      x = as_tensor(x)
      return row({ mask_of(x, axis, name), keepdims }, nil, x)
    end)
  end
  reduction("sum", "Sum over axes; bool, uint8 and int32 give int64.")
  reduction("mean", "Mean over axes.")
  reduction("prod", "Product over axes; bool, uint8 and int32 give int64.")
  reduction("max", "Largest element over axes; NaN propagates.")
  reduction("min", "Smallest element over axes; NaN propagates.")
  reduction("all", "True where all elements over axes are true (not 0).")
  reduction("any", "True where any element over axes is true (not 0).")
  reduction("logsumexp", "log(sum(e^x)) over axes, without overflow.")

  local function variance(x, axis, keepdims)
    x = as_tensor(x)
    local centered = x - ops.mean(x, axis, true)
    return ops.mean(ops.square(centered), axis, keepdims)
  end
  define("var", { x_row, axis_row, keepdims_row }, "Variance over axes, divided by n.", variance)
  define("std", { x_row, axis_row, keepdims_row }, "Standard deviation over axes, divided by n.",
    function(x, axis, keepdims) return ops.sqrt(variance(x, axis, keepdims)) end)

  local one_axis = { "axis", "axis", doc = "the axis; the flattened tensor when left out" }
  local function arg(name, doc)
    local row = core.row(name)
    define(name, { x_row, one_axis, keepdims_row }, doc, function(x, axis, keepdims)
      x = as_tensor(x)
      if axis == nil then
        local flat = row({ 0, 0 }, nil, ops.flatten(x))
        if not keepdims then return flat end
        local ones = {}
        for i = 1, x.ndim do ones[i] = 1 end
        return ops.reshape(flat, ones)
      end
      return row({ axis_of(x, axis, name), keepdims }, nil, x)
    end)
  end
  arg("argmax", "Index (from 0) of the first largest element along an axis, int64; NaN counts as largest.")
  arg("argmin", "Index (from 0) of the first smallest element along an axis, int64; NaN counts as smallest.")

  local cumsum = core.row "cumsum"
  define("cumsum", { x_row, { "axis", "axis", doc = "the axis; the flattened tensor when left out" } },
    "Running sum along an axis.", function(x, axis)
      x = as_tensor(x)
      if axis == nil then return cumsum({ 0, 0, 0 }, nil, ops.flatten(x)) end
      return cumsum({ axis_of(x, axis, "cumsum"), 0, 0 }, nil, x)
    end)

  local sort = core.row "sort"
  local last_axis = { "axis", "axis", -1, doc = "the axis" }
  local descending_row = { "descending", "boolean", false, doc = "largest first" }
  define("sort", { x_row, last_axis, descending_row }, "Elements in order along an axis; stable, NaN last.",
    function(x, axis, descending)
      return (sort({ axis_of(x, axis, "sort"), descending }, nil, x))
    end)
  define("argsort", { x_row, last_axis, descending_row },
    "Indices (from 0, int64) that sort along an axis; stable, NaN last.", function(x, axis, descending)
      return (select(2, sort({ axis_of(x, axis, "argsort"), descending }, nil, x)))
    end)
  define("topk", {
    x_row, { "k", "integer", required = true, min = 1, doc = "how many" },
    { "axis", "axis", -1, doc = "the axis" },
  }, "The k largest elements along an axis, largest first, and their indices (from 0, int64).",
    function(x, k, axis)
      local at = axis_of(x, axis, "topk")
      local n = x.shape[at + 1]
      if k > n then
        core.raise(("topk: k is %d, but the axis has %d elements"):format(k, n))
      end
      local values, indices = sort({ at, 1 }, nil, x)
      return ops.take_first(values, at, k), ops.take_first(indices, at, k)
    end)
end
