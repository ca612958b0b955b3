--- cdl's half of the comparison with Keras: runs every case of a table and writes the results.
--
--     cdl compare.lua FOLDER
--
-- FOLDER/cases.lua returns the descriptions of the cases, FOLDER/given.npz holds their arrays as
-- "number/name". Results go to FOLDER/results.npz by the same rule, errors to FOLDER/errors.txt.
local cdl = require "cdl"
local core = require "cdl.core"
local Layer = require "cdl.layer"

local folder = assert(arg[1], "the folder of the cases is missing")

--- By kind: run[kind](case, given) returns tensors (or numbers) by name. `case.make` is the object,
-- not made yet.
local run = {}

run.signature = dofile((arg[0]:match "^(.*/)" or "") .. "signature.lua")

-- Arrays x1, x2, ... of a case as a list.
local function listed(arrays, name)
  local list = {}
  while arrays[name .. #list + 1] do list[#list + 1] = arrays[name .. #list + 1] end
  return list
end

local function single(list)
  if #list == 1 then return list[1] end
  return list
end

-- results["name 1"], results["name 2"] ... from a list.
local function number_into(results, name, list)
  for i, value in ipairs(list) do results[name .. i] = value end
end

-- ---- files ----

-- The bytes of a file as a tensor.
local function file_tensor(path)
  local file <close> = assert(io.open(path, "rb"))
  return core.bytes_tensor(file:read "a")
end

local function write_file(path, tensor)
  local file <close> = assert(io.open(path, "wb"))
  file:write(core.tensor_bytes(tensor))
end

-- ---- functions of one tensor ----

-- The value of f at x, and the gradient of sum(value * factors).
local function value_and_gradient(f, x, factors)
  return cdl.jit(function(traced, weights)
    local y = f(traced)
    return y, cdl.gradients((y * weights):sum(), traced, { unused = "zeros" })
  end)(x, factors)
end

function run.activation(case, given)
  local f, results = case.make(), {}
  for _, name in ipairs { "random", "edges" } do
    local x = given[name]
    if x then
      local eager = f(x)
      local value, gradient = value_and_gradient(f, x, given[name .. " weights"])
      results[name .. " value"], results[name .. " gradient"] = value, gradient
      results[name .. " value, eager"] = eager
    end
  end
  return results
end

function run.regularizer(case, given)
  local value, gradient = value_and_gradient(case.make(), given.weight, cdl.tensor(1))
  return { value = value, gradient = gradient }
end

function run.constraint(case, given)
  local constraint = case.make()
  return { value = cdl.jit(function(w) return constraint(w) end)(given.weight) }
end

function run.initializer(case)
  return { values = case.make()(case.shape, "float32") }
end

function run.schedule(case, given)
  local schedule, values, traced = case.make(), {}, {}
  local compiled = cdl.jit(function(step) return schedule(step) * 1 end)
  for i, step in ipairs(given.steps:totable()) do
    values[i] = schedule(step):item()
    traced[i] = compiled(cdl.tensor(step, "int64")):item()
  end
  return { values = cdl.tensor(values), ["values, traced"] = cdl.tensor(traced) }
end

-- ---- layers ----

local function symbols(inputs)
  local list = {}
  for i, x in ipairs(inputs) do
    list[i] = cdl.Input { shape = table.move(x.shape, 2, x.ndim, 1, {}), dtype = x.dtype }
  end
  return single(list)
end

-- Gradient descent, as kinds/layer.py does it.
local STEPS, RATE = 3, 0.05

-- What the case and the arrays given call a layer with, by name.
local function call_options(case, given, training)
  local options, masks = { training = training }, listed(given, "mask")
  for key, value in pairs(case.call or {}) do options[key] = value end
  for key, value in pairs(given) do
    local name = key:match "^call (.*)$"
    if name then options[name] = value end
  end
  if #masks > 0 then options.mask = masks end
  return options
end

-- The layer as a model in a file, and what it is to be given. A mask is one more input.
local function export(layer, inputs, results, mask)
  local path, x = folder .. "/model.onnx", symbols(inputs)
  local seen = mask and symbols { mask }
  local y
  if mask then y = layer(x, { mask = seen }) else y = layer(x) end
  cdl.Model({ inputs = mask and { x, seen } or x, outputs = y }):export(path)
  results.model = file_tensor(path)
  for i, input in ipairs(inputs) do results["model input " .. i] = input end
  if mask then results["model input " .. #inputs + 1] = mask end
end

function run.layer(case, given)
  local layer, inputs = case.make(), listed(given, "x")
  local x = single(inputs)
  local results = {}
  if inputs[1].ndim > 1 then
    local flags = case.call and next(case.call) and case.call or nil
    results.shape = cdl.tensor(layer(symbols(inputs), flags).shape)
  else
    layer(x)
  end
  layer:set_weights(listed(given, "weight"))
  local values = { layer(x, call_options(case, given, false)) }
  results.inference = values[1]
  number_into(results, "other", table.move(values, 2, #values, 1, {}))
  if case.exports then export(layer, inputs, results) end
  local trained, count = layer.trainable_weights, #inputs
  local sources = inputs[1].dtype == "float32" and count or 0
  local step = cdl.jit(function(factors, ...)
    local traced = { ... }
    local y = layer(single(traced), call_options(case, given, true))
    local from = table.move(traced, 1, sources, 1, {})
    table.move(trained, 1, #trained, #from + 1, from)
    local gradients = cdl.gradients((y * factors):sum(), from, { unused = "zeros" })
    for i, variable in ipairs(trained) do variable:assign_sub(gradients[sources + i] * RATE) end
    return y, table.unpack(gradients)
  end)
  values = { step(given.factors, table.unpack(inputs)) }
  for _ = 2, STEPS do step(given.factors, table.unpack(inputs)) end
  number_into(results, "trained weight ", trained)
  results.training = values[1]
  for i = 1, sources do results["gradient of x" .. i] = values[1 + i] end
  for i = 1, #trained do results["gradient of weight " .. i] = values[1 + sources + i] end
  for i, variable in ipairs(layer.non_trainable_weights) do results["fixed weight " .. i] = variable:value() end
  return results
end

-- All outputs, and gradients with respect to the input, the initial states and the weights.
function run.recurrent(case, given)
  local layer, states, factors = case.make(), listed(given, "state"), listed(given, "factors")
  local x, mask = given.x1, given.mask and given.mask:astype "bool"
  layer(symbols { x })
  layer:set_weights(listed(given, "weight"))
  local function call(input, initial, training)
    return { layer(input, { training = training, mask = mask, initial_state = #initial > 0 and initial or nil }) }
  end
  local trained, results = layer.trainable_weights, {}
  number_into(results, "inference ", call(x, states, false))
  if case.exports and #states == 0 then export(layer, { x }, results, mask) end
  local step = cdl.jit(function(input, ...)
    local initial = { ... }
    local ys = call(input, initial, true)
    local total
    for i, y in ipairs(ys) do
      local part = (y * factors[i]):sum()
      total = total and total + part or part
    end
    local from = table.move(initial, 1, #initial, #trained + 2, table.move(trained, 1, #trained, 2, { input }))
    return total, ys, cdl.gradients(total, from, { unused = "zeros" })
  end)
  local _, ys, gradients = step(x, table.unpack(states))
  number_into(results, "training ", ys)
  results["gradient of x"] = gradients[1]
  number_into(results, "gradient of weight ", { table.unpack(gradients, 2, 1 + #trained) })
  number_into(results, "gradient of state ", { table.unpack(gradients, 2 + #trained) })
  return results
end

function run.random_layer(case, given)
  local layer = case.make()
  local results = { inference = layer(given.x, false), training = layer(given.x, true) }
  if case.exports then export(layer, { given.x }, results) end
  return results
end

-- ---- losses ----

local REDUCTIONS = { "sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none" }
local FORMS = { "none", "full", "column", "zero" }

-- The loss with a reduction, of predictions that are made where `after` says.
local function loss_values(case, reduction)
  local loss = case.make()(reduction)
  local before = case.after and cdl.activations.get(case.after)
  return function(y_true, y_pred, weights, mask)
    if before then y_pred = before(y_pred) end
    if mask then y_pred.mask = mask end
    return loss(y_true, y_pred, weights)
  end
end

function run.loss(case, given)
  local results, y_true, y_pred = {}, given.y_true, given.y_pred
  local function both(name, values, t, p, weights)
    results[name] = cdl.jit(values)(t, p, weights)
    results[name .. ", eager"] = values(t, p, weights)
  end
  for _, reduction in ipairs(REDUCTIONS) do
    local values = loss_values(case, reduction)
    for _, form in ipairs(FORMS) do
      local weights = given["weights " .. form]
      if weights or form == "none" then
        both(reduction .. ", weights " .. form, values, y_true, y_pred, weights)
      end
    end
    if given.mask then
      local masked = cdl.jit(function(t, p, mask, weights) return values(t, p, weights, mask) end)
      results[reduction .. ", masked"] = masked(y_true, y_pred, given.mask)
      results[reduction .. ", masked and weighted"] = masked(y_true, y_pred, given.mask, given["weights full"])
      if reduction == "sum_over_batch_size" then
        results["all masked"] = masked(y_true, y_pred, given["no mask"])
      end
    end
  end
  local values = loss_values(case, nil)
  local gradient = cdl.grad(function(p, t, weights) return values(t, p, weights) end)
  results["gradient, weights none"] = gradient(y_pred, y_true)
  if given["weights full"] then
    results["gradient, weights full"] = gradient(y_pred, y_true, given["weights full"])
  end
  if given["corner y_true"] then
    both("corners", loss_values(case, "none"), given["corner y_true"], given["corner y_pred"])
  end
  return results
end

-- ---- metrics ----

function run.metric(case, given)
  local metric, results = case.make(), {}
  local step = cdl.jit(function(y_true, y_pred, weights, mask)
    if mask then y_pred.mask = mask end
    metric:update_state(y_true, y_pred, weights)
    return metric:result()
  end)
  if case.early then results.nothing = metric:result() end
  for i = 1, 2 do
    metric:update_state(given["y_true" .. i], given["y_pred" .. i])
    results["after " .. i] = metric:result()
  end
  metric:reset_state()
  results.reset = metric:result()
  for i = 1, 2 do
    results["weighted after " .. i] = step(given["y_true" .. i], given["y_pred" .. i], given["weights" .. i])
  end
  if case.masked then
    metric:reset_state()
    for i = 1, 2 do
      results.masked = step(given["y_true" .. i], given["y_pred" .. i], given["weights" .. i], given["mask" .. i])
    end
  end
  return results
end

function run.accumulator(case, given)
  local metric, results = case.make(), {}
  for i = 1, 2 do
    metric:update_state(given["values" .. i], given["weights" .. i])
    results["after " .. i] = metric:result()
  end
  return results
end

-- ---- optimizers ----

function run.optimizer(case, given)
  local optimizer, variables, results = case.make(), {}, {}
  for i, value in ipairs(listed(given, "v")) do variables[i] = cdl.Variable(value, { name = "v" .. i }) end
  optimizer:build(variables)
  local step = cdl.jit(function(...) optimizer:apply({ ... }, variables) return cdl.tensor(0) end)
  for number = 1, case.steps do
    if number == 3 then
      for key, value in pairs(case.assign) do optimizer[key] = value end
    end
    local gradients = {}
    for i = 1, #variables do gradients[i] = given[("g%d of step %d"):format(i, number)] end
    step(table.unpack(gradients))
    for i, variable in ipairs(variables) do
      results[("v%d after step %d"):format(i, number)] = variable:value()
    end
  end
  for i, variable in ipairs(case.state and optimizer.variables or {}) do
    results["state " .. i] = variable:value()
  end
  results.iterations = optimizer.iterations
  if case.finalize then
    optimizer:finalize()
    for i, variable in ipairs(variables) do results[("v%d at the end"):format(i)] = variable:value() end
  end
  return results
end

-- ---- whole runs ----

function run.fit(case, given)
  local model = case.make()
  local x, y = listed(given, "x"), listed(given, "y")
  local shapes = {}
  for i, part in ipairs(x) do shapes[i] = part.shape end
  if not model.built then model:build(single(shapes)) end
  model:set_weights(listed(given, "weight"))
  model:compile(case.compile())
  local options = case.fit
  options.sample_weight = given.sample_weight
  if case.validation then
    options.validation_data = { single(listed(given, "validation x")), single(listed(given, "validation y")) }
  end
  local history = model:fit(single(x), single(y), options)
  local results = {}
  for key, values in pairs(history.history) do results["history " .. key] = cdl.tensor(values) end
  results.epochs = cdl.tensor(history.epoch)
  number_into(results, "weight ", model:get_weights())
  results.iterations = model.optimizer.iterations
  local how = { batch_size = case.batch_size, verbose = 0, sample_weight = given.sample_weight }
  if case.ordered then results.evaluate = cdl.tensor { model:evaluate(single(x), single(y), how) } end
  how.return_dict = true
  for key, value in pairs(model:evaluate(single(x), single(y), how)) do results["evaluate " .. key] = value end
  local predictions = model:predict(single(x), { batch_size = case.batch_size, verbose = 0 })
  number_into(results, "predict ", #y > 1 and predictions or { predictions })
  return results
end

-- ---- networks ----

-- The value of a weight, made from normal numbers as kinds/application.py does.
local function value_of(base, layer, variable)
  if variable.dtype ~= "float32" then return cdl.zeros(variable.shape, variable.dtype) end
  local name, number, size = variable.path:match "[^/]*$", 0, 1
  for _, byte in ipairs { (layer.name .. "/" .. name):byte(1, -1) } do number = (number * 256 + byte) % 601 end
  for _, n in ipairs(variable.shape) do size = size * n end
  local turned, first = base:roll(-97 * number, 1), base.size
  local values = turned:tile { (size + first - 1) // first }[{ { 1, size } }]:reshape(variable.shape)
  if name:find "variance" then return values:abs() * 0.25 + 0.75 end
  if name == "gamma" then return values * 0.1 + 1 end
  local shape = variable.shape
  if #shape > 1 then return values * (1.4 / math.max(1, size // shape[#shape]) ^ 0.5) end
  return values * 0.05
end

function run.application(case, given)
  Layer.reset_names()
  local model, names = case.make(), {}
  for _, layer in ipairs(model.layers) do
    if layer.__name ~= "InputLayer" then names[#names + 1] = layer.name end
    for _, variable in ipairs(layer.weights) do variable:assign(value_of(given.base, layer, variable)) end
  end
  table.sort(names)
  return { output = model:predict(given.images, { verbose = 0 }), parameters = model:count_params(),
    names = core.bytes_tensor(model.name .. "\n" .. table.concat(names, "\n")) }
end

function run.preprocess_input(case, given)
  local function f(x) return case.make()(x, case.arguments) end
  return { output = f(given.images), ["output, traced"] = cdl.jit(f)(given.images) }
end

-- ---- files of arrays ----

local DTYPES = { bool = 0, uint8 = 1, int32 = 2, int64 = 3, float32 = 4, float64 = 5 }
local ARRAY_FILES = {
  npy = { load = function(path) return { arr_0 = cdl.io.load(path) } end,
    save = function(path, arrays) cdl.io.save(path, arrays.arr_0) end },
  npz = { load = cdl.io.loadz, save = cdl.io.savez },
  safetensors = { load = cdl.io.load_safetensors, save = cdl.io.save_safetensors },
}

function run.array_file(case, given)
  local path = folder .. "/file"
  write_file(path, given.file)
  local format, results = ARRAY_FILES[case.format], {}
  local arrays = format.load(path)
  format.save(path, arrays)
  for name, array in pairs(arrays) do
    results[name], results[name .. " dtype"] = array, DTYPES[array.dtype]
  end
  results.file = file_tensor(path)
  return results
end

-- The outputs of a model as a list; of a dict in the order of the names.
local function leaves(outputs)
  if core.is_tensor(outputs) then return { outputs } end
  if #outputs > 0 then return outputs end
  local list = {}
  for _, value in cdl.utils.sorted_pairs(outputs) do list[#list + 1] = value end
  return list
end

local function by_name(list, names)
  local dict = {}
  for i, name in ipairs(names) do dict[name] = list[i] end
  return dict
end

-- Predictions and losses of a model, under names with an end.
local function outcomes(model, case, x, y, results, suffix)
  for i, value in ipairs(leaves(model:predict_on_batch(x))) do
    results[("prediction %d%s"):format(i, suffix)] = value
  end
  if not case.trains then return end
  local losses = {}
  for i = 1, case.steps do losses[i] = (model:train_on_batch(x, y)) end
  results["losses" .. suffix], results["iterations" .. suffix] = cdl.tensor(losses), model.optimizer.iterations
end

function run.saved(case, given)
  local path, results = folder .. "/model.keras", {}
  local x, y = single(listed(given, "x")), single(listed(given, "y"))
  if case.names then x, y = by_name(listed(given, "x"), case.names), by_name(listed(given, "y"), case.label_names) end
  write_file(path, given.file)
  local model = cdl.models.load_model(path)
  model:save(path)
  results.file = file_tensor(path)
  if given.weights then
    local weights = folder .. "/model.weights.h5"
    write_file(weights, given.weights)
    local copy = cdl.models.clone_model(model)
    copy:load_weights(weights)
    for i, value in ipairs(leaves(copy:predict_on_batch(x))) do
      results[("prediction %d, weights"):format(i)] = value
    end
    model:save_weights(weights)
    results.weights = file_tensor(weights)
    write_file(folder .. "/model.h5", given.h5)
    outcomes(cdl.models.load_model(folder .. "/model.h5"), case, x, y, results, ", h5")
  end
  outcomes(model, case, x, y, results, "")
  return results
end

-- ---- all cases ----

-- A function that evaluates a Lua expression with the submodules of cdl as globals.
local function maker(expression)
  local environment = setmetatable({ cdl = cdl }, { __index = function(_, key) return cdl[key] end })
  return assert(load("return " .. expression, "=" .. expression, "t", environment))
end

local all = cdl.io.loadz(folder .. "/given.npz")
local given = {}
for name, array in pairs(all) do
  local number, key = name:match "^(%d+)/(.*)$"
  number = tonumber(number)
  given[number] = given[number] or {}
  given[number][key] = array
end

local results, errors = {}, {}
for number, case in ipairs(dofile(folder .. "/cases.lua")) do
  local ok, values = xpcall(function()
    case.make = maker(case.make)
    if case.compile then case.compile = maker(case.compile) end
    return run[case.kind](case, given[number] or {})
  end, debug.traceback)
  if ok then
    for name, value in pairs(values) do results[("%d/%s"):format(number, name)] = value end
  else
    errors[#errors + 1] = ("%d\t%s"):format(number, tostring(values):gsub("\n", "\\n"))
  end
end
cdl.io.savez(folder .. "/results.npz", results)
cdl.io.write_text(folder .. "/errors.txt", table.concat(errors, "\n") .. "\n")
