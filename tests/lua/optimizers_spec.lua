local cdl = require "cdl"
local close = require "close"

local optimizers = cdl.optimizers

local function variable(value, name) return cdl.Variable(value, { name = name or "w" }) end

-- A function that applies a gradient through a compiled plan.
local function stepper(optimizer, ...)
  local variables = { ... }
  return cdl.jit(function(...)
    optimizer:apply({ ... }, variables)
    return (...)
  end)
end

local W, G = { 1, 2, 3, 4 }, { 1, 6, 7, 2 }

-- After one step from W with gradient G and rate 0.5 (Keras's numbers).
local FIRST = {
  sgd = { 0.5, -1, -0.5, 3 },
  adam = { 0.5, 1.5, 2.5, 3.5 },
  adamax = { 0.5, 1.5, 2.5, 3.5 },
  lion = { 0.5, 1.5, 2.5, 3.5 },
  adamw = { 0.4980, 1.4960, 2.4940, 3.4920 },
  rmsprop = { -0.5811, 0.4189, 1.4189, 2.4189 },
  adagrad = { 0.5233, 1.5007, 2.5005, 3.5061 },
  nadam = { 0.4686, 1.4686, 2.4686, 3.4686 },
  adadelta = { 0.9993, 1.9993, 2.9993, 3.9993 },
  ftrl = { 0.2218, 1.3954, 2.3651, 2.8814 },
  lamb = { -0.3693, 0.6306, 1.6306, 2.6306 },
  adafactor = { -0.3693, 0.6307, 1.6307, 2.6307 },
}

describe("the first step", function()
  for name, expected in pairs(FIRST) do
    it("of " .. name .. " is Keras's, eager and traced alike, and the next ones agree", function()
      local eager, traced = optimizers.get(name), optimizers.get(name)
      eager.learning_rate, traced.learning_rate = 0.5, 0.5
      local a, b = variable(W), variable(W)
      local step = stepper(traced, b)
      eager:apply({ cdl.tensor(G) }, { a })
      step(cdl.tensor(G))
      close(expected, a, 1e-4)
      close(a:totable(), b, 1e-6)
      for _, gradient in ipairs { { 1, -6, 0, 2 }, { 0, 3, 1, -1 }, { 2, 0, 0, 0.5 } } do
        eager:apply({ cdl.tensor(gradient) }, { a })
        step(cdl.tensor(gradient))
      end
      close(a:totable(), b, 1e-5)
      assert.equal(4, eager.iterations)
      assert.equal(4, traced.iterations)
    end)
  end
end)

-- Runs steps with gradients and gives the values, as Lua numbers would have them.
local function reference(update, gradients)
  local w, state = 1, {}
  for t, g in ipairs(gradients) do w = update(w, g, t, state) end
  return w
end

local function run(optimizer, gradients)
  local w = variable { 1 }
  local step = stepper(optimizer, w)
  for _, g in ipairs(gradients) do step(cdl.tensor { g }) end
  return w
end

describe("several steps", function()
  local gradients = { 0.5, -1, 2, 0.25 }

  it("of SGD with momentum, plain and Nesterov's", function()
    local function rule(nesterov)
      return function(w, g, _, s)
        s.m = 0.9 * (s.m or 0) - 0.1 * g
        return nesterov and w + 0.9 * s.m - 0.1 * g or w + s.m
      end
    end
    close({ reference(rule(false), gradients) }, run(optimizers.SGD(0.1, 0.9), gradients))
    close({ reference(rule(true), gradients) }, run(optimizers.SGD(0.1, 0.9, true), gradients))
  end)

  it("of RMSprop in all its forms", function()
    local function rule(momentum, centered)
      return function(w, g, _, s)
        s.v = 0.9 * (s.v or 0) + 0.1 * g * g
        s.a = 0.9 * (s.a or 0) + 0.1 * g
        local d = centered and s.v - s.a * s.a + 1e-7 or s.v + 1e-7
        local step = 0.1 * g / math.sqrt(d)
        s.m = momentum * (s.m or 0) + step
        return w - (momentum > 0 and s.m or step)
      end
    end
    for _, momentum in ipairs { 0, 0.8 } do
      for _, centered in ipairs { false, true } do
        close({ reference(rule(momentum, centered), gradients) },
          run(optimizers.RMSprop { 0.1, momentum = momentum, centered = centered }, gradients), 1e-4)
      end
    end
  end)

  it("of Adam, with and without AMSGrad", function()
    local function rule(amsgrad, beta)
      return function(w, g, t, s)
        s.m = 0.9 * (s.m or 0) + 0.1 * g
        s.v = beta * (s.v or 0) + (1 - beta) * g * g
        s.top = math.max(s.top or 0, s.v)
        local alpha = 0.1 * math.sqrt(1 - beta ^ t) / (1 - 0.9 ^ t)
        return w - alpha * s.m / (math.sqrt(amsgrad and s.top or s.v) + 1e-7)
      end
    end
    close({ reference(rule(false, 0.999), gradients) }, run(optimizers.Adam(0.1), gradients), 1e-4)
    for _, amsgrad in ipairs { false, true } do
      close({ reference(rule(amsgrad, 0.5), gradients) },
        run(optimizers.Adam { 0.1, beta_2 = 0.5, amsgrad = amsgrad }, gradients), 1e-4)
    end
  end)

  it("of Lion and Adamax", function()
    close({ reference(function(w, g, _, s)
      local c = 0.9 * (s.m or 0) + 0.1 * g
      s.m = 0.99 * (s.m or 0) + 0.01 * g
      return w - 0.1 * (c > 0 and 1 or c < 0 and -1 or 0)
    end, gradients) }, run(optimizers.Lion(0.1), gradients))
    close({ reference(function(w, g, t, s)
      s.m = 0.9 * (s.m or 0) + 0.1 * g
      s.u = math.max(0.999 * (s.u or 0), math.abs(g))
      return w - 0.1 * s.m / ((1 - 0.9 ^ t) * (s.u + 1e-7))
    end, gradients) }, run(optimizers.Adamax(0.1), gradients), 1e-4)
  end)

  it("of Adagrad and Adadelta", function()
    close({ reference(function(w, g, _, s)
      s.a = (s.a or 0.3) + g * g
      return w - 0.1 * g / math.sqrt(s.a + 1e-7)
    end, gradients) }, run(optimizers.Adagrad(0.1, 0.3), gradients))
    close({ reference(function(w, g, _, s)
      s.a = 0.9 * (s.a or 0) + 0.1 * g * g
      local d = -math.sqrt((s.d or 0) + 1e-3) / math.sqrt(s.a + 1e-3) * g
      s.d = 0.9 * (s.d or 0) + 0.1 * d * d
      return w + 0.5 * d
    end, gradients) }, run(optimizers.Adadelta { 0.5, rho = 0.9, epsilon = 1e-3 }, gradients))
  end)

  it("of Ftrl with all its penalties", function()
    local rate, power, l1, l2, shrinkage, beta = 0.5, 0.6, 0.2, 0.1, 0.05, 0.3
    close({ reference(function(w, g, _, s)
      s.n, s.z = s.n or 0.1, s.z or 0
      local n = s.n + g * g
      s.z = s.z + g + 2 * shrinkage * w - (n ^ power - s.n ^ power) / rate * w
      s.n = n
      local cut = math.max(-l1, math.min(l1, s.z))
      return (cut - s.z) / (n ^ power / rate + 2 * (l2 + beta / (2 * rate)))
    end, gradients) }, run(optimizers.Ftrl { rate, learning_rate_power = -power, l1_regularization_strength = l1,
      l2_regularization_strength = l2, l2_shrinkage_regularization_strength = shrinkage, beta = beta }, gradients))
  end)

  it("of Lamb", function()
    close({ reference(function(w, g, t, s)
      s.m = 0.9 * (s.m or 0) + 0.1 * g
      s.v = 0.999 * (s.v or 0) + 0.001 * g * g
      local u = s.m / (1 - 0.9 ^ t) / (math.sqrt(s.v / (1 - 0.999 ^ t)) + 1e-7)
      return w - 0.1 * math.abs(w) / math.abs(u) * u
    end, gradients) }, run(optimizers.Lamb(0.1), gradients), 1e-4)
    local w = variable { 0, 0 }
    stepper(optimizers.Lamb(0.1), w)(cdl.tensor { 1, 0 })
    close({ -0.1, 0 }, w, 1e-4)
  end)

  it("of Nadam", function()
    close({ reference(function(w, g, t, s)
      local now, after = 0.9 * (1 - 0.5 * 0.96 ^ t), 0.9 * (1 - 0.5 * 0.96 ^ (t + 1))
      s.u = (s.u or 1) * now
      s.m = 0.9 * (s.m or 0) + 0.1 * g
      s.v = 0.999 * (s.v or 0) + 0.001 * g * g
      local m = after * s.m / (1 - s.u * after) + (1 - now) * g / (1 - s.u)
      return w - 0.1 * m / (math.sqrt(s.v / (1 - 0.999 ^ t)) + 1e-7)
    end, gradients) }, run(optimizers.Nadam(0.1), gradients), 1e-4)
  end)

  it("of Adafactor on a matrix keep squares by rows and columns", function()
    local optimizer = optimizers.Adafactor(0.5)
    local w = variable { { 1, 2 }, { 3, 4 } }
    stepper(optimizer, w)(cdl.tensor { { 1, 2 }, { 2, 4 } })
    -- The gradient's squares are of rank 1, so every element moves by the same step.
    local step = 0.5 * math.sqrt(30 / 4)
    close({ { 1 - step, 2 - step }, { 3 - step, 4 - step } }, w, 1e-4)
    assert.same({ 2 }, optimizer:slot(w, "r").shape)
  end)

  it("keep the precision of float64 variables", function()
    for _, name in ipairs { "sgd", "adam", "rmsprop" } do
      local w = cdl.Variable(1, { dtype = "float64", name = "fine" })
      local optimizer = optimizers.get(name)
      optimizer.learning_rate = 1e-10
      optimizer:apply({ cdl.tensor(1) }, { w })
      assert.is_true(w:item() < 1 and w:item() > 1 - 1e-8, name)
    end
  end)
end)

describe("weight decay", function()
  it("shrinks with a zero gradient", function()
    local w = variable(2)
    local step = stepper(optimizers.SGD { 1, weight_decay = 0.004 }, w)
    for _ = 1, 3 do step(cdl.tensor(0)) end
    close(1.9760959, w:item(), 1e-6)
  end)

  it("leaves out what is excluded", function()
    local kernel, bias, other = variable({ 1 }, "dense/kernel"), variable({ 1 }, "dense/bias"), variable({ 1 }, "x")
    local optimizer = optimizers.SGD { 1, weight_decay = 0.5 }
    optimizer:exclude_from_weight_decay { var_list = { other }, var_names = { "bias$" } }
    optimizer:apply({ { 0 }, { 0 }, { 0 } }, { kernel, bias, other })
    close({ 0.5 }, kernel)
    close({ 1 }, bias)
    close({ 1 }, other)
    assert.error_matches(function() optimizer:exclude_from_weight_decay { var_names = { "x" } } end,
      "before the optimizer is built")
  end)
end)

describe("clipping", function()
  -- How far one step of SGD with rate 1 moves variables that have these gradients.
  local function move(arguments, ...)
    arguments.learning_rate = 1
    local variables, gradients, moved = {}, {}, {}
    for i, gradient in ipairs { ... } do
      gradients[i] = cdl.tensor(gradient)
      variables[i] = variable(cdl.zeros_like(gradients[i]), "w" .. i)
    end
    stepper(optimizers.SGD(arguments), table.unpack(variables))(table.unpack(gradients))
    for i, w in ipairs(variables) do moved[i] = (-w):totable() end
    return moved
  end

  it("limits norms and values", function()
    close({ { 0.7071, 0.7071 } }, cdl.tensor(move({ clipnorm = 1 }, { 100, 100 })), 1e-4)
    close({ { 0.3, 0.4 } }, cdl.tensor(move({ clipnorm = 1 }, { 0.3, 0.4 })))
    close({ { 1, -1, 0.5 } }, cdl.tensor(move({ clipvalue = 1 }, { 100, -100, 0.5 })))
    close({ { 0, 0 } }, cdl.tensor(move({ clipnorm = 1 }, { 0, 0 })))
  end)

  it("limits the norm of all together", function()
    close({ { 1.2, 0 }, { 0, 1.6 } }, cdl.tensor(move({ global_clipnorm = 2 }, { 3, 0 }, { 0, 4 })))
    close({ { 0.3, 0 }, { 0, 0.4 } }, cdl.tensor(move({ global_clipnorm = 2 }, { 0.3, 0 }, { 0, 0.4 })))
    local moved = move({ global_clipnorm = 2 }, { math.huge, 1 })
    assert.is_true(moved[1][2] ~= moved[1][2])
  end)

  it("is of one kind", function()
    assert.error_matches(function() optimizers.SGD { clipnorm = 1, clipvalue = 1 } end,
      "only one of clipnorm, clipvalue and global_clipnorm")
    assert.error_matches(function() optimizers.SGD { clipnorm = 0 } end, "clipnorm must be greater than 0, got 0")
  end)
end)

describe("averages", function()
  it("follow the variables and take their place", function()
    local optimizer = optimizers.SGD { 1, use_ema = true, ema_momentum = 0.9, ema_overwrite_frequency = 3 }
    local w = variable { { 3, 4 }, { 5, 6 } }
    local step = stepper(optimizer, w)
    local average
    local function check(value, mean)
      step(cdl.ones { 2, 2 })
      average = average or optimizer.variables[3]
      assert.equal("sgd/w_average", average.path)
      close({ { value, value + 1 }, { value + 2, value + 3 } }, w)
      close({ { mean, mean + 1 }, { mean + 2, mean + 3 } }, average)
    end
    check(2, 2)
    check(1, 1.9)
    check(1.71, 1.71)
    optimizer:finalize()
    close({ { 1.71, 2.71 }, { 3.71, 4.71 } }, w)
  end)

  it("are what fit ends with", function()
    local model = cdl.Sequential {
      cdl.layers.Dense { 2, input_shape = { 1 }, use_bias = false, kernel_initializer = "ones" } }
    model:compile { optimizer = optimizers.SGD { 0.1, use_ema = true, ema_momentum = 0.9 }, loss = "mse" }
    model:fit({ { 1 } }, { { 0, 0 } }, { epochs = 2, verbose = 0 })
    close({ { 0.891, 0.891 } }, model.weights[1])
  end)

  it("are before constraints", function()
    local optimizer = optimizers.SGD { 1, use_ema = true }
    local w = variable { 1 }
    optimizer.constraints[w] = cdl.constraints.NonNeg()
    stepper(optimizer, w)(cdl.tensor { 3 })
    close({ 0 }, w)
    close({ -2 }, optimizer.variables[3])
  end)
end)

describe("accumulation of gradients", function()
  it("updates at every k-th step with the mean", function()
    local optimizer = optimizers.SGD { 1, gradient_accumulation_steps = 3 }
    local w = variable { { 1, 2 }, { 3, 4 } }
    local step = stepper(optimizer, w)
    local counts = {}
    for i = 1, 4 do
      step(cdl.full({ 2, 2 }, i <= 3 and i - 1 or 9))
      counts[i] = optimizer.iterations
      close(i < 3 and { { 1, 2 }, { 3, 4 } } or { { 0, 1 }, { 2, 3 } }, w)
    end
    assert.same({ 0, 0, 1, 1 }, counts)
  end)

  it("leaves state alone in between", function()
    local one, three = optimizers.Adam { 0.1, weight_decay = 0.1 },
      optimizers.Adam { 0.1, weight_decay = 0.1, gradient_accumulation_steps = 3, use_ema = true }
    local a, b = variable { 1, -2 }, variable { 1, -2 }
    local step = stepper(three, b)
    for _ = 1, 3 do
      one:apply({ { 0.5, 2 } }, { a })
      for k = -1, 1 do step(cdl.tensor { 0.5 + k, 2 - k }) end
    end
    close(a:totable(), b, 1e-5)
    for i, name in ipairs { "momentum", "velocity" } do
      close(one.variables[2 + i]:totable(), three:slot(b, name), 1e-5)
    end
    assert.equal(3, three.iterations)
  end)
end)

describe("loss scale", function()
  it("is taken back from the gradients", function()
    local optimizer = optimizers.SGD { 1, loss_scale_factor = 1024 }
    close(1024, optimizer:scale_loss(cdl.tensor(1)))
    assert.equal(3, optimizers.SGD():scale_loss(3))
    local w = variable { 2 }
    cdl.jit(function(x)
      local gradients = cdl.gradients({ optimizer:scale_loss((x * w):sum()) }, { w })
      optimizer:apply(gradients, { w })
      return x
    end)(cdl.tensor { 0.25 })
    close({ 1.75 }, w)
  end)
end)

describe("hyper-parameters", function()
  it("act on steps that have been traced, and read as they were written", function()
    local optimizer = optimizers.SGD(1, 0.5)
    local w = variable { 0 }
    local step = stepper(optimizer, w)
    step(cdl.tensor { 1 })
    close({ -1 }, w)
    optimizer.learning_rate = 0.1
    assert.equal(0.1, optimizer.learning_rate)
    assert.equal(0.1, optimizer.lr)
    step(cdl.tensor { 1 }) -- m = -0.5 - 0.1
    close({ -1.6 }, w)
    optimizer.lr, optimizer.momentum = 0, 0
    step(cdl.tensor { 1 })
    close({ -1.6 }, w)
    assert.equal(0, optimizer.momentum)
  end)

  it("act in Adam, too", function()
    local optimizer = optimizers.Adam(0.1)
    local w = variable { 0 }
    local step = stepper(optimizer, w)
    step(cdl.tensor { 1 })
    optimizer.beta_1, optimizer.beta_2, optimizer.epsilon = 0, 0, 0
    step(cdl.tensor { 2 })
    close({ -0.2 }, w)
    optimizer.epsilon = 2
    step(cdl.tensor { 2 })
    close({ -0.25 }, w)
  end)

  it("read the value that was loaded into their variable, in few digits", function()
    local optimizer = optimizers.Adam(0.1)
    local rate = optimizer.variables[2]
    assert.equal("adam/learning_rate", rate.path)
    rate:assign(0.003)
    assert.equal(0.003, optimizer.learning_rate)
  end)

  it("are checked", function()
    local optimizer = optimizers.SGD()
    assert.error_matches(function() optimizer.momentum = 2 end, "SGD: momentum must be at most 1, got 2")
    assert.error_matches(function() optimizer.learning_rate = "fast" end, "learning_rate must be")
    assert.error_matches(function() optimizers.SGD { learningrate = 1 } end, "did you mean 'learning_rate'")
    assert.equal(0.2, optimizers.SGD { lr = 0.2 }.learning_rate)
  end)

  it("cannot turn on after the optimizer is built what was off", function()
    local optimizer = optimizers.SGD()
    optimizer.nesterov = true
    optimizer:build { variable { 1 } }
    assert.error_matches(function() optimizer.momentum = 0.9 end, "momentum was 0 when the optimizer was built")
    assert.error_matches(function() optimizer.weight_decay = 0.1 end,
      "weight_decay was nil when the optimizer was built")
    assert.error_matches(function() optimizer.nesterov = false end, "nesterov is fixed when the optimizer is built")
    assert.error_matches(function() optimizer.iterations = 3 end, "computed")
  end)
end)

describe("learning-rate schedules", function()
  local decay = cdl.schedules.ExponentialDecay(1, 1, 0.5)

  it("see the number of steps before", function()
    local optimizer = optimizers.SGD(decay)
    local w = variable { 0 }
    local step = stepper(optimizer, w)
    assert.equal(1, optimizer.learning_rate)
    step(cdl.tensor { 1 })
    close({ -1 }, w)
    step(cdl.tensor { 1 })
    close({ -1.5 }, w)
    assert.equal(0.25, optimizer.learning_rate)
    assert.equal(1, #optimizer.variables)
  end)

  it("give way to a number once they are taken away, without a new trace", function()
    local optimizer = optimizers.SGD(decay)
    local w = variable { 0 }
    local step = stepper(optimizer, w)
    step(cdl.tensor { 1 })
    assert.error_matches(function() optimizer.learning_rate = 3 end, "set_schedule%(nil%)")
    optimizer:set_schedule(nil)
    assert.equal(0.5, optimizer.learning_rate)
    step(cdl.tensor { 1 })
    close({ -1.5 }, w)
    optimizer.learning_rate = 3
    step(cdl.tensor { 1 })
    close({ -4.5 }, w)
    assert.equal(2, #optimizer.variables)
  end)

  it("may be functions, and may be replaced", function()
    local optimizer = optimizers.SGD(function(step) return 1 / (step + 1) end)
    local w = variable { 0 }
    local step = stepper(optimizer, w)
    step(cdl.tensor { 1 })
    step(cdl.tensor { 1 })
    close({ -1.5 }, w)
    assert.near(1 / 3, optimizer.learning_rate, 1e-6)
    optimizer.learning_rate = function() return 10 end
    step(cdl.tensor { 1 })
    close({ -11.5 }, w)
    optimizer:set_schedule(decay)
    step(cdl.tensor { 1 })
    close({ -11.625 }, w)
    assert.error_matches(function() optimizer:set_schedule(3) end, "set_schedule wants a schedule")
  end)
end)

describe("apply", function()
  it("orders state as Keras does", function()
    local a, b = variable({ 1 }, "dense/kernel"), variable({ 1 }, "dense/bias")
    local function names(optimizer)
      optimizer:build { a, b }
      local list = {}
      for i, slot in ipairs(optimizer.variables) do list[i] = slot.name end
      return list
    end
    assert.same({ "iteration", "learning_rate", "dense_kernel_momentum", "dense_kernel_velocity",
      "dense_bias_momentum", "dense_bias_velocity", "dense_kernel_velocity_hat", "dense_bias_velocity_hat" },
      names(optimizers.Adam { amsgrad = true }))
    assert.same({ "iteration", "learning_rate" }, names(optimizers.SGD()))
    assert.same({ "iteration", "learning_rate", "dense_kernel_average", "dense_bias_average",
      "dense_kernel_gradient_accumulator", "dense_bias_gradient_accumulator", "dense_kernel_velocity",
      "dense_bias_velocity", "dense_kernel_momentum", "dense_bias_momentum" },
      names(optimizers.RMSprop { momentum = 0.5, use_ema = true, gradient_accumulation_steps = 2 }))
    assert.equal("u_product", names(optimizers.Nadam())[7])
  end)

  it("leaves out integers, and variables without a gradient", function()
    local warnings = {}
    local core = require "cdl.core"
    local warn = core.warn
    core.warn = function(text) warnings[#warnings + 1] = text end
    local a, b, count = variable({ 1 }, "a"), variable({ 1 }, "b"), cdl.Variable({ 3 }, { dtype = "int64", name = "n" })
    local ok, message = pcall(function() optimizers.SGD(1):apply({ { 1 }, nil, { 1 } }, { a, b, count }) end)
    core.warn = warn
    assert.is_true(ok, message)
    close({ 0 }, a)
    close({ 1 }, b)
    close({ 3 }, count)
    assert.matches("SGD: there is no gradient for b; these are not updated", warnings[1])
    assert.equal(1, #warnings)
  end)

  it("says what is wrong with its arguments", function()
    local a, b = variable({ 1 }, "a"), variable({ 1 }, "b")
    local function apply(...)
      local ok, message = pcall(function(...) optimizers.SGD():apply(...) end, ...)
      assert.is_false(ok)
      assert.matches("^[^\n]*optimizers_spec.lua:%d+: SGD: ", message)
      return message
    end
    assert.matches("no gradient for any variable %(a, b%)", apply({}, { a, b }))
    assert.matches("there are 1 variables, but gradients has an entry 2", apply({ { 1 }, { 1 } }, { a }))
    assert.matches("the gradient of 'a' has shape {2}, the variable {1}", apply({ { 1, 2 } }, { a }))
    assert.matches("variable 1 is 3; wanted a variable", apply({ { 1 } }, { 3 }))
    assert.matches("variable 'a' is given twice", apply({ { 1 }, { 1 } }, { a, a }))
    assert.matches("gradients are given as a list", apply(cdl.ones { 1 }, { a }))
    local optimizer = optimizers.SGD()
    optimizer:apply({ { 1 } }, { a })
    assert.error_matches(function() optimizer:apply({ { 1 } }, { b }) end, "variable 'b' is unknown")
    assert.error_matches(function() cdl.Optimizer():apply({ { 1 } }, { b }) end, "defines no update_step")
  end)

  it("applies constraints after the update", function()
    local w = variable { { 3 }, { 4 } }
    local optimizer = optimizers.SGD(0)
    optimizer.constraints[w] = cdl.constraints.UnitNorm()
    stepper(optimizer, w)(cdl.zeros { 2, 1 })
    close({ { 0.6 }, { 0.8 } }, w)
  end)
end)

describe("optimizers.get", function()
  it("takes names in any case, classes and objects", function()
    assert.equal("Adam", optimizers.get "adam".class_name)
    assert.equal("RMSprop", optimizers.get "RMSprop".class_name)
    assert.equal("SGD", optimizers.get(optimizers.SGD).class_name)
    local adam = optimizers.Adam()
    assert.equal(adam, optimizers.get(adam))
    assert.is_true(optimizers.is_optimizer(adam))
    assert.is_false(optimizers.is_optimizer "adam")
    assert.are_not.equal(optimizers.get "adam", optimizers.get "adam")
    assert.error_matches(function() optimizers.get "adamm" end, "unknown optimizer 'adamm' %(did you mean 'adam'%?%)")
    assert.error_matches(function() optimizers.get(print) end, "optimizer must be a name or an optimizer")
  end)

  it("has Keras's defaults", function()
    local rates = { sgd = 0.01, rmsprop = 0.001, adam = 0.001, adamw = 0.001, adagrad = 0.001 }
    for name, rate in pairs(rates) do assert.equal(rate, optimizers.get(name).learning_rate) end
    assert.equal(0.004, optimizers.AdamW().weight_decay)
    assert.equal(0.9, optimizers.RMSprop().rho)
    assert.equal(1e-7, optimizers.Adam().epsilon)
  end)

  it("gives configs with the present values", function()
    local optimizer = optimizers.Adam { 0.1, clipnorm = 2 }
    optimizer.learning_rate, optimizer.beta_1 = 0.05, 0.8
    local copy = optimizers.Adam:from_config(optimizer:get_config())
    assert.equal(0.05, copy.learning_rate)
    assert.equal(0.8, copy.beta_1)
    assert.equal(2, copy.clipnorm)
    assert.equal("adam", copy.name)
    local schedule = cdl.schedules.CosineDecay(1, 10)
    assert.equal(schedule, optimizers.SGD(schedule):get_config().learning_rate)
  end)
end)

describe("an optimizer of one's own", function()
  local Signs = cdl.Optimizer:extend "Signs"
  Signs.signature = { { "beta", "number", 0.5, doc = "momentum" } }
  function Signs:build(variables)
    for _, w in ipairs(variables) do self:add_slot(w, "momentum", "ones") end
  end
  function Signs:update_step(gradient, w, learning_rate)
    local momentum = self:slot(w, "momentum")
    momentum:assign(momentum * self:parameter "beta" + gradient)
    w:assign_sub(cdl.sign(momentum:value()) * learning_rate)
  end

  it("gets the base class's arguments and live parameters", function()
    local optimizer = Signs { learning_rate = 1, weight_decay = 0.5 }
    local w = variable { 4, 4 }
    local step = stepper(optimizer, w)
    step(cdl.tensor { -2, 2 })
    close({ 3, 1 }, w) -- 4 - 0.5 * 4 +- 1
    close({ -1.5, 2.5 }, optimizer:slot(w, "momentum"))
    optimizer.beta = 0
    step(cdl.tensor { 1, -1 })
    close({ 1, -1 }, optimizer:slot(w, "momentum"))
    assert.equal("signs/w_momentum", optimizer.variables[3].path)
    assert.error_matches(function() optimizer:parameter "bta" end,
      "no numeric argument 'bta' %(did you mean 'beta'%?%)")
  end)

  it("needs no signature", function()
    local Plain = cdl.Optimizer:extend "Plain"
    function Plain:init(args) self.factor = args.factor end
    function Plain:update_step(gradient, w, learning_rate)
      w:assign_sub(gradient * learning_rate * self.factor)
    end
    local w = variable { 1 }
    Plain { factor = 2, lr = 0.5, clipvalue = 0.25 }:apply({ { 3 } }, { w })
    close({ 0.75 }, w)
  end)

  it("trains a model", function()
    local model = cdl.Sequential {
      cdl.layers.Dense { 1, input_shape = { 1 }, use_bias = false, kernel_initializer = "ones" } }
    model:compile { optimizer = Signs { learning_rate = 0.25 }, loss = "mse" }
    model:fit({ { 1 } }, { { 0 } }, { epochs = 3, verbose = 0 })
    close({ { 0.25 } }, model.weights[1])
    assert.equal(3, model.optimizer.iterations)
  end)
end)

describe("LossScaleOptimizer", function()
  local inf = 1 / 0

  it("divides gradients by its scale, and doubles that after enough good steps", function()
    local w, other = variable { 1, 2 }, variable { 1, 2 }
    local plain = optimizers.SGD { 0.5, momentum = 0.9 }
    local scaled = optimizers.LossScaleOptimizer(optimizers.SGD { 0.5, momentum = 0.9 },
      { initial_scale = 8, dynamic_growth_steps = 2 })
    local step = stepper(scaled, w)
    for i = 1, 3 do
      local scale = scaled.dynamic_scale:item()
      step(cdl.tensor { i * scale, -scale })
      plain:apply({ { i, -1 } }, { other })
      close(other:value():totable(), w)
    end
    assert.equal(16, scaled.dynamic_scale:item())
    assert.equal(1, scaled.step_counter:item())
    assert.equal(3, scaled.iterations)
    close(48, scaled:scale_loss(cdl.tensor(3)))
  end)

  it("leaves out a step whose gradients are not finite, and halves the scale", function()
    local w, v = variable({ 1, 2 }, "w"), variable({ 3 }, "v")
    local inner = optimizers.Adam(0.5)
    local scaled = optimizers.LossScaleOptimizer(inner, { initial_scale = 4, dynamic_growth_steps = 2 })
    local step = stepper(scaled, w, v)
    step(cdl.tensor { 4, 4 }, cdl.tensor { 4 })
    local before = { w:value():totable(), v:value():totable(), inner:slot(w, "velocity"):value():totable() }
    step(cdl.tensor { 1, inf }, cdl.tensor { 1 })
    assert.are.same(before, { w:value():totable(), v:value():totable(), inner:slot(w, "velocity"):value():totable() })
    assert.equal(2, scaled.dynamic_scale:item())
    assert.equal(0, scaled.step_counter:item())
    assert.equal(1, scaled.iterations)
  end)

  it("trains a model as the inner optimizer does, whose learning rate it has", function()
    local function trained(optimizer)
      cdl.random.seed(1)
      local model = cdl.Sequential { cdl.layers.Dense { 2, input_shape = { 3 }, kernel_constraint = "non_neg" } }
      model:compile { optimizer = optimizer, loss = "mse" }
      assert.equal(0.25, optimizer.learning_rate)
      model:fit(cdl.ones { 4, 3 }, cdl.ones { 4, 2 }, { epochs = 3, verbose = 0 })
      return model:get_weights()[1]:totable()
    end
    close(trained(optimizers.SGD(0.25)),
      cdl.tensor(trained(optimizers.LossScaleOptimizer(optimizers.SGD(0.25)))))
    assert.error_matches(function() optimizers.LossScaleOptimizer("sgd") end,
      "inner_optimizer must be another optimizer, got \"sgd\"")
  end)
end)

describe("MultiOptimizer", function()
  it("updates each variable by its optimizer", function()
    local a, b, c = variable({ 1 }, "enc/a"), variable({ 1 }, "enc/b"), variable({ 1 }, "dec/c")
    local map = optimizers.OptimizerMap(optimizers.SGD(0.5),
      { ["enc/.*"] = optimizers.SGD(0.25), ["enc/b"] = optimizers.SGD(0.125) })
    local multi = optimizers.MultiOptimizer(map)
    stepper(multi, a, b, c)(cdl.tensor { 1 }, cdl.tensor { 1 }, cdl.tensor { 1 })
    close({ 0.75 }, a)
    close({ 0.875 }, b)
    close({ 0.5 }, c)
    assert.equal(3, #multi.optimizers)
    assert.equal(1, multi.iterations)
    assert.error_matches(function() return multi.learning_rate end, "the learning rates are those of its optimizers")
    assert.error_matches(function() multi.learning_rate = 1 end, "the learning rates are those of its optimizers")
  end)

  it("takes a function, and says what it cannot take", function()
    local a = variable({ 1 }, "a")
    local rate = optimizers.SGD(0.5)
    optimizers.MultiOptimizer(function() return rate end):apply({ { 1 } }, { a })
    close({ 0.5 }, a)
    assert.error_matches(function() optimizers.MultiOptimizer(function() return 3 end):apply({ { 1 } }, { a }) end,
      "for variable 'a' must be an optimizer, got 3")
    assert.error_matches(function() optimizers.MultiOptimizer "sgd" end, "must be an OptimizerMap or a function")
    local map = optimizers.OptimizerMap(rate, { ["a.*"] = optimizers.SGD(1), [".*b"] = optimizers.SGD(1) })
    assert.error_matches(function() map:find "ab" end, "'%.%*b' and 'a%.%*' are both for variable 'ab'")
  end)
end)
