--- StackedRNNCells: several cells as one.
local core = require "cdl.core"
local Layer = require "cdl.layer"
local recurrence = require "cdl.recurrence"
local words = require "cdl.words"

local StackedRNNCells = Layer:extend "StackedRNNCells"
StackedRNNCells.doc = "Several cells as one: the output of each is the input of the next. States are lists, one for "
  .. "each cell."
StackedRNNCells.signature = { { "cells", "list", required = true, doc = "cells, the first meets the inputs" } }

function StackedRNNCells:init(args)
  if #args.cells == 0 then core.raise "StackedRNNCells: the list of cells is empty" end
  local sizes = {}
  for i, cell in ipairs(args.cells) do
    recurrence.check_cell("StackedRNNCells", cell)
    sizes[i] = words.is_plain(cell.state_size) and cell.state_size or { cell.state_size }
  end
  self.cells = args.cells
  self.state_size = sizes
  self.output_size = args.cells[#args.cells].output_size
end

function StackedRNNCells:build(input_shape)
  local shape = input_shape
  for _, cell in ipairs(self.cells) do
    recurrence.build_cell(cell, shape)
    shape = { shape[1], cell.output_size or recurrence.flatten(cell.state_size)[1] }
  end
end

function StackedRNNCells:get_initial_state(batch)
  local states = {}
  for i, cell in ipairs(self.cells) do states[i] = recurrence.initial_states(cell, batch, self.dtype) end
  return states
end

-- The masks of inner cells are drawn at their first step, when their inputs are known.
function StackedRNNCells:begin_sequence() rawset(self, "_begun", {}) end

function StackedRNNCells:end_sequence()
  for _, cell in ipairs(self.cells) do recurrence.finish(cell) end
  rawset(self, "_begun", nil)
end

local function step(cell, x, states, training, is_first)
  if is_first then recurrence.begin(cell, x, states, training) end
  local y, new = recurrence.step(cell, x, recurrence.flatten(states), training)
  return y, recurrence.nested(cell, new)
end

function StackedRNNCells:call(x, states, training)
  local new, begun = {}, rawget(self, "_begun")
  for i, cell in ipairs(self.cells) do
    x, new[i] = recurrence.inside(cell, step, cell, x, states[i], training, begun and not begun[i])
    if begun then begun[i] = true end
  end
  return x, new
end

--- One step: cell(x, states [, training]) gives the output and the new states, a list for each cell.
function StackedRNNCells:__call(x, states, training)
  return recurrence.call_cell(self, x, states, training)
end

return StackedRNNCells
