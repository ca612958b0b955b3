--- Where a model's variables stand in Keras's weight files: "/layers/dense_1/vars/0".
--
-- An object's own variables are 0, 1, ... in the group "vars" of its path: the trainable ones, then the
-- others. Below it come the objects in its fields, each under the field's name; in a list under the
-- field's name and the object's class in snake case, numbered from the second on. An object stands where
-- it is met first.
local class = require "cdl.class"
local functional = require "cdl.saving.functional"
local Layer = require "cdl.layer"
local Model = require "cdl.model"
local Optimizer = require "cdl.optimizers.optimizer"
local order = require "cdl.graph_order"
local Sequential = require "cdl.sequential"
local words = require "cdl.words"

local M = {}

local function class_name(object)
  return class.of(object) == Model and functional.is_functional(object) and "Functional" or class.name_of(object)
end

local function is_kept(x) return class.is(x, Layer) or class.is(x, Optimizer) end

-- Keras's fields where ours have other names: class -> { our name = theirs }.
local FIELDS = {
  MultiHeadAttention = { gate_dense = "_gate_dense" },
  GroupedQueryAttention = { gate_dense = "_gate_dense", key_dense = "_key_dense", output_dense = "_output_dense",
    query_dense = "_query_dense", value_dense = "_value_dense" },
}

-- The fields of an object that hold objects or lists of them, as Keras goes through them: sorted, names
-- with an underscore last.
local function fields_of(object)
  local renamed, list = FIELDS[class.name_of(object)] or {}, {}
  for _, key in ipairs(object._attributes or {}) do
    local value = rawget(object, key)
    if key ~= "args" and key:sub(1, 1) ~= "_" and type(value) == "table" then
      list[#list + 1] = { name = renamed[key] or key, value = value }
    end
  end
  if class.is(object, Model) then
    list[#list + 1] = { name = "layers", value = object:sublayers() }
    if rawget(object, "optimizer") then list[#list + 1] = { name = "optimizer", value = object.optimizer } end
  end
  table.sort(list, function(a, b)
    local low_a, low_b = a.name:sub(1, 1) == "_", b.name:sub(1, 1) == "_"
    if low_a ~= low_b then return low_b end
    return a.name < b.name
  end)
  return list
end

-- A Sequential's layers; a functional model's, with its inputs, in Keras's order.
local function layers_of(model)
  if class.is(model, Sequential) then return model._layers end
  local list = {}
  for _, owner in ipairs(order.owners(model._graph)) do
    if class.is(owner, Layer) then list[#list + 1] = owner end
  end
  return list
end

local function own_variables(layer)
  local list = {}
  for _, trainable in ipairs { true, false } do
    for _, weight in ipairs(layer._weights) do
      if weight.variable.trainable == trainable then list[#list + 1] = weight.variable end
    end
  end
  return list
end

local visit

local function visit_list(list, path, found, seen)
  if seen[list] then return end
  seen[list] = true
  local count = {}
  local function one(entry)
    if not (is_kept(entry) or words.is_plain(entry)) then return end
    local name = words.is_plain(entry) and "container" or Layer.snake_case(class_name(entry))
    local n = count[name] or 0
    count[name] = n + 1
    if n > 0 then name = ("%s_%d"):format(name, n) end
    if words.is_plain(entry) then
      visit_list(entry, path .. "/" .. name, found, seen)
    else
      visit(entry, path .. "/" .. name, found, seen)
    end
  end
  for _, entry in ipairs(list) do one(entry) end
  for _, key in ipairs(words.sorted_keys(list)) do one(list[key]) end
end

function visit(object, path, found, seen)
  if seen[object] then return end
  seen[object] = true
  if class.is(object, Optimizer) then
    found[#found + 1] = { path = path, object = object }
    return
  end
  local variables = own_variables(object)
  found[#found + 1] = { path = path, object = object, variables = variables }
  local is_graph = functional.is_functional(object) or class.is(object, Sequential)
  if is_graph then visit_list(layers_of(object), path .. "/layers", found, seen) end
  for _, field in ipairs(fields_of(object)) do
    local at = path .. "/" .. field.name
    if is_kept(field.value) then
      visit(field.value, at, found, seen)
    elseif words.is_plain(field.value) and not (is_graph and field.name == "layers") then
      visit_list(field.value, at, found, seen)
    end
  end
end

--- A list of { path =, object =, variables = } of everything in a model, in Keras's order; an optimizer
-- comes without its variables.
function M.places(model)
  local found = {}
  visit(model, "", found, {})
  return found
end

return M
