--- fit, evaluate, predict and their one-batch forms: what happens once per call. The loop itself
-- is in C (core.run_loop).
--
-- A model gives: `_program(mode, specs)`, the plan of a step for a batch of such leaves;
-- `_results(mode)`, the plan of the metrics' results and their names; `_reset_metrics(mode)`;
-- and the names of its inputs and outputs. Modes are "train", "test" and "predict".
local core = require "cdl.core"
local arguments = require "cdl.fit_arguments"
local fit_data = require "cdl.fit_data"
local fit_keeper = require "cdl.fit_keeper"
local fit_stream = require "cdl.fit_stream"
local callback_profile = require "cdl.callback_profile"
local profile = require "cdl.profile"
local rewind = require "cdl.rewind"
local verify_probe = require "cdl.verify_probe"
local optimizers_of = require "cdl.optimizers.of_model"
local signature = require "cdl.signature"
local tree = require "cdl.tree"
local Model = require "cdl.model"
local CallbackList = require "cdl.callback_list"
local History = require "cdl.callbacks.history"
local ProgbarLogger = require "cdl.callbacks.progbar_logger"

local M = {}

local DEFAULT_BATCH = 32

-- The number of samples in a batch. Given the number of steps alone, they share the data.
local function batch_rows(data, batch_size, steps)
  local rows = data.rows
  if data.stream then return rows end
  if data.placed then return math.min(data.placed.batch, data.placed.rows) end
  if batch_size then return math.min(batch_size, rows) end
  if steps then return math.max(1, (rows + steps - 1) // steps) end
  return math.min(DEFAULT_BATCH, rows)
end

-- The number of batches in a pass; nil when only the pass will tell.
local function batches_in(data, batch)
  if data.stream then return data.count end
  return data.placed and data.placed.count or (data.rows + batch - 1) // batch
end

local function add_progress(list, verbose)
  if verbose > 0 and not list:has(ProgbarLogger) then list:add(ProgbarLogger()) end
end

-- The flat outputs of a batch, or of all of them, in the model's structure.
local function pack_outputs(model, outputs)
  local spec = rawget(model, "_predict_spec")
  if spec then return tree.pack(spec, outputs) end
  return outputs[1]
end

-- The plan of a mode for batches with such specs.
local function program(model, mode, data, specs)
  specs.x, specs.y, specs.w = data.n_x, data.n_y, data.n_w
  specs.x_spec, specs.y_spec = data.x.spec, data.y and data.y.spec
  return model:_program(mode, specs)
end

-- What every run gives the loop. data: from fit_data.read, whose counts of leaves go with the
-- specs of each batch.
local function new_run(model, kind, data_of)
  return {
    kind = kind, model = model, callbacks = {},
    program = function(mode, specs) return program(model, mode, data_of[mode], specs) end,
    results = function(mode) return model:_results(mode) end,
    reset = function(mode) model:_reset_metrics(mode) end,
    pack = function(outputs) return pack_outputs(model, outputs) end,
  }
end

-- Makes the plan for the first batch, which builds the model: before any callback sees it, and
-- with its errors at the caller's line.
local function build(run, mode, data, batch)
  return run.program(mode, fit_data.batch_specs(data, batch))
end

-- Runs the loop. A failure is raised here: Lua code's own errors as they are, others with the
-- script's line in front.
local function execute(run)
  local outcome, values, finished, where = core.run_loop(run)
  if outcome then return outcome, values end
  if finished then error(values, 0) end
  core.raise(values, where)
end

-- The same with its steps timed. path: of a file for the trace, or true for none. What was found comes
-- last. A run inside one that is timed counts as a part of that.
local function execute_timed(run, path)
  if profile.is_on(run.model) then return execute(run) end
  local start, found = core.clock(), nil
  profile.start(run.model)
  local outcome, values
  do
    local _ <close> = setmetatable({}, { __close = function() found = profile.stop(run.model) end })
    outcome, values = execute(run)
  end
  print(profile.text(found, core.clock() - start))
  if type(path) == "string" then
    local written, problem = core.write_text(path, profile.trace(found))
    if not written then core.warn(("%s: no trace is written: %s"):format(run.kind, problem)) end
  end
  return outcome, values, found
end

local function perform(run, args)
  if args.profile then return execute_timed(run, args.profile) end
  return execute(run)
end

local function part(data, batch, steps)
  if data.stream then return data:part(steps) end
  local placed = data.placed or {}
  return { leaves = data.leaves, batch = batch, steps = steps, drop_remainder = placed.drop_remainder,
    rows = placed.rows, order = placed.order }
end

local function read_validation(args, model, training)
  local given = args.validation_data
  if fit_stream.is_source(given) then
    return training, fit_stream.read("fit: validation_data", model,
      { x = given, batch_size = args.validation_batch_size },
      { key = function() return "validation" end, in_fit = true })
  elseif given ~= nil then
    return training, fit_data.read_validation("fit: validation_data", model, given, training)
  elseif args.validation_split > 0 then
    return fit_data.split("fit", training, args.validation_split)
  end
  return training
end

local function check_not_fitting(model, where)
  if model._fitting then
    core.raise(where .. ": this model is being fitted; a hook may evaluate it, predict with it, or "
      .. "fit another model")
  end
end

-- What the run needs of validation: its part and when it is due.
local function plan_validation(run, args, data, batch_size)
  run.validation_every, run.validation_epochs = arguments.validation_freq(args.validation_freq)
  if not data then return end
  local batch = batch_rows(data, args.validation_batch_size or batch_size, args.validation_steps)
  run.test = part(data, batch, args.validation_steps)
end

local function fit_callbacks(args, verbose, probe)
  local list = CallbackList("fit", args.callbacks)
  local history = list:has(History)
  if not history then
    history = History()
    list:add(history)
  end
  add_progress(list, verbose)
  if probe then args.resume = probe:keep(list) end
  if args.resume then fit_keeper.add(list, args.resume) end
  return list, history
end

-- The data to train on. Passes of a dataset are named by the fit's number and theirs.
local function read_training(run, args, list)
  local model = args.model
  local number = (model._fits or 0) + 1
  local data = fit_stream.read("fit", model, args, {
    first_pass = args.steps_per_epoch and math.max(1, run.place and run.place.pass or 1) or args.initial_epoch,
    class_weight = args.class_weight, in_fit = true,
    key = function(pass) return ("fit/%d/%d"):format(number, pass) end,
  })
  if data.stream then list:guard(model, data.peek, data) end
  return data
end

local function is_of_tensors(data) return data and not data.stream and not data.placed end

--- model:fit(x [, y [, options]]): trains the model; returns its History.
function M.fit(...)
  local args = arguments.fit:read(...)
  local model, data_of = args.model, {}
  check_not_fitting(model, "fit")
  model:need_compiled "fit"
  local changed = model:changed_since_compile()
  if changed then
    core.warn(("fit: %s changed in model '%s' since it was compiled; call compile again for "
      .. "that to take effect"):format(changed, model.name))
  end
  local verbose, shuffle = arguments.verbose("fit", args.verbose), arguments.shuffle(args.shuffle)
  local run = new_run(model, "fit", data_of)
  local probe <close> = verify_probe.begin()
  local list, history = fit_callbacks(args, verbose, probe)
  local keeper = list:keeper()
  if keeper then fit_keeper.open(keeper, list, args, run) end
  local all = read_training(run, args, list)
  local training, validation = read_validation(args, model, all)
  if args.class_weight ~= nil and is_of_tensors(training) then
    training = fit_data.weigh_classes("fit", training, args.class_weight)
  end
  data_of.train, data_of.test = training, validation

  local batch = batch_rows(training, args.batch_size, args.steps_per_epoch)
  run.first_epoch, run.last_epoch = args.initial_epoch, args.epochs
  run.train = part(training, batch, args.steps_per_epoch)
  run.train.shuffle, run.train.seed = is_of_tensors(training) and shuffle or nil, fit_data.seed()
  plan_validation(run, args, validation, args.batch_size)
  local has_state = fit_keeper.parts_with_state(run)
  if keeper then fit_keeper.go_on_with_data(keeper, run, data_of, has_state) end
  run.callbacks, run.profile = list, args.profile_callbacks
  run.finish = function()
    for _, entry in ipairs(optimizers_of(model)) do entry.optimizer:finalize() end
  end
  build(run, "train", training, batch)

  list:guard(model, list.start, list, model, {
    epochs = args.epochs, verbose = verbose,
    steps = args.steps_per_epoch or batches_in(training, batch),
  }, is_of_tensors(validation) and fit_data.structure(validation) or nil)
  training.params = list.params
  rewind.start(model, args.keep_epochs, list, has_state, training.noun == "generator")
  if args.keep_epochs ~= 0 then run.keep = function(epoch) rewind.keep(model, epoch) end end
  model._fits = (model._fits or 0) + 1
  run.train.fit = model._fits
  model._fitting, model.callbacks = true, list
  local _ <close> = setmetatable({}, { __close = function()
    model._fitting, model.callbacks = nil, nil
  end })
  local has_ended = keeper and keeper:start(fit_keeper.identify(run, args, data_of)) or false
  if has_ended then
    history.stop_reason = "completed"
  else
    history.steps = select(3, perform(run, args))
  end
  if type(run.profile) == "table" then
    history.profile = callback_profile.name(run.profile, list)
    callback_profile.print(history.profile)
  end
  if probe then probe:finish(model, list, history, has_ended) end
  return history
end

-- The data of evaluate or predict.
local function read_evaluation(where, args, only_x)
  local data = fit_stream.read(where, args.model, args, { first_pass = 1, only_x = only_x,
    key = function() return where end })
  if data.stream then data:peek() end
  return data
end

local function start_evaluation(run, where, args, data, batch)
  local verbose = arguments.verbose(where, args.verbose)
  local list = CallbackList(where, args.callbacks)
  add_progress(list, verbose)
  run.callbacks = list
  list:guard(args.model, list.start, list, args.model, {
    epochs = 1, verbose = verbose, steps = args.steps or batches_in(data, batch),
  })
  data.params = list.params
end

local function by_name(values, names)
  local dict = {}
  for i, name in ipairs(names) do dict[name] = values[i] end
  return dict
end

local function give_values(model, mode, values, return_dict)
  if not return_dict then return table.unpack(values) end
  local _, names = model:_results(mode)
  return by_name(values, names)
end

--- model:evaluate(x [, y [, options]]): the loss and the metrics, as several values.
function M.evaluate(...)
  local args = arguments.evaluate:read(...)
  local model = args.model
  model:need_compiled "evaluate"
  local data = read_evaluation("evaluate", args, false)
  local run = new_run(model, "evaluate", { test = data })
  local batch = batch_rows(data, args.batch_size, args.steps)
  run.test = part(data, batch, args.steps)
  build(run, "test", data, batch)
  start_evaluation(run, "evaluate", args, data, batch)
  local _, values = perform(run, args)
  return give_values(model, "test", values, args.return_dict)
end

--- model:predict(x [, options]): the outputs for all samples, in the model's structure.
function M.predict(...)
  local args = arguments.predict:read(...)
  local model = args.model
  local data = read_evaluation("predict", args, true)
  local run = new_run(model, "predict", { predict = data })
  local batch = batch_rows(data, args.batch_size, args.steps)
  run.predict = part(data, batch, args.steps)
  build(run, "predict", data, batch)
  start_evaluation(run, "predict", args, data, batch)
  local _, values = perform(run, args)
  return pack_outputs(model, values)
end

-- The plan of a mode for all of the data as one batch.
local function whole_program(model, mode, data)
  return program(model, mode, data, fit_data.batch_specs(data, data.rows))
end

-- One batch, without hooks: the values of that batch alone.
local function step(model, mode, data)
  local plan = whole_program(model, mode, data)
  model:_reset_metrics(mode)
  plan:run(table.unpack(data.leaves))
  return (model:_results(mode)):values()
end

--- model:train_on_batch(x [, y [, options]]): one step; returns the values of that batch alone.
function M.train_on_batch(...)
  local args = arguments.train_on_batch:read(...)
  args.model:need_compiled "train_on_batch"
  local data = fit_data.read("train_on_batch", args.model, args.x, args.y, args.sample_weight)
  if args.class_weight ~= nil then
    data = fit_data.weigh_classes("train_on_batch", data, args.class_weight)
  end
  return give_values(args.model, "train", step(args.model, "train", data), args.return_dict)
end

--- model:test_on_batch(x [, y [, options]]): the values of that batch alone.
function M.test_on_batch(...)
  local args = arguments.test_on_batch:read(...)
  args.model:need_compiled "test_on_batch"
  local data = fit_data.read("test_on_batch", args.model, args.x, args.y, args.sample_weight)
  return give_values(args.model, "test", step(args.model, "test", data), args.return_dict)
end

local function predict_batch(...)
  local args = arguments.predict_on_batch:read(...)
  local model, data = args.model, fit_data.read("predict_on_batch", args.model, args.x)
  local plan = whole_program(model, "predict", data)
  if #data.leaves == 1 then model:_remember_prediction(plan) end
  return pack_outputs(model, { plan:run(table.unpack(data.leaves)) })
end

--- model:predict_on_batch(x): the outputs for one batch. A batch like the last one goes straight to its
-- plan.
function M.predict_on_batch(model, x, ...)
  local known = select("#", ...) == 0 and Model._known_prediction(model)
  if not known then return predict_batch(model, x, ...) end
  if not known.is_one then
    local outputs = { known.plan:try(x) }
    return #outputs > 0 and pack_outputs(model, outputs) or predict_batch(model, x)
  end
  return known.plan:try(x) or predict_batch(model, x)
end

for _, name in ipairs { "fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch" } do
  signature.register(M[name], arguments[name])
end

-- The older spellings are the same calls.
M.fit_generator, M.evaluate_generator, M.predict_generator = M.fit, M.evaluate, M.predict

local methods = { "fit", "evaluate", "predict", "train_on_batch", "test_on_batch",
  "predict_on_batch", "fit_generator", "evaluate_generator", "predict_generator" }

--- Gives a class of models these methods.
function M.install(Class)
  Class.rewind = rewind.rewind
  for _, name in ipairs(methods) do Class[name] = M[name] end
end

M.is_option = arguments.is_option

return M
