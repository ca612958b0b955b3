--- What the cells of recurrent layers share: one step of a sequence.
--
-- A cell is a layer with `call(x, states, training)`, which gives the output of the step and the
-- list of new states; `state_size` is the size of the state, or a list of sizes. The cells here can
-- also go through a whole sequence at once, in one row of the op table.
local activations = require "cdl.activations"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local random = require "cdl.random"
local recurrence = require "cdl.recurrence"

local Cell = Layer:extend "RecurrentCell"

function Cell:init(args)
  self.units, self.output_size = args.units, args.units
  self.dropout, self.recurrent_dropout, self.seed = args.dropout, args.recurrent_dropout, args.seed
  self.activation = activations.get(args.activation)
  self.recurrent_activation = activations.get(args.recurrent_activation)
end

--- The size of the inputs' last axis, which must be known.
function Cell:features(input_shape)
  local features = input_shape[#input_shape]
  if #input_shape ~= 2 or features < 1 then
    core.raise(("layer '%s' wants steps of shape {batch, features} with a known number of features, got {%s}"):format(
      recurrence.place(self), table.concat(input_shape, ", ")))
  end
  return features
end

function Cell:build(input_shape)
  local gates, units = self.gates, self.units
  self.kernel = self:add_argument_weight("kernel", { self:features(input_shape), gates * units })
  self.recurrent_kernel = self:add_argument_weight("recurrent_kernel", { units, gates * units }, "recurrent")
  if self.args.use_bias then self:build_bias() end
end

function Cell:build_bias()
  self.bias = self:add_argument_weight("bias", { self.gates * self.units })
end

-- ---- dropout: one mask for a whole sequence ----

-- A rate of 1 drops nothing, as in Keras.
local function is_rate(rate) return rate > 0 and rate < 1 end

-- Masks of factors 0 and 1 / (1 - rate), shaped like x.
local function draw_masks(self, x, rate, count)
  if not is_rate(rate) then return nil end
  local ones, masks = recurrence.filled(x.shape, 1, x.dtype), {}
  for k = 1, count do masks[k] = random.dropout(ones, rate, x.shape, self.seed) end
  return masks
end

--- How many masks the inputs have: each gate drops on its own as soon as states are dropped, as in
-- Keras.
function Cell:mask_count() return self.recurrent_dropout > 0 and self.gates or 1 end

--- Draws the masks of a sequence from its first step; until `end_sequence` all steps use them.
function Cell:begin_sequence(x, states, training)
  rawset(self, "_masks", nil)
  if not training then return end
  rawset(self, "_masks", {
    inputs = draw_masks(self, x, self.dropout, self:mask_count()),
    states = draw_masks(self, states[1], self.recurrent_dropout, self.gates),
  })
end

function Cell:end_sequence() rawset(self, "_masks", nil) end

--- Whether each gate sees x ("inputs" or "states") through a mask of its own.
function Cell:drops(kind)
  local masks = rawget(self, "_masks")
  return masks and masks[kind] and #masks[kind] > 1
end

--- x as gate number k sees it.
function Cell:dropped(x, kind, k)
  local masks = rawget(self, "_masks")
  masks = masks and masks[kind]
  return masks and x * (masks[k] or masks[1]) or x
end

--- x times the columns of a kernel that belong to gates, a list of products; `bias` may be nil.
function Cell:products(x, kind, kernel, bias, gates)
  local units = self.units
  if not self:drops(kind) then
    x = self:dropped(x, kind, 1)
    local y = bias and ops.dense(x, kernel, bias) or ops.matmul(x, kernel)
    return gates == 1 and { y } or ops.split(y, gates, -1)
  end
  local list = {}
  for k = 1, gates do
    local columns = { {}, { (k - 1) * units + 1, k * units } }
    local y = ops.matmul(self:dropped(x, kind, k), kernel[columns])
    list[k] = bias and y + bias[{ columns[2] }] or y
  end
  return list
end

-- ---- calls ----

--- One step: cell(x, states [, training]) gives the output and the list of new states.
function Cell:__call(x, states, training)
  return recurrence.call_cell(self, x, states, training)
end

-- ---- a whole sequence in one row ----

local row, saving_row = core.row "rnn", core.row "rnn_saving"
local KINDS = { SimpleRNN = 0, GRU = 1, LSTM = 2 }
Cell.row_activations = { linear = 0, relu = 1, tanh = 2, sigmoid = 3 }

--- Whether the row computes what this cell does; a subclass knows more.
function Cell:fits_row() return true end

-- Factors {gates, batch, size} through which each gate sees something of that size.
local function draw_factors(self, x, size, rate)
  local shape = { self.gates, x.shape[1], size }
  local ones = recurrence.filled(shape, 1, x.dtype)
  return is_rate(rate) and random.dropout(ones, rate, shape, self.seed) or ones
end

--- Outputs {batch, steps, units} and the list of last states of a whole sequence; nil where the cell
-- has to go step by step.
function Cell:sequence(x, states, mask, training, reverse)
  if not self:fits_row() then return nil end
  local drops = training and is_rate(self.recurrent_dropout)
  if training and not drops and is_rate(self.dropout) then
    x = random.dropout(x, self.dropout, { x.shape[1], 1, x.shape[3] }, self.seed)
  end
  local bias = self.bias or recurrence.filled(self:bias_shape(), 0, x.dtype)
  local inputs = { x, self.kernel, self.recurrent_kernel, bias, table.unpack(states) }
  inputs[#inputs + 1] = mask
  if drops then
    inputs[#inputs + 1] = draw_factors(self, x, x.shape[3], self.dropout)
    inputs[#inputs + 1] = draw_factors(self, x, self.units, self.recurrent_dropout)
  end
  local run = training and saving_row or row
  local y, h, c = run({ KINDS[self.kind], reverse and 1 or 0,
    self.row_activations[activations.name_of(self.activation)], 0, 0, drops and 1 or 0 }, nil,
    table.unpack(inputs))
  return y, { h, #states > 1 and c or nil }
end

function Cell:bias_shape() return { self.gates * self.units } end

return Cell
