--- Compiling a model, and its steps: what one batch of training, evaluation and prediction does.
--
-- A step is a Lua function that is traced once per shapes (`program`); running it is C's work.
-- Metrics are variables that the step updates; their results are a second, tiny plan
-- (`results`), run when somebody reads them. Evaluation has metric variables of its own: in its
-- traces they take the place of training's.
local autodiff = require "cdl.autodiff"
local class = require "cdl.class"
local core = require "cdl.core"
local losses = require "cdl.losses"
local metrics = require "cdl.metrics"
local Model = require "cdl.model"
local ops = require "cdl.ops"
local optimizers = require "cdl.optimizers"
local scopes = require "cdl.scope"
local signature = require "cdl.signature"
local tree = require "cdl.tree"
local words = require "cdl.words"

local compile_signature = signature.new("compile", {
  { "self", "any", required = true },
  { "optimizer", "any", "rmsprop", doc = "a name or an optimizer" },
  { "loss", "any", doc = "a name, a loss, a function (y_true, y_pred), a list or dict by output" },
  { "loss_weights", "any", doc = "a number per output: a list or dict" },
  { "metrics", "any", {}, doc = "names, metrics or functions: a list, or lists or dict by output" },
  { "weighted_metrics", "any", {}, doc = "the same, weighted by sample_weight" },
}, { doc = "Says how the model is trained: optimizer, loss and metrics.", method = true })

-- ---- what compile was given, by output ----

local function is_identifier(x)
  return type(x) == "string" or type(x) == "function" or class.is_class(x) or class.of(x) ~= nil
end

