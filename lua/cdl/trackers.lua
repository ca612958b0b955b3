--- The metrics of a model's logs, in order: its trackers.
--
-- A tracker is {name =, metric =}; metrics are made at the first trace, when shapes are known
-- ("accuracy" depends on them), outside the trace. Evaluation has variables of its own, which take
-- the place of training's in its traces.
local core = require "cdl.core"
local metrics = require "cdl.metrics"

local M = {}

--- Adds a tracker; make() gives its metric.
function M.new(model, name, make)
  local trackers = model._trackers
  local metric = core.suspend(make)
  local tracker = { name = name, metric = metric }
  trackers.list[#trackers.list + 1] = tracker
  trackers.by_name[name] = tracker
  rawset(model, "_results_plans", {})
  return tracker
end

--- Says that the step that is being traced updates the tracker: only the logs of its mode ("train",
-- "test") then name it. Gives the tracker back.
function M.use(model, tracker)
  local mode = model._trackers.mode
  tracker.modes = tracker.modes or {}
  if mode and not tracker.modes[mode] then
    tracker.modes[mode] = true
    rawset(model, "_results_plans", {})
  end
  return tracker
end

--- The running mean of that name, for an update; made when it is first asked for.
function M.mean(model, name)
  local tracker = model._trackers.by_name[name]
    or M.new(model, name, function() return metrics.Mean { name = name } end)
  return M.use(model, tracker)
end

--- The name, or name_1, name_2 ... when it is taken.
function M.unique(model, name)
  local trackers = model._trackers
  if not trackers.by_name[name] then return name end
  local k = 1
  while trackers.by_name[name .. "_" .. k] do k = k + 1 end
  return name .. "_" .. k
end

--- Begins with none, once after each compile.
function M.start(model)
  if not rawget(model, "_trackers") then
    rawset(model, "_trackers", { list = {}, by_name = {} })
    rawset(model, "_results_plans", {})
  end
end

--- Pairs {training's variable, evaluation's} of all metrics; made for new metrics as they come.
function M.twins(model, mode)
  if mode ~= "test" then return nil end
  local trackers = model._trackers
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

--- Trackers in the order of the logs: loss, losses of outputs, metrics. mode: only those that the
-- steps of that mode update; all when left out.
function M.ordered(model, mode)
  local list, rest = {}, {}
  local trackers = model._trackers
  local function is_used(tracker) return not mode or (tracker.modes and tracker.modes[mode]) end
  local function take(name)
    local tracker = trackers.by_name[name]
    if tracker and is_used(tracker) then list[#list + 1] = tracker end
  end
  take "loss"
  for _, part in ipairs(rawget(model, "_loss_parts") or {}) do take(part.name .. "_loss") end
  local taken = {}
  for _, tracker in ipairs(list) do taken[tracker] = true end
  for _, tracker in ipairs(trackers.list) do
    if not taken[tracker] and is_used(tracker) then rest[#rest + 1] = tracker end
  end
  return table.move(rest, 1, #rest, #list + 1, list)
end

return M
