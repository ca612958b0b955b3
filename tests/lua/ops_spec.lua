-- Every public function on tensors: its value, eager equal to traced, and its gradient against
-- differences, from one table of cases. A function without a case fails.
local cdl = require "cdl"
local core = require "cdl.core"
local ops = cdl.ops

local function t(values, dtype) return cdl.tensor(values, dtype) end
local A = { { 0.5, -1.25, 2 }, { -0.75, 1.5, 0.25 } }
local P = { { 0.5, 1.25, 2 }, { 0.75, 1.5, 0.25 } }
local nan, inf = 0 / 0, math.huge

-- {f, inputs, want, grad = false where there is none}
local cases = {
  neg = { { "neg", { A }, { { -0.5, 1.25, -2 }, { 0.75, -1.5, -0.25 } } } },
  abs = { { "abs", { A }, { { 0.5, 1.25, 2 }, { 0.75, 1.5, 0.25 } } } },
  sign = { { "sign", { A }, { { 1, -1, 1 }, { -1, 1, 1 } }, grad = false } },
  square = { { "square", { { 1, -2, 3 } }, { 1, 4, 9 } } },
  relu = { { "relu", { A }, { { 0.5, 0, 2 }, { 0, 1.5, 0.25 } } } },
  floor = { { "floor", { A }, { { 0, -2, 2 }, { -1, 1, 0 } }, grad = false } },
  ceil = { { "ceil", { A }, { { 1, -1, 2 }, { 0, 2, 1 } }, grad = false } },
  round = { { "round", { { 0.5, 1.5, -0.5, 2.4 } }, { 0, 2, 0, 2 }, grad = false } },
  exp = { { "exp", { { 0, 1, -2 } }, { 1, math.exp(1), math.exp(-2) } } },
  expm1 = { { "expm1", { { 0, 1e-3, 1 } }, { 0, 0.0010005001667, math.exp(1) - 1 } } },
  log = { { "log", { P }, { { math.log(0.5), math.log(1.25), math.log(2) },
    { math.log(0.75), math.log(1.5), math.log(0.25) } } } },
  log1p = { { "log1p", { { 0, 1e-3, 1 } }, { 0, 0.00099950033308, math.log(2) } } },
  sqrt = { { "sqrt", { { 1, 4, 9 } }, { 1, 2, 3 } } },
  rsqrt = { { "rsqrt", { { 1, 4, 16 } }, { 1, 0.5, 0.25 } } },
  reciprocal = { { "reciprocal", { { 1, -2, 4 } }, { 1, -0.5, 0.25 } } },
  sin = { { "sin", { { 0, 1, -2 } }, { 0, math.sin(1), math.sin(-2) } } },
  cos = { { "cos", { { 0, 1, -2 } }, { 1, math.cos(1), math.cos(-2) } } },
  tanh = { { "tanh", { { 0, 1, -0.5 } }, { 0, 0.76159415596, -0.46211715726 } } },
  sigmoid = { { "sigmoid", { { 0, 1, -2 } }, { 0.5, 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(2)) } } },
  erf = { { "erf", { { 0, 0.5, -1 } }, { 0, 0.5204998778, -0.8427007929 } } },
  gelu = { { "gelu", { { 0, 1, -1 } }, { 0, 0.8413447461, -0.1586552539 } } },
  softplus = { { "softplus", { { 0, 1, -2 } },
    { math.log(2), math.log(1 + math.exp(1)), math.log(1 + math.exp(-2)) } } },
  isfinite = { { "isfinite", { { 1, inf, nan } }, { true, false, false }, grad = false } },
  isnan = { { "isnan", { { 1, inf, nan } }, { false, false, true }, grad = false } },
  isinf = { { "isinf", { { 1, -inf, nan } }, { false, true, false }, grad = false } },
  stop_gradient = { { "stop_gradient", { { 1, 2 } }, { 1, 2 }, grad = false } },
  logical_not = { { "logical_not", { { 1, 0 } }, { false, true }, grad = false } },
  logical_and = { { "logical_and", { { 1, 0, 1 }, { 1, 1, 0 } }, { true, false, false }, grad = false } },
  logical_or = { { "logical_or", { { 1, 0, 0 }, { 1, 1, 0 } }, { true, true, false }, grad = false } },
  add = { { "add", { A, { 1, 2, 3 } }, { { 1.5, 0.75, 5 }, { 0.25, 3.5, 3.25 } } } },
  sub = { { "sub", { A, { { 1 }, { 2 } } }, { { -0.5, -2.25, 1 }, { -2.75, -0.5, -1.75 } } } },
  mul = { { "mul", { A, { 2, 0, -1 } }, { { 1, 0, -2 }, { -1.5, 0, -0.25 } } } },
  div = { { "div", { A, { 2, 4, 8 } }, { { 0.25, -0.3125, 0.25 }, { -0.375, 0.375, 0.03125 } } } },
  arctan2 = { { "arctan2", { { 1, 1, 1, -1 }, { 0, 1, -1, 0 } }, { 1.5707964, 0.78539816, 2.3561945, -1.5707964 } } },
  pow = { { "pow", { P, { 2, 1, 3 } }, { { 0.25, 1.25, 8 }, { 0.5625, 1.5, 0.015625 } } } },
  floordiv = { { "floordiv", { { 7, -7, 7 }, { 2, 2, -2 } }, { 3, -4, -4 }, grad = false } },
  mod = { { "mod", { { 7, -7, 7.5 }, { 2, 2, 2 } }, { 1, 1, 1.5 }, grad = false } },
  maximum = { { "maximum", { A, { 0, 1, 2.5 } }, { { 0.5, 1, 2.5 }, { 0, 1.5, 2.5 } } } },
  minimum = { { "minimum", { A, { 0, 1, 2.5 } }, { { 0, -1.25, 2 }, { -0.75, 1, 0.25 } } } },
  eq = { { "eq", { { 1, 2 }, { 1, 3 } }, { true, false }, grad = false } },
  ne = { { "ne", { { 1, 2 }, { 1, 3 } }, { false, true }, grad = false } },
  lt = { { "lt", { { 1, 2 }, { 2, 2 } }, { true, false }, grad = false } },
  le = { { "le", { { 1, 3 }, { 1, 2 } }, { true, false }, grad = false } },
  gt = { { "gt", { { 3, 2 }, { 2, 2 } }, { true, false }, grad = false } },
  ge = { { "ge", { { 2, 1 }, { 2, 2 } }, { true, false }, grad = false } },
  where = { { function(a, b) return ops.where(t { true, false, true }, a, b) end,
    { { 1, 2, 3 }, { 4, 5, 6 } }, { 1, 5, 3 } } },
  clip = { { function(x) return ops.clip(x, -1, 1) end, { A }, { { 0.5, -1, 1 }, { -0.75, 1, 0.25 } } } },
  astype = { { function(x) return ops.astype(x, "int32") end, { { 1.9, -1.9 } }, { 1, -1 }, grad = false } },
  sum = { { function(x) return x:sum(1) end, { A }, { -0.25, 0.25, 2.25 } },
    { function(x) return x:sum({ 1, 2 }, true) end, { A }, { { 2.25 } } } },
  mean = { { function(x) return x:mean(-1) end, { A }, { 1.25 / 3, 1 / 3 } } },
  prod = { { function(x) return x:prod(2) end, { A }, { -1.25, -0.28125 } } },
  max = { { function(x) return x:max(1) end, { A }, { 0.5, 1.5, 2 } } },
  min = { { function(x) return x:min() end, { A }, -1.25 } },
  all = { { function(x) return x:all(2) end, { { { 1, 1 }, { 0, 1 } } }, { true, false }, grad = false } },
  any = { { function(x) return x:any(2) end, { { { 0, 0 }, { 0, 1 } } }, { false, true }, grad = false } },
  logsumexp = { { function(x) return x:logsumexp(2) end, { { { 0, 0 }, { 1, 2 } } },
    { math.log(2), math.log(math.exp(1) + math.exp(2)) } } },
  var = { { function(x) return x:var(2) end, { { { 1, 3 }, { 0, 4 } } }, { 1, 4 } } },
  std = { { function(x) return x:std(2) end, { { { 1, 3 }, { 0, 4 } } }, { 1, 2 } } },
  argmax = { { function(x) return x:argmax(2) end, { A }, { 2, 1 }, grad = false } },
  argmin = { { function(x) return x:argmin() end, { A }, 1, grad = false } },
  cumsum = { { function(x) return x:cumsum(2) end, { A }, { { 0.5, -0.75, 1.25 }, { -0.75, 0.75, 1 } } } },
  sort = { { function(x) return x:sort() end, { A }, { { -1.25, 0.5, 2 }, { -0.75, 0.25, 1.5 } } } },
  argsort = { { function(x) return x:argsort(2, true) end, { A }, { { 2, 0, 1 }, { 1, 2, 0 } }, grad = false } },
  topk = { { function(x) return (x:topk(2)) end, { A }, { { 2, 0.5 }, { 1.5, 0.25 } } } },
  reshape = { { function(x) return x:reshape { 3, -1 } end, { A }, { { 0.5, -1.25 }, { 2, -0.75 }, { 1.5, 0.25 } } } },
  flatten = { { function(x) return x:flatten() end, { A }, { 0.5, -1.25, 2, -0.75, 1.5, 0.25 } } },
  permute = { { function(x) return x:permute { 2, 1 } end, { A }, { { 0.5, -0.75 }, { -1.25, 1.5 }, { 2, 0.25 } } } },
  transpose = { { function(x) return x:transpose() end, { A }, { { 0.5, -0.75 }, { -1.25, 1.5 }, { 2, 0.25 } } } },
  squeeze = { { function(x) return x:squeeze() end, { { { 1, 2 } } }, { 1, 2 } } },
  expand_dims = { { function(x) return x:expand_dims(-1) end, { { 1, 2 } }, { { 1 }, { 2 } } } },
  broadcast_to = { { function(x) return x:broadcast_to { 2, 2 } end, { { 1, 2 } }, { { 1, 2 }, { 1, 2 } } } },
  concat = { { function(a, b) return ops.concat({ a, b }, 1) end, { { 1, 2 }, { 3 } }, { 1, 2, 3 } } },
  stack = { { function(a, b) return ops.stack({ a, b }, 2) end, { { 1, 2 }, { 3, 4 } }, { { 1, 3 }, { 2, 4 } } } },
  split = { { function(x) return x:split({ 1, 3 }, 1)[2] end, { { 1, 2, 3, 4 } }, { 2, 3 } } },
  flip = { { function(x) return x:flip(2) end, { { { 1, 2 }, { 3, 4 } } }, { { 2, 1 }, { 4, 3 } } } },
  roll = { { function(x) return x:roll(1, 1) end, { { 1, 2, 3 } }, { 3, 1, 2 } } },
  tile = { { function(x) return x:tile { 2, 1 } end, { { 1, 2 } }, { { 1, 2 }, { 1, 2 } } } },
  repeat_ = { { function(x) return x:repeat_(2, 1) end, { { 1, 2 } }, { 1, 1, 2, 2 } } },
  contiguous = { { function(x) return x:transpose():contiguous() end,
    { { { 1, 2 }, { 3, 4 } } }, { { 1, 3 }, { 2, 4 } } } },
  copy = { { "copy", { { 1, 2 } }, { 1, 2 } } },
  gather = { { function(x) return x:gather(t({ 1, 0, 1 }, "int64"), 2) end, { { { 1, 2 }, { 3, 4 } } },
    { { 2, 1, 2 }, { 4, 3, 4 } } } },
  take_along_axis = { { function(x) return x:take_along_axis(t({ { 1 }, { 0 } }, "int64"), 2) end,
    { { { 1, 2 }, { 3, 4 } } }, { { 2 }, { 3 } } } },
  one_hot = { { function(x) return x:one_hot(3) end, { { 2, 0 } }, { { 0, 0, 1 }, { 1, 0, 0 } }, grad = false } },
  scatter = { { function(v) return ops.scatter(t({ { 1 }, { 3 }, { 1 } }, "int64"), v, { 4 }) end, { { 1, 2, 3 } },
    { 0, 4, 0, 2 } } },
  pad = { { function(x) return x:pad { { 1, 0 } } end, { { 1, 2 } }, { 0, 1, 2 } },
    { function(x) return x:pad({ { 2, 1 } }, "reflect") end, { { 1, 2, 3 } }, { 3, 2, 1, 2, 3, 2 } } },
  matmul = { { "matmul", { { { 1, 2 }, { 3, 4 } }, { { 5 }, { 6 } } }, { { 17 }, { 39 } } } },
  dot = { { "dot", { { 1, 2 }, { 3, 4 } }, 11 } },
  tensordot = { { function(a, b) return ops.tensordot(a, b, 1) end,
    { { { 1, 2 }, { 3, 4 } }, { 5, 6 } }, { 17, 39 } } },
  einsum = { { function(a, b) return ops.einsum("ij,kj->ki", a, b) end, { { { 1, 2 }, { 3, 4 } }, { { 5, 6 } } },
    { { 17, 39 } } } },
  dense = { { function(x, w, b) return ops.dense(x, w, b, "tanh") end,
    { { { 1, 2 } }, { { 0.1, 0.2 }, { 0.3, -0.4 } }, { 0.1, 0 } },
    { { 0.6640367703, -0.5370495670 } } } },
  softmax = { { "softmax", { { { 0, 0 }, { 1, 3 } } }, { { 0.5, 0.5 }, { 0.1192029220, 0.8807970780 } } },
    { function(x) return x:softmax(1) end,
      { { { 0, 1 }, { 0, 3 } } }, { { 0.5, 0.1192029220 }, { 0.5, 0.8807970780 } } } },
  log_softmax = { { "log_softmax", { { { 0, 0 } } }, { { -math.log(2), -math.log(2) } } } },
  conv = {
    { "conv", { { { { 1 }, { 2 }, { 4 }, { 8 } } }, { { { 1, 10 } }, { { -1, 1 } } } },
      { { { -1, 12 }, { -2, 24 }, { -4, 48 } } } },
    { function(x, w) return ops.conv(x, w, 2, "same", "channels_last", 1, { 0.5 }, "relu") end,
      { { { { 1 }, { 2 }, { 4 }, { 8 }, { 3 } } }, { { { 1 } }, { { -1 } }, { { 1 } } } },
      { { { 1.5 }, { 6.5 }, { 5.5 } } } },
    { function(x, w) return ops.conv(x, w, { padding = "causal", dilation_rate = 2 }) end,
      { { { { 1 }, { 2 }, { 4 } } }, { { { 10 } }, { { 1 } } } }, { { { 1 }, { 2 }, { 14 } } } },
    { function(x, w) return ops.conv(x, w) end,
      { { { { { 1, 2 }, { 3, 4 } } } }, { { { { 5, 6 } }, { { 7, 8 } } } } }, { { { { 26, 44 } } } } },
    { function(x, w) return ops.conv(x, w, { strides = { 1, 2 } }) end,
      { { { { { 1 }, { 2 }, { 3 } }, { { 4 }, { 5 }, { 6 } } } }, { { { { 1 } } }, { { { 2 } } } } },
      { { { { 9 }, { 15 } } } } },
    { "conv", { { { { { { 1 }, { 2 } }, { { 3 }, { 4 } } } } }, { { { { { 1 } }, { { 2 } } } } } },
      { { { { { 5 } }, { { 11 } } } } } },
  },
  depthwise_conv = { { "depthwise_conv",
    { { { { 1, 2 }, { 3, 4 } } }, { { { 1, 2 }, { 3, 4 } }, { { 1, 1 }, { 0, 2 } } } },
    { { { 4, 5, 6, 16 } } } } },
  separable_conv = { { "separable_conv",
    { { { { 1, 2 }, { 3, 4 } } }, { { { 1 }, { 2 } } }, { { { 1, 0 }, { -1, 1 } } } },
    { { { -3, 4 }, { -5, 8 } } } } },
  conv_transpose = {
    { "conv_transpose", { { { { 1 }, { 2 } } }, { { { 3 } }, { { 5 } } } }, { { { 3 }, { 11 }, { 10 } } } },
    { function(x, w) return ops.conv_transpose(x, w, 2, "same", { output_padding = 1 }) end,
      { { { { 1 }, { 2 } } }, { { { 1 } }, { { 10 } }, { { 100 } } } }, { { { 1 }, { 10 }, { 102 }, { 20 } } } },
  },
  resize = {
    { function(x) return ops.resize(x, { 1, 4 }) end, { { { { 0 }, { 4 } }, { { 2 }, { 6 } } } },
      { { { { 1 }, { 2 }, { 4 }, { 5 } } } } },
    { function(x) return ops.resize(x, { 1, 2 }, "nearest") end, { { { { 1 }, { 2 }, { 3 }, { 4 }, { 5 } } } },
      { { { 2 }, { 4 } } } },
    { function(x) return ops.resize(x, { 1, 1 }, { antialias = true }) end,
      { { { { 1 }, { 2 }, { 3 }, { 4 } } } }, { { { 2.5 } } } },
    { function(x) return ops.resize(x, { 1, 5 }, "bicubic") end, { { { { 0 }, { 0 }, { 1 } } } },
      { { { 0 }, { -0.0447761 }, { 0 }, { 0.6492537 }, { 1.0754716 } } } },
    { function(x) return ops.resize(x, 2, { crop_to_aspect_ratio = true }) end,
      { { { { 9 }, { 1 }, { 2 }, { 9 } }, { { 9 }, { 3 }, { 4 }, { 9 } } } }, { { { 1 }, { 2 } }, { { 3 }, { 4 } } } },
    { function(x) return ops.resize(x, 3, { pad_to_aspect_ratio = true, fill_value = 7 }) end,
      { { { { 1 }, { 2 }, { 3 } } } }, { { { 7 }, { 7 }, { 7 } }, { { 1 }, { 2 }, { 3 } }, { { 7 }, { 7 }, { 7 } } } },
  },
  rgb_to_hsv = {
    { "rgb_to_hsv", { { { { 0.5, 0.25, 0.125 }, { 0.1, 0.2, 0.8 } }, { { 0.25, 0.75, 0.5 }, { 1, 0.5, 0.75 } } } },
      { { { 1 / 18, 0.75, 0.5 }, { 0.64285714, 0.875, 0.8 } },
        { { 5 / 12, 2 / 3, 0.75 }, { 11 / 12, 0.5, 1 } } } },
  },
  hsv_to_rgb = {
    { "hsv_to_rgb", { { { { 1 / 18, 0.75, 0.5 }, { 0.64285714, 0.875, 0.8 } },
      { { 5 / 12, 2 / 3, 0.75 }, { -1 / 12, 0.5, 1 } } } },
      { { { 0.5, 0.25, 0.125 }, { 0.1, 0.2, 0.8 } }, { { 0.25, 0.75, 0.5 }, { 1, 0.5, 0.75 } } } },
  },
  rgb_to_grayscale = {
    { "rgb_to_grayscale", { { { { 1, 2, 3 }, { 0, 10, 0 } } } }, { { { 0.2989 + 1.174 + 0.342 }, { 5.87 } } } },
  },
  affine_transform = {
    { function(x) return ops.affine_transform(x, { 1, 0, 1, 0, 1, 0, 0, 0 }, { fill_value = 9 }) end,
      { { { { 1 }, { 2 }, { 3 } } } }, { { { 2 }, { 3 }, { 9 } } } },
    { function(x) return x:affine_transform({ { 1, 0, -0.5, 0, 1, 0, 0, 0 } }, "bilinear", "reflect") end,
      { { { { { 1 }, { 2 }, { 4 } } } } }, { { { { 1 }, { 1.5 }, { 3 } } } } },
    { function(x) return x:affine_transform({ 1, 0, 2.4, 0, 1, 0, 0, 0 }, "nearest", "wrap") end,
      { { { { 1 }, { 2 }, { 3 } } } }, { { { 3 }, { 1 }, { 2 } } } },
    { function(x) return x:affine_transform({ 1, 0, 2, 0, 1, 0, 0, 0 }, "nearest", "mirror") end,
      { { { { 1 }, { 2 }, { 3 } } } }, { { { 3 }, { 2 }, { 1 } } } },
    { function(x) return x:affine_transform({ 0, 1, 0, 1, 0, 0, 0, 0 }, "bilinear", "nearest") end,
      { { { { 1 }, { 2 } }, { { 3 }, { 4 } } } }, { { { 1 }, { 3 } }, { { 2 }, { 4 } } } },
  },
  max_pool = {
    { function(x) return x:max_pool(2) end, { { { { 1, 5 }, { 3, 2 }, { 4, 4 } } } }, { { { 3, 5 } } } },
    { function(x) return ops.max_pool(x, { 1, 2 }, 1, "same") end, { { { { { 1 }, { -3 }, { -5 } } } } },
      { { { { 1 }, { -3 }, { -5 } } } } },
  },
  average_pool = {
    { function(x) return ops.average_pool(x, 2) end, { { { { 1, 5 }, { 3, 2 }, { 4, 4 } } } }, { { { 2, 3.5 } } } },
    { function(x) return ops.average_pool(x, 2, 1, "same") end, { { { { 1 }, { 3 }, { 7 } } } },
      { { { 2 }, { 5 }, { 7 } } } },
  },
}
-- Made from nothing, or in place: tested below.
local others = { tensor = true, zeros = true, ones = true, full = true, zeros_like = true, ones_like = true,
  arange = true, linspace = true, eye = true, fill = true, cast = true, take_first = true }

