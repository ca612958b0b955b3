--- Steps as plans: one per mode and types of a batch, and the tiny plans of the metrics.
--
-- Metrics are variables that the step's plan updates; their results are a plan of their own, run
-- when somebody reads them.
local autodiff = require "cdl.autodiff"
local core = require "cdl.core"
local Model = require "cdl.model"
local steps = require "cdl.steps"
local trackers = require "cdl.trackers"
local tree = require "cdl.tree"

-- The model's count of steps: the step of its random numbers, saved with it.
local function step_variable(self)
  if not rawget(self, "_steps") then
    rawset(self, "_steps", core.variable(core.tensor({ 0 }, "int64"), self.name .. "/step", false))
  end
  return self._steps
end

--- Steps that were run, for files; nil: none.
function Model:step_count()
  return rawget(self, "_steps") and core.item(core.value(self._steps)) or nil
end

--- Goes on counting steps from a number; what is no count is passed over.
function Model:set_step_count(count)
  if math.type(count) ~= "integer" or count < 0 then return end
  core.assign(step_variable(self), core.tensor({ count }, "int64"))
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
  if graph and #leaves == 1 then return leaves[1] end
  return tree.pack(graph and graph.out_spec.kind == "dict" and graph.out_spec or spec, leaves)
end

-- Calls f(...), during which the model's steps cannot be traced: a loss that fits its own model would
-- never end.
local function alone(self, f, ...)
  if rawget(self, "_is_traced") then
    core.raise(("model '%s': its step is being traced; its own loss, layers and metrics cannot run it")
      :format(self.name))
  end
  rawset(self, "_is_traced", true)
  local results = table.pack(pcall(f, ...))
  rawset(self, "_is_traced", nil)
  if not results[1] then error(results[2], 0) end
  return table.unpack(results, 2, results.n)
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
      path = "", stream = "model" .. self.number }, function() return steps.run(self, mode, x, y, w) end)
  end, specs, trackers.twins(self, mode))
end

--- The plans of the model's steps that are alive: a table with their modes.
function Model:_plans()
  local plans = rawget(self, "_plans_made")
  if not plans then
    plans = setmetatable({}, { __mode = "k" })
    rawset(self, "_plans_made", plans)
  end
  return plans
end

--- The plan of one batch. mode is "train", "test" or "predict"; specs is the flat list of types
-- {dtype =, shape =} of x's leaves, then y's, then sample weights', with their numbers in specs.x,
-- specs.y and specs.w, and the structures of x and y in x_spec and y_spec. The plan's ports are in
-- that order; the outputs of "predict" are the flat predictions. Kept by types.
function Model:_program(mode, specs)
  trackers.start(self)
  self:ensure_model(take(specs, 1, specs.x), specs.x_spec)
  local programs = rawget(self, "_programs")
  if not programs then
    programs = autodiff.new_cache(("model '%s'"):format(self.name))
    rawset(self, "_programs", programs)
  end
  local key = ("%s/%d/%d/%s"):format(mode, specs.x, specs.y, type_keys(specs))
  return programs(key, function()
    local before = #self._trackers.list
    local plan = alone(self, trace_step, self, mode, specs)
    -- Metrics that this very trace has made had no twins yet: trace again with them in place.
    if mode == "test" and #self._trackers.list > before then
      plan = alone(self, trace_step, self, mode, specs)
    end
    self:_plans()[plan] = mode
    if rawget(self, "_profile") then plan:profile_start(self._profile) end
    return plan
  end)
end

-- By model: what a batch of one tensor needs, so that the next one like it finds it at once.
local predictions = setmetatable({}, { __mode = "k" })

--- Remembers the plan of prediction that a batch of one tensor needed.
function Model:_remember_prediction(plan)
  predictions[self] = { plan = plan, programs = self._programs, generation = autodiff.generation(),
    is_one = self._predict_spec.kind == "leaf" }
end

--- {plan =, is_one = whether its output is one tensor}, if it is still right; else nil. Costs next to
-- nothing. self may be anything: what is no model has no plan.
function Model:_known_prediction()
  local known = predictions[self]
  if known and known.programs == self._programs and known.generation == autodiff.generation() then
    return known
  end
end

-- A plan without inputs about a mode's metrics, made by `make` where it is not known yet.
local function trackers_plan(self, mode, what, make)
  trackers.start(self)
  local plans = self._results_plans
  local key = what .. mode
  local known = plans[key]
  if not known then
    local body, names = make(self, mode)
    known = { plan = core.trace(body, {}, trackers.twins(self, mode)), names = names }
    plans[key] = known
  end
  return known
end

local function make_results(self, mode)
  local names, list = {}, trackers.ordered(self, mode)
  for i, tracker in ipairs(list) do names[i] = tracker.name end
  return function()
    local results = {}
    for i, tracker in ipairs(list) do results[i] = tracker.metric:result() end
    return results
  end, names
end

local function make_reset(self)
  return function()
    for _, tracker in ipairs(self._trackers.list) do tracker.metric:reset_state() end
    return {}
  end
end

--- The plan without inputs whose outputs are the metrics' results, and their names: loss, losses of
-- outputs, metrics. Known after the first program of that mode.
function Model:_results(mode)
  local known = trackers_plan(self, mode, "results", make_results)
  return known.plan, known.names
end

--- Sets the metrics of a mode back to their start.
function Model:_reset_metrics(mode)
  trackers_plan(self, mode, "reset", make_reset).plan:run()
end

--- "max", "min" or nil: where a metric's improvement lies (callbacks' mode "auto").
function Model:_metric_direction(name)
  local known = rawget(self, "_trackers")
  local tracker = known and known.by_name[name]
  return tracker and tracker.metric.direction or nil
end

Model.get.metrics_names = function(self)
  if not rawget(self, "_trackers") then return {} end
  local names = {}
  for i, tracker in ipairs(trackers.ordered(self)) do names[i] = tracker.name end
  return names
end
