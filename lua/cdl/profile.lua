--- Where the time of a model's steps goes: fit, evaluate and predict print it with `profile = true`, and
-- history.steps holds it.
local core = require "cdl.core"
local json = require "cdl.json"

local M = {}

-- Steps whose spans on each thread are kept, for the trace.
local KEPT = 20
local ROWS = 30

--- From now on the plans of the model's steps are timed, also those that are still to come. Of the
-- first `keep` runs of each plan the trace has every span.
function M.start(model, keep)
  rawset(model, "_profile", keep or KEPT)
  for plan in pairs(model:_plans()) do plan:profile_start(keep or KEPT) end
end

--- Whether the model's steps are timed now.
function M.is_on(model) return rawget(model, "_profile") ~= nil end

--- Ends that and gives what was found: a list of { mode =, info =, runs =, seconds =, copying =,
-- copied_bytes =, threads =, steps = {{ op =, path =, where =, seconds =, flops =, bytes =, parts = },
-- ...}, spans = {{ run =, thread =, step =, begin =, seconds = }, ...} }, one for each plan that ran.
-- Seconds are of all runs, flops and bytes of one run.
function M.stop(model)
  rawset(model, "_profile", nil)
  local list = {}
  for plan, mode in pairs(model:_plans()) do
    local found = plan:profile()
    plan:profile_stop()
    if found and found.runs > 0 then
      found.mode, found.info = mode, plan:info()
      list[#list + 1] = found
    end
  end
  table.sort(list, function(a, b) return a.seconds > b.seconds end)
  return list
end

-- ---- as text ----

-- The speed at which this machine copies so many bytes: that of the smallest level they fit.
local function copy_limit(limits, bytes)
  for _, level in ipairs(limits.levels) do
    if bytes <= level.bytes then return level.copy end
  end
  return limits.levels[#limits.levels].copy
end

-- "213.4 GFLOP/s  41 %" or "88.1 GB/s    57 %"
local function rate_text(step, seconds, limits)
  if seconds <= 0 then return "" end
  local work, limit, unit = step.flops, limits.flops, "GFLOP/s"
  if work == 0 then work, limit, unit = step.bytes, copy_limit(limits, step.bytes), "GB/s" end
  return ("%8.1f %-7s %4.0f %%"):format(work / seconds / 1e9, unit, 100 * work / seconds / limit)
end

local function row_text(milliseconds, share, rate, name)
  return ("%9.4f %5.1f %%  %-24s  %s"):format(milliseconds, share, rate, name)
end

-- The parts of a step's time, the dearest first.
local function rows_of(found, limits)
  local rows, rest = {}, found.seconds - found.copying
  local function add(seconds, work, name)
    local rate = work and rate_text(work, seconds / found.runs, limits) or ""
    rows[#rows + 1] = { seconds = seconds, rate = rate, name = name, place = #rows }
  end
  for _, step in ipairs(found.steps) do
    rest = rest - step.seconds
    add(step.seconds, step, step.op .. (step.path ~= "" and "  " .. step.path or ""))
  end
  if found.copied_bytes > 0 then
    add(found.copying, { flops = 0, bytes = found.copied_bytes }, "(gathering the batch)")
  end
  add(rest, nil, "(waking threads, waiting for each other)")
  table.sort(rows, function(a, b)
    if a.seconds ~= b.seconds then return a.seconds > b.seconds end
    return a.place < b.place
  end)
  return rows
end

local function sum(rows, first, field)
  local total = 0
  for i = first, #rows do total = total + rows[i][field] end
  return total
end

local function plan_text(found, limits, lines)
  local info, each = found.info, 1000 * found.seconds / found.runs
  local flops = sum(found.steps, 1, "flops")
  lines[#lines + 1] = ("%s: %d steps of %.4f ms with %d threads, %.1f GFLOP/s, %.0f %% of the limit"):format(
    found.mode, found.runs, each, found.threads, flops / each / 1e6,
    100 * flops * found.runs / found.seconds / limits.flops)
  lines[#lines + 1] = ("%d calls of kernels for %d operations, %d in chains, block by block, %d barriers; "
    .. "%.2f MB hold values of %.2f MB (at least %.2f MB)"):format(info.steps, info.nodes, info.chained, info.barriers,
    info.scratch_bytes / 1e6, info.value_bytes / 1e6, info.lower_bound / 1e6)
  lines[#lines + 1] = "ms a step   share       speed and limit     operation, layer"
  local rows = rows_of(found, limits)
  for i = 1, math.min(ROWS, #rows) do
    local row = rows[i]
    lines[#lines + 1] = row_text(1000 * row.seconds / found.runs, 100 * row.seconds / found.seconds, row.rate, row.name)
  end
  if #rows > ROWS then
    local seconds = sum(rows, ROWS + 1, "seconds")
    lines[#lines + 1] = row_text(1000 * seconds / found.runs, 100 * seconds / found.seconds, "",
      ("(%d more)"):format(#rows - ROWS))
  end
end

--- The profile as tables in text. seconds: of the whole run.
function M.text(list, seconds)
  local limits, lines, inside = core.limits(), {}, 0
  for _, found in ipairs(list) do
    inside = inside + found.seconds
    plan_text(found, limits, lines)
  end
  local copies = {}
  for i, level in ipairs(limits.levels) do
    copies[i] = ("%.0f (%.1f MB)"):format(level.copy / 1e9, level.bytes / 1e6)
  end
  lines[#lines + 1] = ("the limits of this machine: %.0f GFLOP/s; copying, in GB/s by what is touched: %s"):format(
    limits.flops / 1e9, table.concat(copies, ", "))
  lines[#lines + 1] = ("%.3f s in all, of which %.3f s (%.1f %%) outside of steps: hooks, logs, tracing"):format(
    seconds, seconds - inside, 100 * (seconds - inside) / seconds)
  return table.concat(lines, "\n")
end

-- ---- as a trace ----

--- The spans as a trace that Chrome (chrome://tracing), Perfetto and TensorBoard show: JSON text.
function M.trace(list)
  local events, first = {}, math.huge
  for _, found in ipairs(list) do
    for _, span in ipairs(found.spans) do first = math.min(first, span.begin) end
  end
  for _, found in ipairs(list) do
    for _, span in ipairs(found.spans) do
      local step = found.steps[span.step]
      events[#events + 1] = { name = step.op, cat = found.mode, ph = "X", pid = 1, tid = span.thread,
        ts = 1e6 * (span.begin - first), dur = 1e6 * span.seconds,
        args = { layer = step.path, line = step.where, step = span.run, flops = step.flops, bytes = step.bytes } }
    end
  end
  return json.encode { traceEvents = events, displayTimeUnit = "ms" }
end

return M