local function flat(x)
  if type(x) ~= "table" then return { x } end
  local list = {}
  for _, entry in ipairs(x) do
    for _, value in ipairs(flat(entry)) do list[#list + 1] = value end
  end
  return list
end

local function assert_near(want, got, tolerance, what)
  want, got = flat(want), flat(got)
  assert.are.equal(#want, #got, what .. ": number of elements")
  for i = 1, #want do
    if type(want[i]) == "boolean" then
      assert.are.equal(want[i], got[i], what)
    else
      assert.is_true(math.abs(want[i] - got[i]) <= tolerance * math.max(1, math.abs(want[i])),
        ("%s: element %d is %.9g, wanted %.9g"):format(what, i, got[i], want[i]))
    end
  end
end

local function function_of(case) return type(case[1]) == "string" and ops[case[1]] or case[1] end

-- The gradient of sum(f * weights) by central differences in float64.
local function check_gradient(name, f, inputs)
  local xs = {}
  for i, x in ipairs(inputs) do xs[i] = t(x, "float64") end
  local function scalar(...)
    local y = f(...)
    local weights = cdl.arange(1, math.max(1, y.size)):astype "float64":reshape(y.shape)
    return (y * weights):sum()
  end
  for k = 1, #xs do
    local got = cdl.grad(scalar, k)(table.unpack(xs)):totable()
    local want, flat_x = {}, flat(xs[k]:totable())
    local shape = xs[k].shape
    for i = 1, #flat_x do
      local values = {}
      for sign = -1, 1, 2 do
        local moved = table.move(flat_x, 1, #flat_x, 1, {})
        moved[i] = moved[i] + sign * 1e-6
        local args = table.move(xs, 1, #xs, 1, {})
        args[k] = t(moved, "float64"):reshape(shape)
        values[sign] = scalar(table.unpack(args)):item()
      end
      want[i] = (values[1] - values[-1]) / 2e-6
    end
    assert_near(want, got, 1e-5, ("%s: gradient of input %d"):format(name, k))
  end
end

describe("every function of cdl.ops", function()
  it("has a case", function()
    local missing = {}
    for name in pairs(ops) do
      if not cases[name] and not others[name] then missing[#missing + 1] = name end
    end
    assert.are.same({}, missing)
  end)

  for name, list in pairs(cases) do
    for k, case in ipairs(list) do
      it(("%s #%d gives its value, eager and traced"):format(name, k), function()
        local f, xs = function_of(case), {}
        for i, x in ipairs(case[2]) do xs[i] = t(x) end
        local eager = f(table.unpack(xs))
        assert_near(case[3], eager:totable(), 2e-6, name)
        local traced = cdl.jit(f)(table.unpack(xs))
        assert.are.equal(eager.dtype, traced.dtype)
        assert.are.same(eager.shape, traced.shape)
        assert.are.same(eager:totable(), traced:totable())
      end)
      it(("%s #%d is recorded on symbols"):format(name, k), function()
        local f, inputs, xs = function_of(case), {}, {}
        for i, x in ipairs(case[2]) do
          xs[i] = t(x)
          inputs[i] = cdl.Input { batch_shape = xs[i].shape }
        end
        local output = f(table.unpack(inputs))
        local eager = f(table.unpack(xs))
        assert.are.equal("symbolic", output.kind)
        assert.are.same(eager.shape, output.shape)
        assert.are.equal(eager.dtype, output.dtype)
        local value = cdl.Function { inputs = inputs, outputs = { output } }(table.unpack(xs))
        assert.are.same(eager:totable(), value:totable())
      end)
      if case.grad ~= false then
        it(("%s #%d has the gradient that differences give"):format(name, k), function()
          check_gradient(name, function_of(case), case[2])
        end)
      end
    end
  end
end)

describe("tensors", function()
  it("to be stacked have one shape; uniform numbers a range", function()
    local _, problem = pcall(cdl.stack, { cdl.ones { 2, 3 }, cdl.ones { 2 } })
    assert.matches("stack: tensor 2 has shape {2}, the first one {2, 3}", problem, 1, true)
    _, problem = pcall(cdl.random.uniform, { shape = { 2 }, minval = 2, maxval = 1 })
    assert.matches("uniform: maxval (1) must not be below minval (2)", problem, 1, true)
    _, problem = pcall(cdl.tensordot, cdl.ones { 2, 2 }, cdl.ones { 2, 2 }, { "a", "b" })
    assert.matches("tensordot: the axes of a and b must be an axis or a list of axes", problem, 1, true)
  end)

  it("are made from nothing", function()
    assert.are.same({ { 0, 0, 0 }, { 0, 0, 0 } }, cdl.zeros { 2, 3 }:totable())
    assert.are.same({ 1, 1 }, cdl.ones { 2 }:totable())
    assert.are.same({ 7, 7 }, cdl.full({ 2 }, 7):totable())
    assert.are.same({ 1, 2, 3 }, cdl.arange(1, 3):totable())
    assert.are.same({ 3, 1, -1 }, cdl.arange(3, -1, -2):totable())
    assert.are.same({ 0, 0.5, 1 }, cdl.linspace(0, 1, 3):totable())
    assert.are.same({ { 1, 0, 0 }, { 0, 1, 0 } }, cdl.eye(2, 3):totable())
    assert.are.same({}, cdl.zeros {}.shape)
    assert.are.equal("int32", cdl.zeros_like(t({ 1 }, "int32")).dtype)
    assert.are.same({ 1, 1 }, cdl.ops.ones_like(t { 5, 6 }):totable())
    local x = cdl.zeros { 2 }
    assert.are.equal(x, x:fill(3))
    assert.are.same({ 3, 3 }, x:totable())
  end)

  it("promote as api.md 1.3 says", function()
    local i = t({ 7, -7 }, "int32")
    assert.are.equal("int32", (i + 1).dtype)
    assert.are.equal("float32", (i + 0.5).dtype)
    assert.are.equal("float32", (i / 2).dtype)
    assert.are.equal("float32", i:mean().dtype)
    assert.are.equal("int64", i:sum().dtype)
    assert.are.equal("float64", (t({ 1 }, "float64") + t { 1 }).dtype)
    assert.are.equal("int64", (t { true } + 1).dtype)
    assert.are.equal("bool", i:gt(0).dtype)
    assert.are.equal("int64", i:argmax().dtype)
    assert.are.equal("float32", t({ 1, 2, 3 }).dtype)
    assert.are.equal("bool", t({ true, false }).dtype)
    assert.are.same({ 3, -4 }, (i // 2):totable())
    assert.are.same({ 1, 1 }, (i % 2):totable())
  end)

  it("have views that share memory", function()
    local x = t { { 1, 2, 3 }, { 4, 5, 6 } }
    x[2]:fill(0)
    x[{ 1, { 2, 3 } }] = 9
    x[{ {}, 1 }] = t { 7, 8 }
    assert.are.same({ { 7, 9, 9 }, { 8, 0, 0 } }, x:totable())
    x:transpose()[{ 1, 2 }] = -1
    assert.are.equal(-1, x[{ 2, 1 }])
    assert.are.same({ 9, 9, 7 }, x[{ 1, { -1, 1, -1 } }]:totable())
    assert.are.equal(2, #x)
    local rows = {}
    for i, row in pairs(x) do rows[i] = row:totable() end
    assert.are.same(x:totable(), rows)
  end)

  it("raise with what was given and wanted", function()
    local x = t { { 1, 2, 3 }, { 4, 5, 6 } }
    local function message(f, ...) return select(2, pcall(f, ...)) end
    assert.matches("ops_spec.lua:%d+: .*{2, 3} and {4} do not broadcast",
      message(function() return x + cdl.ones { 4 } end))
    assert.matches("subscript 3 is out of range for axis 1", message(function() return x[3] end))
    assert.matches("%[2%]", message(cdl.tensor, { { 1, 2 }, { 3 } }))
    assert.matches("does not fit in dtype uint8", message(cdl.tensor, { 300 }, "uint8"))
    assert.matches("3.5 does not fit in dtype int32", message(cdl.tensor, { 3.5 }, "int32"))
    assert.matches("a:lt%(b%)", message(function() return x < x end))
    assert.matches("4 .*out of range", message(function() return x:gather(t({ 4 }, "int64"), 1) end))
    assert.matches("division by zero", message(function() return t({ 1 }, "int32") // t({ 0 }, "int32") end))
    assert.matches("item%(%)", message(function() return x:item() end))
    assert.matches("cannot be combined", message(function() return x + "a" end))
    assert.matches("unknown dtype 'float'", message(core.full, { 1 }, 0, "float"))
    assert.are.same({ { 1, 2, 3 }, { 4, 5, 6 } }, x:totable())
  end)
end)
