--- Random numbers (`cdl.random`): functions of (seed, stream, step, element), so that they repeat
-- whatever the number of threads and the order of computing (Philox4x32-10).
--
-- Eager draws take the next step of the stream "eager"; in the data of a fit that of the pass over
-- them, so that a pass can be drawn again. In a model's step the stream is the
-- place of what draws (the layer's place in its model and the number of the call), and the step
-- is the model's own counter, so every step draws fresh numbers.
local core = require "cdl.core"
local scope = require "cdl.scope"
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"

local M = {}

local seed, weight_draws, models, functions
local seedings = 0
local function_steps -- by the function's number: the variable that counts its steps

--- A stream of eager draws: its name and how often it was drawn from.
function M.new_stream(name) return { hash = core.hash(name), draws = 0, calls = {} } end

local eager = M.new_stream "eager"
local stream_now = eager

--- Calls f(...), whose eager draws come from that stream.
function M.within(stream, f, ...)
  local before = stream_now
  local _ <close> = setmetatable({}, { __close = function() stream_now = before end })
  stream_now = stream
  return f(...)
end

local given = false -- the seed was set, not drawn

--- The variable that holds the seed: plans read it, so a new seed needs no new plan.
M.seed_variable = nil

-- What has been drawn so far stays counted.
local function change_seed(value)
  seed = value
  if M.seed_variable then
    core.assign(M.seed_variable, core.tensor({ value }, "int64"))
  else
    M.seed_variable = core.variable(core.tensor({ value }, "int64"), "random/seed", false)
  end
end

local function set_seed(value)
  eager.draws, weight_draws, models, functions = 0, 0, 0, 0
  seedings = seedings + 1
  function_steps = setmetatable({}, { __mode = "v" })
  change_seed(value)
end

M.seed = signature.fn("seed", {
  { "n", "integer", required = true, doc = "any integer" },
}, "Sets the seed: from here on everything random repeats, bit for bit, on any number of threads.",
  function(n)
    given = true
    set_seed(n)
  end)

M.get_seed = signature.fn("get_seed", {}, "The seed in force; drawn at the start when none was set.",
  function() return seed end)

set_seed(core.entropy())

--- The state of everything random outside of models, a table for snapshots.
function M.state()
  local steps = {}
  for number, variable in pairs(function_steps) do steps[number] = core.item(core.value(variable)) end
  return { seed = seed, given = given, eager_draws = eager.draws, weight_draws = weight_draws,
    models = models, functions = functions, steps = steps }
end

--- Takes the seed of such a state: first, where something is still drawn before load_state.
function M.load_seed(state)
  change_seed(state.seed)
  given = state.given
end

--- Goes on from such a state.
function M.load_state(state)
  M.load_seed(state)
  eager.draws, weight_draws, models = state.eager_draws, state.weight_draws, state.models
  functions = state.functions
  for number, count in pairs(state.steps) do
    if function_steps[number] then core.assign(function_steps[number], count) end
  end
end

--- The number of a model since the seed was set: part of its streams.
function M.next_model()
  models = models + 1
  return models
end

--- The number of a traced function since the seed was set: part of its streams. steps: the variable
-- that counts its steps.
function M.next_function(steps)
  functions = functions + 1
  function_steps[functions] = steps
  return functions
end

--- The step of a call of that function within a stream; nil outside of streams, where it counts itself.
function M.step_within(number)
  if stream_now == eager then return nil end
  local call = (stream_now.calls[number] or 0) + 1
  stream_now.calls[number] = call
  return (stream_now.hash & 0xffffffffffff) + call
end

--- How often the seed was set: traced functions count their steps from there.
function M.seedings() return seedings end

-- key (int64 {2}: seed and step) and stream of the next draw. own_seed takes the place of
-- cdl.random's seed.
local function next_draw(own_seed)
  if not core.in_trace() then
    stream_now.draws = stream_now.draws + 1
    return core.tensor({ own_seed or seed, stream_now.draws }, "int64"), stream_now.hash
  end
  local here = scope.current()
  local stream = core.hash(("%s#%d"):format(here.stream, scope.count_draw()))
  -- Where shapes are found with made-up sizes nothing may be computed: what is drawn belongs to the trace.
  if symbol.inferring() then return M.concat({ 0 }, nil, M.seed_variable, M.seed_variable), stream end
  if not here.steps then return core.tensor({ own_seed or seed, 0 }, "int64"), stream end
  local first = own_seed and core.tensor({ own_seed }, "int64") or M.seed_variable
  return M.concat({ 0 }, nil, first, here.steps), stream
end
M.concat = core.row "concat"

local kinds = {}
for _, name in ipairs { "uniform", "normal", "int", "bernoulli", "permutation" } do
  kinds[name] = core.row("random_" .. name)
end

local function draw(kind, key, stream, shape, dtype, reals, low, high)
  local ints = { stream, core.dtype_id(dtype), #shape }
  for i = 1, 8 do ints[3 + i] = shape[i] or 0 end
  ints[12], ints[13] = low or 0, high or 0
  return kinds[kind](ints, reals, key)
end

local shape_row = { "shape", "shape", required = true, unknown = false, doc = "list of sizes" }
local dtype_row = { "dtype", "dtype", "float32", doc = "element type" }

M.uniform = signature.fn("uniform", { shape_row,
  { "minval", "number", 0, doc = "smallest value" },
  { "maxval", "number", 1, doc = "the values stay below" }, dtype_row,
}, "Uniform numbers in [minval, maxval).", function(shape, minval, maxval, dtype)
  if maxval < minval then
    core.raise(("uniform: maxval (%s) must not be below minval (%s)"):format(maxval, minval))
  end
  local key, stream = next_draw()
  return draw("uniform", key, stream, shape, dtype, { minval, maxval })
end)

M.normal = signature.fn("normal", { shape_row,
  { "mean", "number", 0, doc = "mean" },
  { "stddev", "number", 1, min = 0, doc = "standard deviation" }, dtype_row,
}, "Normally distributed numbers.", function(shape, mean, stddev, dtype)
  local key, stream = next_draw()
  return draw("normal", key, stream, shape, dtype, { mean, stddev, 0 })
end)

M.truncated_normal = signature.fn("truncated_normal", { shape_row,
  { "mean", "number", 0, doc = "mean" },
  { "stddev", "number", 1, min = 0, doc = "standard deviation before cutting" }, dtype_row,
}, "Normally distributed numbers, those beyond two deviations drawn again.",
  function(shape, mean, stddev, dtype)
    local key, stream = next_draw()
    return draw("normal", key, stream, shape, dtype, { mean, stddev, 1 })
  end)

M.randint = signature.fn("randint", { shape_row,
  { "low", "integer", required = true, doc = "smallest value" },
  { "high", "integer", required = true, doc = "left out: values stay below it" },
}, "Uniform integers in [low, high), int64.", function(shape, low, high)
  if high <= low then core.raise(("randint: high (%d) must be above low (%d)"):format(high, low)) end
  local key, stream = next_draw()
  return draw("int", key, stream, shape, "int64", nil, low, high)
end)

M.bernoulli = signature.fn("bernoulli", { shape_row,
  { "p", "number", 0.5, min = 0, max = 1, doc = "probability of 1" }, dtype_row,
}, "1 with probability p, else 0.", function(shape, p, dtype)
  local key, stream = next_draw()
  return draw("bernoulli", key, stream, shape, dtype, { p })
end)

M.permutation = signature.fn("permutation", {
  { "n", "integer", required = true, min = 0, doc = "how many" },
}, "The numbers 0 .. n-1 in random order, int64.", function(n)
  local key, stream = next_draw()
  return draw("permutation", key, stream, { n }, "int64")
end)

M.categorical = signature.fn("categorical", {
  { "logits", "operand", required = true, doc = "{rows, classes}: unnormalised log probabilities" },
  { "n", "integer", required = true, min = 1, doc = "draws per row" },
}, "Classes (from 0) drawn with probabilities softmax(logits): int64 {rows, n}. By the Gumbel-max rule.",
  function(logits, n)
    local ops = require "cdl.ops"
    if logits.ndim ~= 2 then
      core.raise(("categorical: logits have shape {rows, classes}, got %d axes"):format(logits.ndim))
    end
    local rows, classes = logits.shape[1], logits.shape[2]
    local u = M.uniform({ rows, n, classes }, 1e-20, 1)
    local gumbel = -ops.log(-ops.log(u))
    return ops.argmax(ops.expand_dims(logits, 2) + gumbel, -1)
  end)

--- A float32 draw for a layer: kind is "uniform" or "normal", reals its parameters, own_seed a seed in
-- place of cdl.random's, or nil.
function M.of_shape(kind, shape, reals, own_seed)
  local key, stream = next_draw(own_seed)
  return draw(kind, key, stream, shape, "float32", reals)
end

--- The same of x's shape.
function M.like(kind, x, reals, own_seed) return M.of_shape(kind, x.shape, reals, own_seed) end

--- x with elements zeroed at `rate` and the others scaled up; mask_shape broadcasts to x. With a
-- seed of its own the numbers depend on it in place of cdl.random's.
function M.dropout(x, rate, mask_shape, own_seed)
  local key, stream = next_draw(own_seed)
  local ints = { stream, 0, #mask_shape }
  for i = 1, 8 do ints[3 + i] = mask_shape[i] or 0 end
  return M.dropout_row(ints, { rate }, x, key)
end
M.dropout_row = core.row "dropout"

--- Draws for a weight: kind is a name above; an explicit seed gives the same numbers each time.
function M.weight(kind, own_seed, shape, dtype, reals)
  local key
  if own_seed then
    key = core.tensor({ own_seed, 0 }, "int64")
  else
    weight_draws = weight_draws + 1
    key = core.tensor({ seed, weight_draws }, "int64")
  end
  return draw(kind, key, core.hash "weight", shape, dtype, reals)
end

--- Draws that depend on a seed and a name alone, whatever else was drawn: for data sets.
function M.named(kind, own_seed, name, shape, dtype, reals, low, high)
  return draw(kind, core.tensor({ own_seed, 0 }, "int64"), core.hash(name), shape, dtype, reals, low, high)
end

return M
