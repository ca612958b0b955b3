--- Windows over time series (Keras's timeseries_dataset_from_array).
local core = require "cdl.core"
local ops = require "cdl.ops"
local random = require "cdl.random"
local signature = require "cdl.signature"

local M = {}

local function check_tensor(name, x)
  if core.is_tensor(x) and x.ndim > 0 then return x end
  return core.raise(("timeseries_windows: %s must be a tensor whose rows are the points in time"):format(name))
end

-- The number of places at which a window can begin.
local function count_places(data, targets, args)
  local rows = args.end_index - args.start_index
  local count = rows - (args.sequence_length - 1) * args.sampling_rate
  if targets then count = math.min(count, #targets - args.start_index) end
  if count < 1 then
    core.raise(("timeseries_windows: %d rows from %d on%s hold no window of %d points, %d rows apart"):format(
      rows, args.start_index, targets and (" (%d targets)"):format(#targets) or "", args.sequence_length,
      args.sampling_rate))
  end
  return count
end

local function check_indices(data, args)
  args.end_index = args.end_index or #data
  if args.start_index >= #data or args.end_index > #data or args.end_index <= args.start_index then
    core.raise(("timeseries_windows: rows %d to %d (start_index, end_index) of data with %d rows"):format(
      args.start_index, args.end_index, #data))
  end
end

-- The windows that begin at places (from 0, int64 {n}): x {n, sequence_length, ...} and y {n, ...}.
local function cut(data, targets, args, places)
  local n, length = #places, args.sequence_length
  local steps = core.arange(0, length, 1, "int64") * args.sampling_rate
  local rows = ops.reshape(places, { n, 1 }) + ops.reshape(steps, { 1, length }) + args.start_index
  return ops.gather(data, rows, 1), targets and ops.gather(targets, places + args.start_index, 1)
end

-- The places of one pass, in its order.
local function places_of_pass(key, count, args)
  local places = core.arange(0, (count + args.sequence_stride - 1) // args.sequence_stride, 1, "int64")
  if args.shuffle then
    local seed = args.seed or random.get_seed()
    places = random.named("permutation", seed, "timeseries_windows/" .. key, { #places }, "int64")
  end
  return places * args.sequence_stride
end

-- A function that gives the next batch, or the next window where batches are not wanted.
local function draw(data, targets, args, places)
  local size, at = args.batch_size or 1, 0
  return function()
    local last = math.min(at + size, #places)
    if last == at then return nil end
    local x, y = cut(data, targets, args, places[{ { at + 1, last } }])
    at = last
    if args.batch_size then return x, y end
    return ops.squeeze(x, 1), y and ops.reshape(y, table.move(y.shape, 2, y.ndim, 1, {}))
  end
end

local function make(data, targets, args)
  local Dataset = require "cdl.data.dataset"
  check_tensor("data", data)
  if targets then check_tensor("targets", targets) end
  check_indices(data, args)
  local count = count_places(data, targets, args)
  local windows = (count + args.sequence_stride - 1) // args.sequence_stride
  local size = args.batch_size or 1
  return Dataset.make {
    open = function(key) return draw(data, targets, args, places_of_pass(key, count, args)) end,
    count = function() return (windows + size - 1) // size end,
  }
end

M.timeseries_windows = signature.fn("timeseries_windows", {
  { "data", "operand", required = true, doc = "{time, ...}: a row for each point in time" },
  { "targets", "operand", doc = "targets[i] belongs to the window that begins at row i; left out: x alone" },
  { "sequence_length", "integer", required = true, min = 1, doc = "points in a window" },
  { "sequence_stride", "integer", 1, min = 1, doc = "rows from the beginning of a window to that of the next" },
  { "sampling_rate", "integer", 1, min = 1, doc = "rows from one point of a window to the next" },
  { "batch_size", "integer", 128, min = 1, null = true, doc = "windows in a batch; cdl.null: no batches" },
  { "shuffle", "boolean", false, doc = "whether the windows of every pass come in an order of their own" },
  { "seed", "integer", doc = "of the order; left out: cdl.random's" },
  { "start_index", "integer", 0, min = 0, doc = "number of rows at the beginning that are not used" },
  { "end_index", "integer", min = 1, doc = "number of the last row that is used; left out: the last one" },
}, "A Dataset of windows over a time series: x {batch, sequence_length, ...} and y {batch, ...}.",
  function(data, targets, length, stride, rate, batch_size, shuffle, seed, start_index, end_index)
    return make(data, targets, { sequence_length = length, sequence_stride = stride, sampling_rate = rate,
      batch_size = batch_size, shuffle = shuffle, seed = seed, start_index = start_index, end_index = end_index })
  end)

return M
