--- Gradients and traced functions: `cdl.gradients grad value_and_grad jit Function`.
--
-- A Lua function is run once per input types with traced tensors; the plan that comes out is
-- kept and run on the eager tensors of each call.
local core = require "cdl.core"
local random = require "cdl.random"
local scope = require "cdl.scope"
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"
local tree = require "cdl.tree"
local words = require "cdl.words"

local M = {}

local MANY_SHAPES = 16

local function is_tensor_like(x) return core.is_tensor(x) or core.is_variable(x) end

--- What tells plans apart: "float32{2,3}".
function M.type_key(x) return x.dtype .. "{" .. table.concat(x.shape, ",") .. "}" end

local generation = 0

--- Lets every function be traced anew at its next call: something that traces have baked in has
-- changed.
function M.retrace() generation = generation + 1 end

--- Changes with each retrace.
function M.generation() return generation end

--- A cache of plans by key. It warns once when there are many: each new shape is traced anew.
function M.new_cache(name)
  local plans, count, made_in = {}, 0, generation
  return function(key, make)
    if made_in ~= generation then plans, count, made_in = {}, 0, generation end
    local plan = plans[key]
    if not plan then
      plan = make()
      plans[key] = plan
      count = count + 1
      if count == MANY_SHAPES then
        core.warn(("%s has been traced for %d different shapes; every new shape costs a trace: "
          .. "pad or bucket the data if you can"):format(name, count))
      end
    end
    return plan
  end
end

-- A step counter for the random numbers that a traced function draws; read at its start and
-- moved on at its end.
local function new_steps(name)
  return core.variable(core.tensor({ 0 }, "int64"), name .. "/step", false)
end

--- Runs body under a scope whose random numbers take their step from the variable `steps`, which
-- then moves on by one.
function M.with_steps(steps, changes, body)
  changes.steps, changes.draws = steps, {}
  local results = table.pack(scope.with(changes, body))
  core.assign(steps, steps + 1)
  return table.unpack(results, 1, results.n)
end

local function spec_of(x) return { dtype = x.dtype, shape = x.shape } end

