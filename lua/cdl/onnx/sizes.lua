--- A model's graph with sizes that depend on its inputs. cdl's graphs know concrete shapes only; so the
-- model is traced several times, with other numbers for the unknown sizes, and what differs depends
-- on them. A size is kept as a sum
--
--     { constant = 0, terms = { { input = 1, axis = 1, factor = 1 } }, name = "batch" }
--
-- or, where it is no such sum, as { opaque = true }: such a size may occur in a shape, but nothing can
-- be computed from it.
local core = require "cdl.core"

local M = {}

-- Numbers for the batch and for other unknown sizes. The others are large enough for most networks
-- and have no divisor in common.
local BATCH, OTHER = { 3, 5, 8 }, { 64, 97, 131 }

-- The unknown sizes of the inputs. The batch is one, whatever the number of inputs; so are sizes of
-- the same axis where `joined`.
local function find_unknowns(types, joined)
  local unknowns, by_axis = {}, {}
  for i, kind in ipairs(types) do
    for axis, size in ipairs(kind.shape) do
      if size < 0 then
        local one = (axis == 1 or joined) and by_axis[axis]
        if not one then
          local name = axis == 1 and "batch" or ("%s_size_%d"):format(kind.name, axis)
          one = { input = i, axis = axis, places = {}, name = name, numbers = axis == 1 and BATCH or OTHER }
          unknowns[#unknowns + 1] = one
          by_axis[axis] = one
        end
        one.places[#one.places + 1] = { i, axis }
      end
    end
  end
  return unknowns
end

local function specs_of(types, unknowns, choose, unfold)
  local specs = { unfold = unfold }
  for i, kind in ipairs(types) do
    specs[i] = { dtype = kind.dtype, shape = table.move(kind.shape, 1, #kind.shape, 1, {}) }
  end
  for j, unknown in ipairs(unknowns) do
    for _, place in ipairs(unknown.places) do specs[place[1]].shape[place[2]] = unknown.numbers[choose(j)] end
  end
  return specs
end

-- The traces: all unknown sizes with their first number, each with its second, all with their third.
local function trace_all(call, types, unknowns, unfold)
  local traces = { core.graph(call, specs_of(types, unknowns, function() return 1 end, unfold)) }
  for one = 1, #unknowns do
    local function choose(j) return j == one and 2 or 1 end
    traces[#traces + 1] = core.graph(call, specs_of(types, unknowns, choose, unfold))
  end
  if #unknowns > 0 then
    traces[#traces + 1] = core.graph(call, specs_of(types, unknowns, function() return 3 end, unfold))
  end
  return traces
end

-- The size that has these values in the traces.
local function size_of(values, unknowns)
  local first, same = values[1], true
  for k = 2, #values do same = same and values[k] == first end
  if same then return first end
  local size, check = { constant = first, terms = {} }, 0
  for j, unknown in ipairs(unknowns) do
    local numbers = unknown.numbers
    local change, by = values[1 + j] - first, numbers[2] - numbers[1]
    if change % by ~= 0 then return { opaque = true } end
    local factor = change // by
    if factor ~= 0 then
      size.terms[#size.terms + 1] = { input = unknown.input, axis = unknown.axis, factor = factor }
      size.constant = size.constant - factor * numbers[1]
      check = check + factor * numbers[3]
      if factor == 1 then size.name = unknown.name end
    end
  end
  if check + size.constant ~= values[#values] then return { opaque = true } end
  if #size.terms ~= 1 or size.constant ~= 0 then size.name = nil end
  return size
end

local function list_of(traces, number, key, unknowns)
  local list = {}
  for k in ipairs(traces[1].nodes[number][key]) do
    local values = {}
    for t, trace in ipairs(traces) do values[t] = trace.nodes[number][key][k] end
    list[k] = size_of(values, unknowns)
  end
  return list
end

local function fail(model, node, text)
  local layer = node and node.path ~= "" and (", layer '" .. node.path .. "'") or ""
  core.raise(("export: model '%s'%s: %s; input_signature gives the inputs fixed sizes"):format(model.name, layer, text),
    node and node.where ~= "" and node.where or nil)
end

local function same_shape(a, b)
  if #a ~= #b then return false end
  for k, n in ipairs(a) do
    if n ~= b[k] then return false end
  end
  return true
end

-- The traces must have the same nodes. Constants whose shape depends on the inputs are to be
-- computed when the model runs: their numbers.
local function compare(model, traces)
  local first, unfold = traces[1], {}
  for t = 2, #traces do
    local other = traces[t]
    if other.count ~= first.count then
      fail(model, nil, "what it computes depends on the sizes of its inputs")
    end
    for number, node in pairs(first.nodes) do
      local twin = other.nodes[number]
      if not twin or twin.op ~= node.op or #twin.inputs ~= #node.inputs then
        fail(model, node, "what it computes depends on the sizes of its inputs")
      end
      if node.value and not same_shape(node.shape, twin.shape) then
        if node.op == "constant" then fail(model, node, "a tensor of the script has the size of the batch") end
        unfold[number] = true
      elseif node.value and not node.variable and node.value.size <= 4096
        and not rawequal(node.value, twin.value) and node.value:ne(twin.value):any():item()
        and not node.value:ne(node.value):any():item() then
        fail(model, node, "a number in it depends on the sizes of its inputs")
      end
    end
  end
  return unfold
end

local function trace_until_stable(model, call, types, unknowns)
  local unfold = {}
  while true do
    local traces = trace_all(call, types, unknowns, unfold)
    local more = compare(model, traces)
    if next(more) == nil then return traces end
    for number in pairs(more) do unfold[number] = true end
  end
end

--- The graph of a function `call` of traced tensors of these types ({name =, dtype =, shape =}, -1 where
-- unknown), as core.graph gives it; shapes and attributes hold sizes.
function M.trace(model, call, types)
  local unknowns = find_unknowns(types, false)
  local ok, traces = pcall(trace_until_stable, model, call, types, unknowns)
  if not ok then
    -- Inputs that are added must have equal sizes.
    local first = traces
    unknowns = find_unknowns(types, true)
    ok, traces = pcall(trace_until_stable, model, call, types, unknowns)
    if not ok then error(first, 0) end
  end
  local graph = traces[1]
  local shapes, attributes = {}, {}
  for number in pairs(graph.nodes) do
    shapes[number] = list_of(traces, number, "shape", unknowns)
    attributes[number] = list_of(traces, number, "i", unknowns)
  end
  for number, node in pairs(graph.nodes) do node.shape, node.i = shapes[number], attributes[number] end
  graph.input_shapes = {}
  for i, kind in ipairs(types) do
    graph.input_shapes[i] = table.move(kind.shape, 1, #kind.shape, 1, {})
  end
  for _, unknown in ipairs(unknowns) do
    for _, place in ipairs(unknown.places) do
      graph.input_shapes[place[1]][place[2]] = { constant = 0, name = unknown.name,
        terms = { { input = unknown.input, axis = unknown.axis, factor = 1 } } }
    end
  end
  return graph
end

return M
