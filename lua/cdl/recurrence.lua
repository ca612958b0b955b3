--- Going through sequences step by step, whatever the cell: states, masks, outputs.
local class = require "cdl.class"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local scope = require "cdl.scope"
local symbol = require "cdl.symbol"
local words = require "cdl.words"

local M = {}

--- One value everywhere; in a trace it takes no memory.
function M.filled(shape, value, dtype)
  if not core.in_trace() then return core.full(shape, value, dtype) end
  return ops.broadcast_to(core.capture(core.tensor(value, dtype)), shape)
end

--- A layer or cell by its path, for messages while it is built or called: what is around it counts.
function M.place(layer)
  local path = scope.current().path
  return path ~= "" and path or layer.name
end

-- ---- states: lists; those of stacked cells are lists of lists ----

--- All states of a structure as one list.
function M.flatten(states)
  if not words.is_plain(states) then return { states } end
  local flat = {}
  for _, entry in ipairs(states) do
    local part = M.flatten(entry)
    table.move(part, 1, #part, #flat + 1, flat)
  end
  return flat
end

local function sizes_of(cell)
  local sizes = cell.state_size
  return words.is_plain(sizes) and sizes or { sizes }
end

local function nest(flat, sizes, at)
  local nested = {}
  for i, size in ipairs(sizes) do
    if words.is_plain(size) then
      nested[i], at = nest(flat, size, at)
    else
      nested[i], at = flat[at], at + 1
    end
  end
  return nested, at
end

--- How many states the cell has.
function M.count_states(cell) return #M.flatten(sizes_of(cell)) end

--- Raises unless x can be the cell of a recurrent layer.
function M.check_cell(who, x)
  if not class.is(x, Layer) or not x.call or x.state_size == nil then
    core.raise(("%s: a cell is a layer with call(x, states, training) and state_size, got %s"):format(who,
      class.is(x, Layer) and x.state_size == nil and ("'%s' without state_size"):format(x.name)
        or words.describe(x)))
  end
  for _, size in ipairs(M.flatten(sizes_of(x))) do
    if math.type(size) ~= "integer" or size < 1 then
      core.raise(("%s: state_size of cell '%s' must be a size or a list of sizes, got %s"):format(who, x.name,
        words.literal(size)))
    end
  end
end

--- Calls f(...) inside the cell: it is a layer of its own in the path.
function M.inside(cell, f, ...)
  return scope.with({ enter = cell.name, enter_stream = cell:stream_name() }, f, ...)
end

--- Builds a cell for steps of this shape.
function M.build_cell(cell, input_shape) M.inside(cell, cell.ensure_built, cell, input_shape) end

--- The states that a sequence starts with if nobody says otherwise, one list.
function M.initial_states(cell, batch, dtype)
  if cell.get_initial_state then return M.flatten((cell:get_initial_state(batch))) end
  local states = {}
  for i, size in ipairs(M.flatten(sizes_of(cell))) do states[i] = M.filled({ batch, size }, 0, dtype) end
  return states
end

-- ---- steps ----

local function plural(count) return count == 1 and "1 state" or ("%d states"):format(count) end

--- The output of one step and the new states, one list.
function M.step(cell, x, states, training)
  local y, new = cell:call(x, M.nested(cell, states), training)
  if y == nil or new == nil then
    core.raise(("cell '%s': call must return the output and the list of new states"):format(cell.name))
  end
  new = M.flatten(new)
  if #new ~= #states then
    core.raise(("cell '%s' has %s, its call returned %d"):format(cell.name, plural(#states), #new))
  end
  return y, new
end

--- Begins a sequence of the cell at its first step, if it wants to know: cells with dropout draw
-- their masks here.
function M.begin(cell, x, states, training)
  if cell.begin_sequence then cell:begin_sequence(x, states, training) end
end

--- Ends it.
function M.finish(cell)
  if cell.end_sequence then cell:end_sequence() end
end

--- The states, one list, in the form that the cell's call has them in.
function M.nested(cell, flat) return (nest(flat, sizes_of(cell), 1)) end

--- The given states of a cell as one list; `what` says in errors who gives them.
function M.read_states(cell, states, what)
  local flat, wanted = M.flatten(states), M.count_states(cell)
  if #flat ~= wanted then
    core.raise(("%s: cell '%s' has %s, got %d"):format(what, cell.name, plural(wanted), #flat))
  end
  for i, state in ipairs(flat) do
    if not (core.is_tensor(state) or core.is_variable(state) or symbol.is(state)) then
      core.raise(("%s: state %d of cell '%s' must be a tensor, got %s"):format(what, i, cell.name,
        words.describe(state)))
    end
  end
  return flat
end

--- A call of a cell alone: the output and the new states as they were given.
function M.call_cell(cell, x, states, training)
  if words.is_plain(x) then x = core.tensor(x) end
  if states == nil or not (core.is_tensor(x) or core.is_variable(x) or symbol.is(x)) then
    core.raise(("layer '%s' is called on a tensor and its states, cell(x, states), got %s and %s"):format(cell.name,
      words.describe(x), words.describe(states)))
  end
  local flat = M.read_states(cell, states, ("layer '%s'"):format(cell.name))
  M.build_cell(cell, x.shape)
  local function run(now, before, flag)
    if flag == nil then flag = scope.current().training or false end
    return M.inside(cell, function()
      M.begin(cell, now, before, flag)
      local y, new = M.step(cell, now, before, flag)
      M.finish(cell)
      return y, table.unpack(new)
    end)
  end
  local results
  if symbol.any(x, flat) then
    results = { symbol.record(run, { name = cell.name }, x, flat, training) }
  else
    results = { run(x, flat, training) }
  end
  return results[1], M.nested(cell, { table.unpack(results, 2) })
end

-- a where the mask {batch, 1} is true, else b.
local function keep(mask, a, b)
  local shape = { a.shape[1] }
  for k = 2, a.ndim do shape[k] = 1 end
  return ops.where(core.reshape(mask, shape), a, b)
end

local function zeros_like(x) return M.filled(x.shape, 0, x.dtype) end

-- Step t of {batch, steps, ...}.
local function step_of(x, t) return x[{ {}, t }] end

--- Goes through x {batch, steps, ...}: the last output, the outputs of all steps (or nil) and the last
-- states. options: mask {batch, steps}, training, reverse, sequences (whether all outputs are
-- wanted), zero_output.
function M.run(cell, x, states, options)
  local steps, mask = x.shape[2], options.mask
  if steps == 0 then
    core.raise(("cell '%s': a sequence without steps, shape {%s}"):format(cell.name, table.concat(x.shape, ", ")))
  end
  -- Where only shapes are wanted all steps are alike.
  local walked = symbol.inferring() and 1 or steps
  local outputs, y = {}, cell.output_is_state and states[1] or nil
  M.begin(cell, step_of(x, 1), states, options.training)
  for i = 1, walked do
    local t = options.reverse and steps + 1 - i or i
    local now, new = M.step(cell, step_of(x, t), states, options.training)
    if mask then
      local kept = step_of(mask, t)
      now = keep(kept, now, (options.zero_output or not y) and zeros_like(now) or y)
      for k, state in ipairs(new) do new[k] = keep(kept, state, states[k]) end
    end
    y, states = now, new
    if options.sequences then outputs[i] = y end
  end
  M.finish(cell)
  if not options.sequences then return y, nil, states end
  if walked == steps then return y, ops.stack(outputs, 2), states end
  local shape = table.move(y.shape, 2, y.ndim, 3, { y.shape[1], steps })
  return y, ops.broadcast_to(ops.expand_dims(y, 2), shape), states
end

return M
