--- The order of a functional model's layers in Keras, on which the names in its weight files depend:
-- by decreasing depth (the longest way to an output), ties in the order in which a walk from the
-- outputs to the inputs meets them.
local class = require "cdl.class"
local input = require "cdl.input"
local symbol = require "cdl.symbol"
local words = require "cdl.words"

local M = {}

--- The symbols in a call's arguments, in the order in which Keras sees them.
function M.symbols_in(x, list)
  list = list or {}
  if symbol.is(x) then
    list[#list + 1] = x
  elseif words.is_plain(x) then
    for i = 1, x.n or #x do M.symbols_in(x[i], list) end
    for _, key in ipairs(words.sorted_keys(x)) do
      if key ~= "n" then M.symbols_in(x[key], list) end
    end
  end
  return list
end

--- What a record belongs to: its layer, or itself when it is an operation. A model may start at an inner
-- tensor; the layer that made it is not part of it.
function M.owner(record, is_input)
  if record.layer and not (is_input and not class.is(record.layer, input.InputLayer)) then return record.layer end
  return record
end

-- Records in the order in which a walk from the outputs leaves them, and the place at which it first
-- meets their owners.
local function walk(inputs, outputs)
  local is_input, done, list, met, count = {}, {}, {}, {}, 0
  for _, x in ipairs(inputs) do is_input[x] = true end
  local function visit(x)
    local record = x.record
    if done[record] then return end
    done[record] = true
    local owner = M.owner(record, is_input[x])
    if not met[owner] then
      count = count + 1
      met[owner] = count
    end
    if not is_input[x] then
      for _, parent in ipairs(M.symbols_in(record.args)) do visit(parent) end
    end
    list[#list + 1] = { record = record, owner = owner, is_input = is_input[x] }
  end
  for _, x in ipairs(outputs) do visit(x) end
  return list, met
end

--- The layers and operations of a graph {inputs =, outputs =} as Keras lists them.
function M.owners(graph)
  local nodes, met = walk(graph.inputs, graph.outputs)
  local node_depth, depth = {}, {}
  for i = #nodes, 1, -1 do
    local node = nodes[i]
    local here = math.max(node_depth[node.record] or 0, depth[node.owner] or 0)
    depth[node.owner], node_depth[node.record] = here, here
    for _, parent in ipairs(node.is_input and {} or M.symbols_in(node.record.args)) do
      node_depth[parent.record] = math.max(node_depth[parent.record] or 0, here + 1)
    end
  end
  for _, x in ipairs(graph.inputs) do -- an input that nothing reads
    local owner = M.owner(x.record, true)
    if not depth[owner] then depth[owner], met[owner] = 0, -1 end
  end
  local list = {}
  for owner in pairs(depth) do list[#list + 1] = owner end
  table.sort(list, function(a, b)
    if depth[a] ~= depth[b] then return depth[a] > depth[b] end
    return met[a] < met[b]
  end)
  return list
end

return M
