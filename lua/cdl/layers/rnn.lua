--- RNN: a cell that goes through a sequence.
local class = require "cdl.class"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local recurrence = require "cdl.recurrence"
local rows = require "cdl.layers.recurrent_rows"
local scope = require "cdl.scope"
local words = require "cdl.words"

local RNN = Layer:extend "RNN"
RNN.doc = "Goes through {batch, steps, features} with a cell: a layer with call(x, states, training), which gives the "
  .. "output of a step and the list of new states, and state_size, a size or a list of sizes. A list of cells is "
  .. "stacked. Called as rnn(x), rnn(x, h, c), rnn{x, h, c} or rnn(x, {initial_state = {h, c}})."
RNN.signature = rows.join({ "cell", "any", required = true, doc = "a cell, or a list of cells" }, rows.sequence,
  rows.zero_output)
RNN.call_options = {
  { "initial_state", "any", doc = "the states that the sequence starts with: a tensor or a list" },
}

function RNN:init(args)
  local cell = args.cell
  if words.is_plain(cell) then cell = require "cdl.layers.stacked_rnn_cells" (cell) end
  recurrence.check_cell(class.name_of(self), cell)
  self:set_cell(cell, args)
end

--- Takes over the cell and the arguments that all recurrent layers have.
function RNN:set_cell(cell, args)
  self.cell, self.state_size = cell, cell.state_size
  self.return_sequences, self.return_state = args.return_sequences, args.return_state
  self.go_backwards, self.stateful, self.unroll = args.go_backwards, args.stateful, args.unroll
  self.zero_output_for_mask = args.zero_output_for_mask
end

local braces = words.braces

function RNN:build(input_shape)
  local shape = words.is_plain(input_shape[1]) and input_shape[1] or input_shape
  if #shape < 3 then
    core.raise(("layer '%s' wants sequences of shape {batch, steps, features}, got %s"):format(recurrence.place(self),
      braces(shape)))
  end
  recurrence.build_cell(self.cell, table.move(shape, 3, #shape, 2, { shape[1] }))
  if self.stateful then self:make_states(shape[1]) end
end

-- ---- states ----

-- Variables that are no weights: neither saved nor trained.
function RNN:make_states(batch)
  if batch < 1 then
    core.raise(("layer '%s' is stateful and wants a fixed batch size: Input{batch_size = 32, shape = {...}}"):format(
      recurrence.place(self)))
  end
  local states, path = {}, scope.current().path
  for i, zeros in ipairs(recurrence.initial_states(self.cell, batch, self.dtype)) do
    states[i] = core.variable(zeros, ("%s/state_%d"):format(path, i), false)
  end
  rawset(self, "_states", states)
end

--- Sets the states of a stateful layer back to zeros.
function RNN:reset_states()
  for _, state in ipairs(rawget(self, "_states") or {}) do core.assign(state, 0) end
end
RNN.reset_state = RNN.reset_states

RNN.get = {
  --- The states of a stateful layer that is built, a list of variables; else nil.
  states = function(self) return rawget(self, "_states") end,
}

-- The states that come first in this call, one list.
local function first_states(self, x, given)
  local batch = x.shape[1]
  local own = rawget(self, "_states")
  if own and own[1].shape[1] ~= batch then
    core.raise(("layer '%s' is stateful and keeps the states of %d sequences, got a batch of %d: give it batches of "
      .. "%d (an epoch must have whole batches)"):format(recurrence.place(self), own[1].shape[1], batch,
      own[1].shape[1]))
  end
  if given == nil and own then
    local states = {}
    for i, state in ipairs(own) do states[i] = core.read(state) end
    return states
  elseif given == nil then
    return recurrence.initial_states(self.cell, batch, x.dtype)
  end
  return recurrence.read_states(self.cell, given, ("layer '%s': initial_state"):format(self.name))
end

-- ---- calls ----

-- x {batch, steps} where the mask is true, else zeros; x of a single step with its mask.
local function zero_masked(x, mask)
  local shape = mask.shape
  for k = #shape + 1, x.ndim do shape[k] = 1 end
  return ops.where(core.reshape(mask, shape), x, recurrence.filled({}, 0, x.dtype))
end

-- The whole sequence in one go, where the cell can do that.
local function run_at_once(self, x, states, mask, training)
  local y, new = self.cell:sequence(x, states, mask, training, self.go_backwards)
  if not y then return nil end
  local last = new[1]
  if mask and self.zero_output_for_mask then
    -- The mask in the order of processing.
    if self.go_backwards then mask = ops.flip(mask, 2) end
    if self.return_sequences then y = zero_masked(y, mask) end
    last = zero_masked(last, mask[{ {}, -1 }])
  end
  return last, y, new
end

function RNN:call(x, training, mask, options)
  local given = options and options.initial_state
  if words.is_plain(x) then
    if #x > 1 then given = { table.unpack(x, 2) } end
    x = x[1]
  end
  if words.is_plain(mask) then mask = mask[1] or nil end
  if x.ndim < 3 then
    core.raise(("layer '%s' wants sequences of shape {batch, steps, features}, got %s"):format(recurrence.place(self),
      braces(x.shape)))
  end
  if x.dtype:sub(1, 5) ~= "float" then x = ops.astype(x, self.dtype) end
  local cell, states = self.cell, first_states(self, x, given)
  local last, all, new = recurrence.inside(cell, function()
    if cell.sequence then
      local at_once, sequence, after = run_at_once(self, x, states, mask, training)
      if at_once then return at_once, sequence, after end
    end
    return recurrence.run(cell, x, states, { mask = mask, training = training, reverse = self.go_backwards,
      sequences = self.return_sequences, zero_output = self.zero_output_for_mask })
  end)
  for i, state in ipairs(rawget(self, "_states") or {}) do core.assign(state, new[i]) end
  local y = self.return_sequences and all or last
  if self.return_state then return y, table.unpack(new) end
  return y
end

--- All outputs keep the mask of their steps; the last one has none.
function RNN:compute_mask(_, mask)
  if words.is_plain(mask) then mask = mask[1] or nil end
  return self.return_sequences and mask or nil
end

return RNN