-- A list or dict by output as a list in the order of the outputs; `one` makes it from a single
-- entry that is for every output.
local function by_output(x, names, what)
  local result = {}
  if x == nil then return result end
  if is_identifier(x) or type(x) == "number" then
    for i = 1, #names do result[i] = x end
    return result
  end
  if not words.is_plain(x) then
    core.raise(("compile: %s must be a name, a function, an object, a list or a dict, got %s"):format(what, words.describe(x)))
  end
  local is_dict = type(next(x)) == "string"
  if not is_dict then
    if #x > #names then
      core.raise(("compile: %s has %d entries, the model has %d outputs"):format(what, #x, #names))
    end
    for i = 1, #names do result[i] = x[i] or nil end
    return result
  end
  local place = {}
  for i, name in ipairs(names) do place[name] = i end
  for key, entry in pairs(x) do
    if not place[key] then
      core.raise(("compile: %s names the output '%s', which there is not%s; outputs: %s"):format(what,
        tostring(key), words.suggestion(key, names), table.concat(names, ", ")))
    end
    result[place[key]] = entry
  end
  return result
end

-- Metrics by output: a flat list is for the one output, or for every one.
local function metrics_by_output(x, names, what)
  if is_identifier(x) then
    core.raise(("compile: %s must be a list or dict, got %s; write {%s}"):format(what, words.describe(x),
      words.literal(x)))
  end
  local flat = words.is_plain(x) and (x[1] == nil or is_identifier(x[1])) and type(next(x)) ~= "string"
  if flat then
    local result = {}
    for i = 1, #names do result[i] = x end
    if #names > 1 and #x == #names then
      for i = 1, #names do result[i] = { x[i] } end
    end
    return result
  end
  local result = by_output(x, names, what)
  for i, entry in pairs(result) do
    if is_identifier(entry) then result[i] = { entry } end
  end
  return result
end

-- Raises for names that no loss or metric has, while the user's compile line is to blame.
local function check_names(x, check, depth)
  if type(x) == "string" then check(x) end
  if depth > 0 and words.is_plain(x) then
    for _, entry in pairs(x) do check_names(entry, check, depth - 1) end
  end
end

--- Compiles the model. Named arguments that compile does not know become fields of a model with a
-- train_step of its own (`d_optimizer = ...`).
function Model:compile(...)
  local given = { ... }
  if self.train_step ~= Model.train_step and #given == 1 and words.is_plain(given[1]) then
    local known = {}
    for key, value in pairs(given[1]) do
      if compile_signature.by_name[key] or type(key) ~= "string" then
        known[key] = value
      else
        self[key] = value
      end
    end
    given = { known }
  end
  local args = compile_signature:read(self, table.unpack(given))
  check_names(args.loss, losses.check_name, 1)
  check_names(args.metrics, metrics.check_name, 2)
  check_names(args.weighted_metrics, metrics.check_name, 2)
  local optimizer = optimizers.get(args.optimizer)
  rawset(self, "optimizer", optimizer)
  rawset(self, "_compiled", { loss = args.loss, loss_weights = args.loss_weights, metrics = args.metrics,
    weighted_metrics = args.weighted_metrics })
  rawset(self, "_programs", nil)
  rawset(self, "_trackers", nil)
  rawset(self, "_captured", nil)
  rawset(self, "_steps", nil)
end
signature.register(Model.compile, compile_signature)

--- Raises unless the model can do what `what` ("fit") says.
function Model:need_compiled(what)
  if rawget(self, "_compiled") then return end
  if what == "fit" and self.train_step ~= Model.train_step then
    self:compile {}
    return
  end
  core.raise(("model '%s' is not compiled: call model:compile{optimizer = ..., loss = ...} before %s")
    :format(self.name, what))
end

--- The variables that the optimizer trains: the trainable weights when the model was compiled (or
-- first built after that).
function Model:captured_weights()
  if not rawget(self, "_captured") then
    rawset(self, "_captured", self.trainable_weights)
    self:each_weight(function(weight)
      if weight.constraint then self.optimizer.constraints[weight.variable] = weight.constraint end
    end)
  end
  return self._captured
end

--- True when `trainable` of some layer has changed since compile.
function Model:trainable_changed()
  local captured = rawget(self, "_captured")
  if not captured then return false end
  local now = self.trainable_weights
  if #now ~= #captured then return true end
  for i, variable in ipairs(now) do
    if variable ~= captured[i] then return true end
  end
  return false
end

-- ---- trackers: the metrics of the logs, in order ----

-- A tracker is {name =, metric =, output =, weighted =}; metrics are made at the first trace, when
-- shapes are known ("accuracy" depends on them), outside the trace.
local function new_tracker(self, name, make)
  local trackers = self._trackers
  local metric = core.suspend(make)
  local tracker = { name = name, metric = metric }
  trackers.list[#trackers.list + 1] = tracker
  trackers.by_name[name] = tracker
  rawset(self, "_results_plans", {})
  return tracker
end

local function mean_tracker(self, name)
  local trackers = self._trackers
  return trackers.by_name[name] or new_tracker(self, name, function() return metrics.Mean { name = name } end)
end

local function unique(trackers, name)
  if not trackers.by_name[name] then return name end
  local k = 1
  while trackers.by_name[name .. "_" .. k] do k = k + 1 end
  return name .. "_" .. k
end

-- The metrics of one output, from what compile was given; made once.
local function output_metrics(self, list, prefix, y_true, y_pred, weighted)
  local result = {}
  local labels, predictions = { shape = y_true.shape }, { shape = y_pred.shape }
  for i, identifier in ipairs(list or {}) do
    if identifier ~= signature.null and identifier ~= false then
      local metric, name = core.suspend(metrics.get, identifier, labels, predictions)
      name = prefix .. name
      if weighted and self._trackers.by_name[name] then name = prefix .. "weighted_" .. name:sub(#prefix + 1) end
      name = unique(self._trackers, name)
      result[i] = new_tracker(self, name, function() return metric end)
    end
  end
  return result
end

local function start_trackers(self)
  if not rawget(self, "_trackers") then
    rawset(self, "_trackers", { list = {}, by_name = {} })
    rawset(self, "_results_plans", {})
  end
end

-- ---- losses ----

local function output_names(self, count)
  local names = self.output_names
  if names then return names end
  names = {}
  for i = 1, count do names[i] = count == 1 and "output" or ("output_%d"):format(i) end
  return names
end

local function as_list(x)
  if words.is_plain(x) then
    if #x > 0 then return x end
    local list = {}
    for i, key in ipairs(words.sorted_keys(x)) do list[i] = x[key] end
    return list
  end
  return { x }
end

-- Predictions and labels in the order of the outputs.
local function in_order(self, x)
  local graph = rawget(self, "_graph")
  if graph and words.is_plain(x) and #x == 0 then
    local list = {}
    for i, name in ipairs(graph.output_names) do list[i] = x[name] end
    return list
  end
  return as_list(x)
end

--- Weight penalties of the trainable weights, a list of scalars.
function Model:regularization()
  local list, seen = {}, {}
  self:each_weight(function(weight, frozen)
    if weight.regularizer and not frozen and weight.variable.trainable and not seen[weight.variable] then
      seen[weight.variable] = true
      list[#list + 1] = weight.regularizer(weight.variable)
    end
  end)
  return list
end

--- The total loss of a batch: losses of the outputs by their weights, what layers add, penalties.
-- Call it from an own train_step, too. y and y_pred are structures; y may be nil.
function Model:compute_loss(x, y, y_pred, sample_weight)
  start_trackers(self)
  local compiled, scope = self._compiled, scopes.current()
  local predictions = in_order(self, y_pred)
  local names = output_names(self, #predictions)
  local given = by_output(compiled.loss, names, "loss")
  local weights = by_output(compiled.loss_weights, names, "loss_weights")
  local labels = y ~= nil and in_order(self, y) or {}
  local sample_weights = sample_weight ~= nil and as_list(sample_weight) or {}
  local parts = {}
  for i, prediction in ipairs(predictions) do
    if given[i] ~= nil and given[i] ~= false then
      if labels[i] == nil then
        core.raise(("the loss of output '%s' wants labels, but no y was given for it"):format(names[i]))
      end
      local loss = losses.get(given[i], labels[i], prediction)
      local value = loss(labels[i], prediction, sample_weights[i] or sample_weights[1])
      parts[#parts + 1] = { name = names[i], value = value, weight = weights[i] }
    end
  end
  local total
  local function add(value) total = total and total + value or value end
  for _, part in ipairs(parts) do
    add(part.weight and part.value * part.weight or part.value)
  end
  for _, value in ipairs(scope.losses or {}) do add(value) end
  for _, value in ipairs(self:regularization()) do add(value) end
  if not total then
    core.raise(("model '%s' has no loss: give compile a loss, or call add_loss in a layer"):format(self.name))
  end
  rawset(self, "_loss_parts", #parts > 1 and parts or {})
  return total
end

local function batch_size(x)
  local first = as_list(x)[1]
  return first.shape[1]
end

-- Feeds the loss trackers; the loss of each output too when there are several.
local function track_losses(self, loss, x)
  local rows = batch_size(x)
  mean_tracker(self, "loss").metric:update_state(loss, rows)
  for _, part in ipairs(self._loss_parts or {}) do
    mean_tracker(self, part.name .. "_loss").metric:update_state(part.value, rows)
  end
end

--- Updates the compiled metrics with a batch; call it from an own train_step, too.
function Model:compute_metrics(x, y, y_pred, sample_weight)
  start_trackers(self)
  local compiled = self._compiled
  local predictions = in_order(self, y_pred)
  local names = output_names(self, #predictions)
  local labels = y ~= nil and in_order(self, y) or {}
  local sample_weights = sample_weight ~= nil and as_list(sample_weight) or {}
  local made = self._trackers.outputs
  if not made then
    made = {}
    self._trackers.outputs = made
    local plain = metrics_by_output(compiled.metrics, names, "metrics")
    local weighted = metrics_by_output(compiled.weighted_metrics, names, "weighted_metrics")
    for i, prediction in ipairs(predictions) do
      local prefix = #predictions > 1 and names[i] .. "_" or ""
      if labels[i] ~= nil then
        made[i] = { plain = output_metrics(self, plain[i], prefix, labels[i], prediction, false),
          weighted = output_metrics(self, weighted[i], prefix, labels[i], prediction, true) }
      end
    end
  end
  for i, prediction in ipairs(predictions) do
    if made[i] then
      for _, tracker in ipairs(made[i].plain) do tracker.metric:update_state(labels[i], prediction) end
      for _, tracker in ipairs(made[i].weighted) do
        tracker.metric:update_state(labels[i], prediction, sample_weights[i] or sample_weights[1])
      end
    end
  end
end

-- ---- steps ----

--- One batch of training: forward, loss, gradients, update. Override it for other ways to train; it
-- returns a dict of scalars for the logs (nil: the compiled loss and metrics alone).
function Model:train_step(x, y, sample_weight)
  local y_pred = self(x, true)
  local loss = self:compute_loss(x, y, y_pred, sample_weight)
  local weights = self:captured_weights()
  if #weights > 0 then
    local optimizer = self.optimizer
    local gradients = core.gradients({ optimizer:scale_loss(loss) }, weights, true)
    optimizer:apply(gradients, weights)
  end
  track_losses(self, loss, x)
  self:compute_metrics(x, y, y_pred, sample_weight)
end

--- One batch of evaluation.
function Model:test_step(x, y, sample_weight)
  local y_pred = self(x, false)
  local loss = self:compute_loss(x, y, y_pred, sample_weight)
  track_losses(self, loss, x)
  self:compute_metrics(x, y, y_pred, sample_weight)
end

--- One batch of prediction.
function Model:predict_step(x) return self(x, false) end

-- The logs of an own step: metrics' results stay what they are, other scalars become means.
local function track_results(self, results)
  if results == nil then return end
  if not words.is_plain(results) then
    core.raise(("model '%s': a step returns a dict of scalars for the logs, got %s"):format(self.name, words.describe(results)))
  end
  for _, name in ipairs(words.sorted_keys(results)) do
    local value = results[name]
    local metric = metrics.result_of(value)
    if metric then
      if not self._trackers.by_name[name] then new_tracker(self, name, function() return metric end) end
    else
      if type(value) ~= "number" and not core.is_tensor(value) then
        core.raise(("model '%s': the step's '%s' is %s; wanted a scalar tensor"):format(self.name, name, words.describe(value)))
      end
      mean_tracker(self, name).metric:update_state(value, 1)
    end
  end
end

local function run_step(self, mode, x, y, w)
  start_trackers(self)
  if mode == "predict" then
    local results, spec = tree.flatten(self:predict_step(x), nil, "what predict_step returned")
    rawset(self, "_predict_spec", spec)
    return results
  end
  local step = mode == "train" and self.train_step or self.test_step
  track_results(self, step(self, x, y, w))
  for _, added in ipairs(scopes.current().metrics) do
    mean_tracker(self, added.name).metric:update_state(ops.mean(added.value), batch_size(x))
  end
  return {}
end

-- Pairs {training's variable, evaluation's} of all metrics; made for new metrics as they come.
local function remap(self, mode)
  if mode ~= "test" then return nil end
  local trackers = self._trackers
  trackers.twins = trackers.twins or {}
  local pairs_list = {}
  for _, tracker in ipairs(trackers.list) do
    if not trackers.twins[tracker] then
      local twins = {}
      for i, variable in ipairs(tracker.metric.variables) do
        twins[i] = core.variable(core.value(variable), variable.path .. "/evaluation", false)
      end
      trackers.twins[tracker] = twins
    end
    for i, variable in ipairs(tracker.metric.variables) do
      pairs_list[#pairs_list + 1] = variable
      pairs_list[#pairs_list + 1] = trackers.twins[tracker][i]
    end
  end
  return pairs_list
end

-- The model's count of steps: the step of its random numbers, saved with it.
local function step_variable(self)
  if not rawget(self, "_steps") then
    rawset(self, "_steps", core.variable(core.tensor({ 0 }, "int64"), self.name .. "/step", false))
  end
  return self._steps
end

local function type_keys(specs)
  local keys = {}
  for i, spec in ipairs(specs) do keys[i] = autodiff.type_key(spec) end
  return table.concat(keys, ";")
end

local function take(leaves, first, count) return table.move(leaves, first, first + count - 1, 1, {}) end

local function pack_labels(self, leaves, spec)
  if #leaves == 0 then return nil end
  local graph = rawget(self, "_graph")
  if #leaves == 1 then return leaves[1] end
  return tree.pack(graph and graph.out_spec.kind == "dict" and graph.out_spec or spec, leaves)
end

local function trace_step(self, mode, specs)
  local nx, ny, nw = specs.x, specs.y, specs.w
  return core.trace(function(...)
    local leaves = { ... }
    local x = self:pack_inputs(take(leaves, 1, nx), specs.x_spec)
    local y = pack_labels(self, take(leaves, nx + 1, ny), specs.y_spec)
    local w = nw > 0 and take(leaves, nx + ny + 1, nw) or nil
    if nw == 1 then w = w[1] end
    return autodiff.with_steps(step_variable(self), { training = mode == "train", losses = {}, metrics = {},
      path = "", stream = "model" .. self.number }, function() return run_step(self, mode, x, y, w) end)
  end, specs, remap(self, mode))
end

--- The plan of one batch. mode is "train", "test" or "predict"; specs is the flat list of types
-- {dtype =, shape =} of x's leaves, then y's, then sample weights', with their numbers in specs.x,
-- specs.y and specs.w, and the structures of x and y in x_spec and y_spec. The plan's ports are in
-- that order; the outputs of "predict" are the flat predictions. Kept by types.
function Model:_program(mode, specs)
  start_trackers(self)
  self:ensure_model(take(specs, 1, specs.x), specs.x_spec)
  local programs = rawget(self, "_programs")
  if not programs then
    programs = autodiff.new_cache(("model '%s'"):format(self.name))
    rawset(self, "_programs", programs)
  end
  local key = ("%s/%d/%d/%s"):format(mode, specs.x, specs.y, type_keys(specs))
  return programs(key, function()
    local before = #self._trackers.list
    local plan = trace_step(self, mode, specs)
    -- Metrics that this very trace has made had no twins yet: trace again with them in place.
    if mode == "test" and #self._trackers.list > before then plan = trace_step(self, mode, specs) end
    return plan
  end)
end

local function trackers_plan(self, mode, what, body)
  start_trackers(self)
  local plans = self._results_plans
  local key = what .. mode
  if not plans[key] then plans[key] = core.trace(body, {}, remap(self, mode)) end
  return plans[key]
end

-- Trackers in the order of the logs: loss, losses of outputs, metrics.
local function ordered(self)
  local list, rest = {}, {}
  local trackers = self._trackers
  local function take(name)
    local tracker = trackers.by_name[name]
    if tracker then list[#list + 1] = tracker end
  end
  take "loss"
  for _, part in ipairs(rawget(self, "_loss_parts") or {}) do take(part.name .. "_loss") end
  local taken = {}
  for _, tracker in ipairs(list) do taken[tracker] = true end
  for _, tracker in ipairs(trackers.list) do
    if not taken[tracker] then rest[#rest + 1] = tracker end
  end
  return table.move(rest, 1, #rest, #list + 1, list)
end

--- The plan without inputs whose outputs are the metrics' results, and their names: loss, losses of
-- outputs, metrics. Known after the first program of that mode.
function Model:_results(mode)
  start_trackers(self)
  local names, list = {}, ordered(self)
  for i, tracker in ipairs(list) do names[i] = tracker.name end
  return trackers_plan(self, mode, "results", function()
    local results = {}
    for i, tracker in ipairs(list) do results[i] = tracker.metric:result() end
    return results
  end), names
end

--- Sets the metrics of a mode back to their start.
function Model:_reset_metrics(mode)
  trackers_plan(self, mode, "reset", function()
    for _, tracker in ipairs(self._trackers.list) do tracker.metric:reset_state() end
    return {}
  end):run()
end

--- "max", "min" or nil: where a metric's improvement lies (callbacks' mode "auto").
function Model:_metric_direction(name)
  local trackers = rawget(self, "_trackers")
  local tracker = trackers and trackers.by_name[name]
  return tracker and tracker.metric.direction or nil
end

Model.get.metrics_names = function(self)
  if not rawget(self, "_trackers") then return {} end
  local names = {}
  for i, tracker in ipairs(ordered(self)) do names[i] = tracker.name end
  return names
end

return Model
