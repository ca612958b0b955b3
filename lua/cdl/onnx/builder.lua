--- An ONNX model in the making: nodes, constants, names; and the file that becomes of it
-- (github.com/onnx/onnx, onnx.proto; operator set 17).
--
-- A value of the graph is { name =, dtype =, shape = }. Its shape holds integers, and sizes that
-- depend on the inputs (cdl/onnx/sizes.lua). An image may also have a name `first`: the same with its
-- channels behind the batch, as ONNX's convolutions want it.
local core = require "cdl.core"
local ops = require "cdl.ops"
local protobuf = require "cdl.protobuf"

local Builder = {}
Builder.__index = Builder

local OPSET, IR = 17, 8
local TYPES = { float32 = 1, uint8 = 2, int32 = 6, int64 = 7, bool = 9, float64 = 11 }
local BYTES = { float32 = 4, uint8 = 1, int32 = 4, int64 = 8, bool = 1, float64 = 8 }

--- ONNX's number of a dtype.
function Builder.type(dtype) return TYPES[dtype] end

function Builder.new(name)
  return setmetatable({ graph_name = name, nodes = {}, constants = {}, names = {}, known = {}, prefix = "" }, Builder)
end

--- A name that is not used yet.
function Builder:unique(base)
  local count = self.names[base]
  self.names[base] = (count or 0) + 1
  return count and self:unique(("%s_%d"):format(base, count)) or base
end

-- ---- nodes ----

local LISTS = {
  integer = { field = 8, type = 7, write = protobuf.int },
  float = { field = 7, type = 6, write = protobuf.float },
  text = { field = 9, type = 8, write = protobuf.text },
}

local function attribute(name, value)
  local head = protobuf.text(1, name)
  if math.type(value) == "integer" then return head .. protobuf.int(3, value) .. protobuf.int(20, 2) end
  if type(value) == "number" then return head .. protobuf.float(2, value) .. protobuf.int(20, 1) end
  if type(value) == "string" then return head .. protobuf.text(4, value) .. protobuf.int(20, 3) end
  if value.graph then return head .. protobuf.text(6, value.graph) .. protobuf.int(20, 5) end
  local parts, first = {}, value[1]
  local kind = LISTS[math.type(first) or "text"]
  for i, entry in ipairs(value) do parts[i] = kind.write(kind.field, entry) end
  return head .. table.concat(parts) .. protobuf.int(20, kind.type)
end

