--- Bidirectional: a recurrent layer through the sequence in both directions.
local class = require "cdl.class"
local core = require "cdl.core"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local recurrence = require "cdl.recurrence"
local words = require "cdl.words"

local Bidirectional = Layer:extend "Bidirectional"
Bidirectional.doc = "A recurrent layer through {batch, steps, features} in both directions: two layers made like the "
  .. "given one, with weights of their own. Outputs are merged; with return_sequences step by step. Initial states: "
  .. "those of the forward layer, then those of the backward one; last states likewise."
Bidirectional.signature = {
  { "layer", "any", required = true, doc = "a recurrent layer (LSTM, GRU, ...): both directions are made like it" },
  { "merge_mode", { "concat", "sum", "mul", "ave" }, "concat", null = true,
    doc = "concat: along the last axis; cdl.null: two outputs" },
  { "weights", "any", doc = "first values of the weights, a list: forward, then backward" },
  { "backward_layer", "any", doc = "another layer for the way back, with go_backwards" },
}
Bidirectional.call_options = {
  { "initial_state", "any", doc = "the states that the sequence starts with, a list: forward, then backward" },
}

-- What both directions must have, and agree on.
local SHARED = { "return_sequences", "return_state", "stateful" }

local function check_layer(name, x)
  if not class.is(x, Layer) or x.go_backwards == nil or x.return_sequences == nil then
    core.raise(("Bidirectional: %s must be a recurrent layer, got %s"):format(name,
      class.is(x, Layer) and ("layer '%s' (%s)"):format(x.name, class.name_of(x)) or words.describe(x)))
  end
end

-- A layer like the given one, without its weights; `changes` to its arguments. Cells are made anew.
local function made_like(layer, changes)
  local config = layer:get_config()
  for key, value in pairs(config) do
    if class.is(value, Layer) then
      config[key] = made_like(value)
    elseif words.is_plain(value) and class.is(value[1], Layer) then
      config[key] = {}
      for i, inner in ipairs(value) do config[key][i] = made_like(inner) end
    end
  end
  for key, value in pairs(changes or {}) do config[key] = value end
  return class.of(layer):from_config(config)
end

function Bidirectional:init(args)
  check_layer("layer", args.layer)
  self.merge_mode = args.merge_mode
  local name = args.layer.name
  self.forward_layer = made_like(args.layer, { name = "forward_" .. (name:gsub("^forward_", "")) })
  if args.backward_layer then
    check_layer("backward_layer", args.backward_layer)
    self.backward_layer = args.backward_layer
  else
    self.backward_layer = made_like(args.layer, { name = "backward_" .. (name:gsub("^backward_", "")),
      go_backwards = true })
  end
  local forward, backward = self.forward_layer, self.backward_layer
  if forward.go_backwards == backward.go_backwards then
    core.raise(("Bidirectional: one of the two layers must have go_backwards, %s"):format(
      forward.go_backwards and "both have it" or "backward_layer has not"))
  end
  for _, key in ipairs(SHARED) do
    if forward[key] ~= backward[key] then
      core.raise(("Bidirectional: %s is %s in layer and %s in backward_layer"):format(key, tostring(forward[key]),
        tostring(backward[key])))
    end
    self[key] = forward[key]
  end
  for _, direction in ipairs { "forward", "backward" } do
    local layer = self[direction .. "_layer"]
    rawset(layer, "_stream", direction)
    -- A masked step of a merged sequence is 0 in both parts.
    layer.zero_output_for_mask = self.return_sequences
  end
end

function Bidirectional:build(input_shape)
  recurrence.build_cell(self.forward_layer, input_shape)
  recurrence.build_cell(self.backward_layer, input_shape)
  local first = self.args.weights
  if first then self:set_weights(first) end
end

--- Sets the states of stateful layers back to zeros.
function Bidirectional:reset_states()
  self.forward_layer:reset_states()
  self.backward_layer:reset_states()
end
Bidirectional.reset_state = Bidirectional.reset_states

-- The halves of a list of initial states; nil, nil where there are none.
local function halves(self, states)
  if not states then return nil, nil end
  states = recurrence.flatten(states)
  if #states % 2 ~= 0 then
    core.raise(("layer '%s': initial_state gives %d states; wanted as many for each direction"):format(self.name,
      #states))
  end
  local half = #states // 2
  return table.move(states, 1, half, 1, {}), table.move(states, half + 1, #states, 1, {})
end

local merges = {
  concat = function(a, b) return ops.concat({ a, b }, -1) end,
  sum = function(a, b) return a + b end,
  mul = function(a, b) return a * b end,
  ave = function(a, b) return (a + b) * 0.5 end,
}

function Bidirectional:call(x, training, mask, options)
  local given = options and options.initial_state
  if words.is_plain(x) then
    if #x > 1 then given = { table.unpack(x, 2) } end
    x = x[1]
  end
  if words.is_plain(mask) then mask = mask[1] or nil end
  local before, behind = halves(self, given)
  local forward = { self.forward_layer(x, { training = training, mask = mask, initial_state = before }) }
  local backward = { self.backward_layer(x, { training = training, mask = mask, initial_state = behind }) }
  local y, back = forward[1], backward[1]
  if self.return_sequences then back = ops.flip(back, 2) end
  local results = self.merge_mode and { merges[self.merge_mode](y, back) } or { y, back }
  table.move(forward, 2, #forward, #results + 1, results)
  table.move(backward, 2, #backward, #results + 1, results)
  return table.unpack(results)
end

--- All outputs keep the mask of their steps; the last one has none.
function Bidirectional:compute_mask(_, mask)
  if words.is_plain(mask) then mask = mask[1] or nil end
  if not (mask and self.return_sequences) then return nil end
  return self.merge_mode and mask or { mask, mask }
end

return Bidirectional