-- The flat list of what a function returns, and a function that gives it its form again (nil when
-- it has no lists or dicts).
local function flatten_results(name, ...)
  local results, leaves, specs, structured = table.pack(...), {}, {}, false
  for i = 1, results.n do
    local what = ("%s: value %d that the function returns"):format(name, i)
    if results[i] == nil then core.raise(what .. " is nil") end
    local part = { results[i] }
    if words.is_plain(results[i]) then
      part, specs[i] = tree.flatten(results[i], nil, what)
      structured = true
    end
    specs[i] = specs[i] or { kind = "leaf" }
    specs[i].count = #part
    table.move(part, 1, #part, #leaves + 1, leaves)
  end
  return leaves, structured and function(...)
    local flat, packed, at = { ... }, {}, 1
    for i, spec in ipairs(specs) do
      packed[i] = tree.pack(spec, table.move(flat, at, at + spec.count - 1, 1, {}))
      at = at + spec.count
    end
    return table.unpack(packed)
  end or nil
end

-- Calls f with traced tensors in place of the tensors among args.
-- The plan's outputs are the leaves of what f returns; pack makes them into f's values again.
local function trace_call(f, args, tensors, steps, name, stream)
  local specs = {}
  for i, at in ipairs(tensors) do specs[i] = spec_of(args[at]) end
  local pack
  local plan = core.trace(function(...)
    local actual = table.move(args, 1, args.n, 1, {})
    for i, at in ipairs(tensors) do actual[at] = (select(i, ...)) end
    return M.with_steps(steps, { stream = stream, training = false }, function()
      local leaves
      leaves, pack = flatten_results(name, f(table.unpack(actual, 1, args.n)))
      return leaves
    end)
  end, specs)
  return { plan = plan, pack = pack }
end

--- A function that traces f once per input types and then runs the plan.
local function jit(f, name)
  local cache, steps = M.new_cache(name), new_steps(name)
  local number, seedings = random.next_function(steps), random.seedings()
  local stream = ("%s#%d"):format(name, number)
  return function(...)
    if core.in_trace() then return f(...) end
    if symbol.any(...) then return symbol.record(f, { name = name }, ...) end
    local args, tensors, key = table.pack(...), {}, {}
    for i = 1, args.n do
      local x = args[i]
      if words.is_plain(x) then
        core.raise(("%s: argument %d is a table; pass tensors, numbers, strings or booleans"):format(name, i))
      elseif core.is_tensor(x) then
        tensors[#tensors + 1] = i
        key[i] = M.type_key(x)
      else
        key[i] = type(x) == "userdata" and x.path or tostring(x)
      end
    end
    if seedings ~= random.seedings() then
      core.assign(steps, 0)
      seedings = random.seedings()
    end
    local program = cache(table.concat(key, ";"), function()
      return trace_call(f, args, tensors, steps, name, stream)
    end)
    local inputs = {}
    for i, at in ipairs(tensors) do inputs[i] = args[at] end
    local own, step = nil, random.step_within(number)
    if step then
      own = core.value(steps)
      core.assign(steps, step)
    end
    local results = table.pack(program.plan:run(table.unpack(inputs)))
    if step then core.assign(steps, own) end
    if program.pack then return program.pack(table.unpack(results, 1, results.n)) end
    return table.unpack(results, 1, results.n)
  end
end

M.jit = signature.fn("jit", {
  { "f", "function", required = true, doc = "a function of tensors, and of numbers, strings and booleans, baked in" },
}, "A function that traces f once per shapes and dtypes and then runs the compiled plan.",
  function(f) return jit(f, "jit") end)

-- ---- gradients ----

local function as_list(x)
  if words.is_plain(x) then return x, true end
  return { x }, false
end

-- Gradients inside a trace.
local function gradients_now(ys, xs, unused)
  return (core.gradients(ys, xs, unused == "zeros"))
end

local function gradients_symbolic(ys, xs, unused)
  local types = {}
  for i, x in ipairs(xs) do
    if not unused and symbol.is(x) and not symbol.depends(ys, x) then
      core.raise(("gradients: no y depends on x number %d (pass unused = \"zeros\" for a gradient of zeros)"):format(i))
    end
    types[i] = { dtype = x.dtype, shape = table.move(x.shape, 1, #x.shape, 1, {}) }
  end
  local n = #ys
  return { symbol.record(function(list)
    if not core.in_trace() then
      core.raise "gradients of a symbolic tensor are computed by predict, cdl.Function or inside a traced function"
    end
    return table.unpack(gradients_now(table.move(list, 1, n, 1, {}), table.move(list, n + 1, #list, 1, {}), unused))
  end, { name = "gradients", types = types }, table.move(xs, 1, #xs, n + 1, table.move(ys, 1, n, 1, {}))) }
end

M.gradients = signature.fn("gradients", {
  { "y", "any", required = true, doc = "a traced or symbolic tensor, or a list; other shapes than scalars are summed" },
  { "xs", "any", required = true, doc = "a tensor or variable, or a list" },
  { "unused", { "zeros" }, doc = "\"zeros\": zeros for an x that y does not depend on, which else raises" },
}, "Gradients of y with respect to xs: a list for a list, else one tensor. Intermediate tensors are fine, "
  .. "second order too.",
  function(y, xs, unused)
    local list
    local ys = as_list(y)
    xs, list = as_list(xs)
    for i, x in ipairs(xs) do
      if not (is_tensor_like(x) or symbol.is(x)) then
        core.raise(("gradients: x number %d is %s; wanted a tensor or variable"):format(i, words.describe(x)))
      end
    end
    local results
    if symbol.any(ys) then
      results = gradients_symbolic(ys, xs, unused)
    elseif core.in_trace() then
      results = gradients_now(ys, xs, unused)
    else
      core.raise "gradients: y is eager, so nothing is known of how it was computed; use cdl.grad(f)"
    end
    return list and results or results[1]
  end)

local function check_argnum(argnum, args)
  for _, k in ipairs(type(argnum) == "number" and { argnum } or argnum) do
    if k < 1 or k > args.n then
      core.raise(("grad: there is no argument %d (the function got %d)"):format(k, args.n))
    end
  end
end

-- f's values and gradients; with `value`, values come first.
local function gradient_function(f, argnum, value)
  local name = value and "value_and_grad" or "grad"
  local function body(...)
    local args = table.pack(...)
    local y = table.pack(f(...))
    if y.n == 0 or not core.is_tensor(y[1]) then
      core.raise(("%s: the function must return a tensor, got %s"):format(name, words.describe(y[1])))
    end
    local xs = {}
    for i, k in ipairs(type(argnum) == "number" and { argnum } or argnum) do xs[i] = args[k] end
    local results = gradients_now({ y[1] }, xs, "zeros")
    if value then return y[1], table.unpack(results) end
    return table.unpack(results)
  end
  local compiled = jit(body, name)
  return function(...)
    local args = table.pack(...)
    check_argnum(argnum, args)
    for i = 1, args.n do
      if type(args[i]) == "number" or words.is_plain(args[i]) then args[i] = core.tensor(args[i]) end
      if core.is_variable(args[i]) and not core.in_trace() then args[i] = core.read(args[i]) end
      -- In a trace what is eager would be computed at once, and leave no trace to walk back.
      if core.in_trace() and core.is_tensor(args[i]) and args[i].kind == "eager" then
        args[i] = core.capture(args[i])
      end
    end
    return compiled(table.unpack(args, 1, args.n))
  end
end

local f_row = { "f", "function", required = true, doc = "a function of tensors that returns a tensor" }
local argnum_row = { "argnum", "size", 1, doc = "which argument, from 1; a list gives several gradients" }

M.grad = signature.fn("grad", { f_row, argnum_row },
  "A function that gives the gradient of the sum of f's result with respect to an argument.",
  function(f, argnum) return gradient_function(f, argnum, false) end)
M.value_and_grad = signature.fn("value_and_grad", { f_row, argnum_row },
  "As grad, but the function gives f's value first.",
  function(f, argnum) return gradient_function(f, argnum, true) end)

-- ---- Function ----

local function check_inputs(inputs, args)
  if args.n ~= #inputs then
    core.raise(("Function: wants %d tensors, got %d"):format(#inputs, args.n))
  end
  for i, input in ipairs(inputs) do
    local x = args[i]
    if words.is_plain(x) or type(x) == "number" then
      x = core.tensor(x, input.dtype)
      args[i] = x
    end
    local fits = core.is_tensor(x) and #x.shape == #input.shape
    for k, n in ipairs(fits and input.shape or {}) do
      if n ~= -1 and n ~= x.shape[k] then fits = false end
    end
    if not fits then
      core.raise(("Function: input %d must be of shape %s, got %s"):format(i, tostring(input):match "{.*}",
        words.describe(x)))
    end
    if x.dtype ~= input.dtype then args[i] = require "cdl.ops".astype(x, input.dtype) end
  end
end

M.Function = signature.fn("Function", {
  { "inputs", "list", required = true, doc = "symbolic tensors (cdl.Input)" },
  { "outputs", "list", required = true, doc = "symbolic tensors made from the inputs" },
  { "updates", "list", {}, doc = "pairs {variable, symbolic tensor}: assigned at each call" },
}, "A compiled function of eager tensors; it returns the outputs as several values and does the updates.",
  function(inputs, outputs, updates)
    local results = table.move(outputs, 1, #outputs, 1, {})
    for i, pair in ipairs(updates) do
      if not (words.is_plain(pair) and core.is_variable(pair[1])) then
        core.raise(("Function: update %d must be {variable, tensor}"):format(i))
      end
      results[#outputs + i] = pair[2]
    end
    local symbols = {}
    for i, x in ipairs(results) do
      local is_output = i <= #outputs
      if symbol.is(x) then
        symbols[#symbols + 1] = x
      elseif not (core.is_variable(x) or type(x) == "number" or (is_output and core.is_tensor(x))) then
        core.raise(("Function: %s %d is %s; wanted a symbolic tensor (what is made from variables and numbers "
          .. "alone is computed at once: make it from an input, or assign in a cdl.jit function)"):format(
          is_output and "output" or "update", is_output and i or i - #outputs, words.describe(x)))
      end
    end
    local records = symbol.between(inputs, symbols, "Function")
    local function body(...)
      local value = {}
      for i, input in ipairs(inputs) do value[input] = (select(i, ...)) end
      symbol.replay(records, value)
      -- Outputs and updates see the variables as they were before the call.
      local now = {}
      for i, x in ipairs(results) do
        now[i] = core.is_variable(x) and core.read(x) or value[x] or x
      end
      for i, pair in ipairs(updates) do core.assign(pair[1], now[#outputs + i]) end
      return table.unpack(now, 1, #outputs)
    end
    local compiled = jit(body, "Function")
    return function(...)
      local args = table.pack(...)
      check_inputs(inputs, args)
      return compiled(table.unpack(args, 1, args.n))
    end
  end)

return M