--- Adds a node; gives the names of its outputs (one, or `count` of them). inputs holds names; "" is an
-- input left out. attributes: integers, floats, texts, lists of one of these, and bodies.
function Builder:node(op, inputs, attributes, count)
  local base = self.prefix .. op
  local parts, outputs = {}, {}
  for _, input in ipairs(inputs) do parts[#parts + 1] = protobuf.text(1, input) end
  for i = 1, count or 1 do
    outputs[i] = self:unique(base)
    parts[#parts + 1] = protobuf.text(2, outputs[i])
  end
  parts[#parts + 1] = protobuf.text(3, outputs[1]) .. protobuf.text(4, op)
  local keys = {}
  for key in pairs(attributes or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do parts[#parts + 1] = protobuf.message(5, attribute(key, attributes[key])) end
  self.nodes[#self.nodes + 1] = protobuf.message(1, table.unpack(parts))
  return table.unpack(outputs)
end

--- Gives a value a name of its own.
function Builder:rename(from, name)
  self.nodes[#self.nodes + 1] = protobuf.message(1, protobuf.text(1, from), protobuf.text(2, name),
    protobuf.text(3, self:unique(name .. "/identity")), protobuf.text(4, "Identity"))
end

-- ---- constants ----

--- The name of a constant with these values.
function Builder:constant(tensor, base)
  local name = self:unique(base or self.prefix .. "constant")
  self.constants[#self.constants + 1] = { name = name, tensor = tensor }
  return name
end

local function shared(self, key, make)
  local name = self.known[key]
  if not name then
    name = self:constant(make(), key)
    self.known[key] = name
  end
  return name
end

--- A vector of integers.
function Builder:ints(list)
  return shared(self, "ints_" .. table.concat(list, "_"), function()
    return #list == 0 and ops.zeros({ 0 }, "int64") or core.tensor(list, "int64")
  end)
end

--- A number without axes.
function Builder:number(dtype, value)
  return shared(self, ("%s_%s"):format(dtype, value), function() return core.tensor(value, dtype) end)
end

-- ---- sizes ----

-- One size as a vector of one element.
function Builder:size(size)
  if math.type(size) == "integer" then return self:ints { size } end
  local sum
  for _, term in ipairs(size.terms) do
    local key = ("size_%d_%d"):format(term.input, term.axis)
    local name = self.known[key]
    if not name then
      name = self:node("Shape", { self.inputs[term.input].name }, { start = term.axis - 1, ["end"] = term.axis })
      self.known[key] = name
    end
    if term.factor ~= 1 then name = self:node("Mul", { name, self:ints { term.factor } }) end
    sum = sum and self:node("Add", { sum, name }) or name
  end
  if size.constant ~= 0 then sum = self:node("Add", { sum, self:ints { size.constant } }) end
  return sum
end

local function all_known(list)
  for _, size in ipairs(list) do
    if math.type(size) ~= "integer" then return false end
  end
  return true
end
Builder.all_known = all_known

--- A vector of sizes, some of which may depend on the inputs.
function Builder:sizes(list)
  if all_known(list) then return self:ints(list) end
  local parts = {}
  for i, size in ipairs(list) do parts[i] = self:size(size) end
  return self:node("Concat", parts, { axis = 0 })
end

local function value_info(field, value)
  local dims = {}
  for i, size in ipairs(value.shape or {}) do
    if math.type(size) == "integer" then
      dims[i] = protobuf.message(1, protobuf.int(1, size))
    else
      dims[i] = protobuf.message(1, size.name and protobuf.text(2, size.name) or "")
    end
  end
  local shape = value.shape and protobuf.message(2, table.unpack(dims)) or ""
  local tensor = protobuf.int(1, TYPES[value.dtype]) .. shape
  return protobuf.message(field, protobuf.text(1, value.name), protobuf.message(2, protobuf.message(1, tensor)))
end

--- The body of a loop, as an attribute: write(names) adds its nodes, given the names of its inputs, and
-- returns those of its outputs. inputs holds dtypes, outputs too. It sees the values outside.
function Builder:body(inputs, outputs, write)
  local outside, names, parts = self.nodes, {}, {}
  self.nodes = {}
  for i in ipairs(inputs) do names[i] = self:unique(self.prefix .. "each") end
  local results = write(names)
  table.move(self.nodes, 1, #self.nodes, 1, parts)
  self.nodes = outside
  parts[#parts + 1] = protobuf.text(2, self:unique(self.prefix .. "body"))
  for i, dtype in ipairs(inputs) do parts[#parts + 1] = value_info(11, { name = names[i], dtype = dtype }) end
  for i, dtype in ipairs(outputs) do parts[#parts + 1] = value_info(12, { name = results[i], dtype = dtype }) end
  return { graph = table.concat(parts) }
end

-- ---- the file ----

--- The parts of the file: texts, and the tensors of the constants; and the number of its bytes.
function Builder:parts(inputs, outputs)
  local head = { table.concat(self.nodes), protobuf.text(2, self.graph_name) }
  local body, bytes = {}, 0
  for _, constant in ipairs(self.constants) do
    local tensor, dims = constant.tensor, {}
    for i, size in ipairs(tensor.shape) do dims[i] = protobuf.int(1, size) end
    local raw = tensor.size * BYTES[tensor.dtype]
    local fields = table.concat(dims) .. protobuf.int(2, TYPES[tensor.dtype]) .. protobuf.text(8, constant.name)
      .. protobuf.head(9, raw)
    body[#body + 1] = protobuf.head(5, #fields + raw) .. fields
    body[#body + 1] = tensor
    bytes = bytes + #body[#body - 1] + raw
  end
  local tail = {}
  for _, input in ipairs(inputs) do tail[#tail + 1] = value_info(11, input) end
  for _, output in ipairs(outputs) do tail[#tail + 1] = value_info(12, output) end
  head, tail = table.concat(head), table.concat(tail)
  bytes = bytes + #head + #tail
  local model = protobuf.int(1, IR) .. protobuf.text(2, "cdl")
    .. protobuf.message(8, protobuf.text(1, ""), protobuf.int(2, OPSET)) .. protobuf.head(7, bytes)
  table.insert(body, 1, model .. head)
  body[#body + 1] = tail
  return body, bytes + #model
end

return Builder
