--- Functional models as Keras's configs: a list of layers and operations, each with its calls
-- ("inbound nodes"), whose tensors are named [layer, number of the call, number of the output].
local class = require "cdl.class"
local classes = require "cdl.saving.classes"
local config = require "cdl.saving.config"
local core = require "cdl.core"
local json = require "cdl.json"
local Layer = require "cdl.layer"
local Model = require "cdl.model"
local operations = require "cdl.saving.operations"
local order = require "cdl.graph_order"
local rows = require "cdl.saving.rows"
local Sequential = require "cdl.sequential"
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"
local words = require "cdl.words"

local M = {}

local null, fail = signature.null, config.fail

--- Whether a model is made of symbols alone.
function M.is_functional(object)
  return class.is(object, Model) and rawget(object, "_graph") ~= nil and object.call == Model.call
    and not class.is(object, Sequential)
end

local function shape_out(shape)
  local list = json.list()
  for i, n in ipairs(shape) do list[i] = n < 0 and null or n end
  return list
end
M.shape_out = shape_out

-- ---- to a config ----

-- Names of all owners; operations and inner inputs get free ones, as Keras names its operations.
local function name_owners(owners)
  local names, taken = {}, {}
  for _, owner in ipairs(owners) do
    if class.is(owner, Layer) then names[owner], taken[owner.name] = owner.name, true end
  end
  for _, owner in ipairs(owners) do
    if not names[owner] then
      local base = Layer.snake_case(operations.class_name(owner) or "input_layer")
      local name, n = base, 0
      while taken[name] do
        n = n + 1
        name = ("%s_%d"):format(base, n)
      end
      names[owner], taken[name] = name, true
    end
  end
  return names
end

-- For each symbol of the graph its place: { owner, number of the call from 0, number of the output }.
local function place_symbols(graph)
  local places, calls = {}, {}
  for _, x in ipairs(graph.inputs) do
    places[x] = { owner = order.owner(x.record, true), call = 0, output = 0 }
  end
  for _, record in ipairs(graph.records) do
    local owner = order.owner(record)
    local n = calls[owner] or 0
    calls[owner] = n + 1
    for i, x in ipairs(record.outputs) do
      places[x] = places[x] or { owner = owner, call = n, output = i - 1 }
    end
  end
  return places
end

local function tensor_entry(x, names, places)
  local place = places[x]
  return { class_name = "__keras_tensor__", config = { shape = shape_out(x.shape), dtype = x.dtype,
    keras_history = { names[place.owner], place.call, place.output } } }
end

-- A call's argument: symbols become entries, everything else is converted.
local function encode_argument(x, state, place)
  if symbol.is(x) then return tensor_entry(x, state.names, state.places) end
  if words.is_plain(x) then
    local result = (#x > 0 or next(x) == nil) and json.list() or {}
    for key, entry in pairs(x) do result[key] = encode_argument(entry, state, place) end
    return result
  end
  return config.encode(x, state.context, place)
end

-- record.args of a layer's call is (x, training, mask, options).
local function layer_node(record, state)
  local place = ("layer '%s'"):format(record.layer.name)
  local x, training, mask, options = table.unpack(record.args, 1, 4)
  local spread = rows.of(class.name_of(record.layer)).spread and words.is_plain(x) and #x > 0
  local args, kwargs = json.list(), {}
  for i, entry in ipairs(spread and x or { x }) do args[i] = encode_argument(entry, state, place) end
  if training ~= nil then kwargs.training = training end
  if mask ~= nil then kwargs.mask = encode_argument(mask, state, place) end
  for key, value in pairs(options or {}) do kwargs[key] = encode_argument(value, state, place) end
  return { args = args, kwargs = kwargs }
end

local function operation_entry(record, state)
  local place = ("operation '%s' (%s)"):format(record.name or "?", record.where or "")
  local made = operations.encode(record, state.context, place)
  local args, kwargs = json.list(), {}
  for i, entry in ipairs(made.args) do args[i] = encode_argument(entry, state, place) end
  for key, value in pairs(made.kwargs or {}) do kwargs[key] = encode_argument(value, state, place) end
  made.config.name = state.names[record]
  return { module = made.module, class_name = made.class_name, config = made.config,
    registered_name = made.class_name, name = state.names[record],
    inbound_nodes = json.list { { args = args, kwargs = kwargs } } }
end

local function inner_input_entry(record, state)
  local x = record.outputs[1]
  for _, symbol_in in ipairs(state.graph.inputs) do
    if symbol_in.record == record then x = symbol_in end
  end
  return { module = "keras.layers", class_name = "InputLayer", registered_name = null, name = state.names[record],
    config = { name = state.names[record], batch_shape = shape_out(x.shape), dtype = x.dtype, sparse = false },
    inbound_nodes = json.list() }
end

local function owner_entry(owner, state, place)
  if not class.is(owner, Layer) then
    local is_input = state.input_records[owner]
    return is_input and inner_input_entry(owner, state) or operation_entry(owner, state)
  end
  local entry = config.encode_object(owner, state.context, place)
  entry.name, entry.inbound_nodes = owner.name, json.list()
  for _, record in ipairs(state.graph.records) do
    if record.layer == owner then entry.inbound_nodes[#entry.inbound_nodes + 1] = layer_node(record, state) end
  end
  return entry
end

-- The structure of inputs or outputs with a place in each leaf. Keras counts the calls of a nested
-- functional model from 1 there.
local function ends(leaves, spec, state)
  local function leaf(x)
    local at = state.places[x]
    local call = at.call + (M.is_functional(at.owner) and 1 or 0)
    return { state.names[at.owner], call, at.output }
  end
  if spec.kind == "leaf" then return leaf(leaves[1]) end
  local result = spec.kind == "dict" and {} or json.list()
  for i, x in ipairs(leaves) do result[spec.kind == "dict" and spec.names[i] or i] = leaf(x) end
  return result
end

local function encode(model, context, place)
  local graph = model._graph
  if #graph.losses > 0 then
    core.warn(("model '%s': what add_loss added to it is not kept in the file"):format(model.name))
  end
  local owners = order.owners(graph)
  local state = { context = context, graph = graph, names = name_owners(owners), places = place_symbols(graph),
    input_records = {} }
  for _, x in ipairs(graph.inputs) do state.input_records[x.record] = true end
  local layers = json.list()
  for i, owner in ipairs(owners) do layers[i] = owner_entry(owner, state, place) end
  local cls = class.of(model)
  if cls ~= Model and context.live then context.live[class.name_of(cls)] = cls end
  return { module = cls == Model and "keras.src.models.functional" or null,
    class_name = cls == Model and "Functional" or class.name_of(cls),
    registered_name = cls == Model and "Functional" or classes.custom_name(cls),
    config = { name = model.name, trainable = model.trainable, layers = layers,
      input_layers = ends(graph.inputs, graph.in_spec, state),
      output_layers = ends(graph.outputs, graph.out_spec, state) } }
end

-- ---- from a config ----

local DEPTH = 2000 -- calls one behind the other

local Reader = {}
Reader.__index = Reader

function Reader:fail(...) return fail(self.context, self.place, ...) end

-- Entries by name, with the layer of each; operations are made when they are called.
local function read_entries(self, entries)
  if type(entries) ~= "table" or #entries == 0 then self:fail("it has no list of layers") end
  local layers, rows_of = {}, {}
  for i, entry in ipairs(entries) do
    local name = type(entry) == "table" and (entry.name or (type(entry.config) == "table" and entry.config.name))
    if type(name) ~= "string" or type(entry.class_name) ~= "string" then
      self:fail("layer %d of the list has no name or no class", i)
    end
    if self.entries[name] then self:fail("two layers are named '%s'", name) end
    if type(entry.inbound_nodes) ~= "table" then self:fail("layer '%s' has no list of calls", name) end
    local row = { entry = entry, name = name, nodes = entry.inbound_nodes, results = {} }
    self.entries[name], self.list[i] = row, row
    if not operations.is_operation(entry) then layers[#layers + 1], rows_of[#rows_of + 1] = entry, row end
  end
  config.decode_layers(layers, self.context, self.place, function(i, layer)
    local row = rows_of[i]
    row.layer = layer
    if symbol.is(layer) then row.results[0], row.is_input = { layer }, true end
  end)
end

local function check_index(self, value, row)
  if math.type(value) ~= "integer" then self:fail("the calls of layer '%s' are not numbered", row.name) end
  return value
end

--- The symbol that a place [name, call, output] names.
function Reader:tensor(place, depth)
  local row = type(place) == "table" and self.entries[place[1]]
  if not row then
    self:fail("a call takes a tensor of the layer %s, which is not in the list",
      words.literal(type(place) == "table" and place[1] or place))
  end
  local results = self:results(row, check_index(self, place[2], row), depth)
  local x = results[check_index(self, place[3], row) + 1]
  if not x then self:fail("layer '%s' gives no output number %d", row.name, place[3]) end
  return x
end

-- Everything in a call's arguments that is written as an object.
function Reader:argument(value, depth)
  if value == null then return nil end
  if type(value) ~= "table" then return value end
  if value.class_name == "__keras_tensor__" then
    if type(value.config) ~= "table" then self:fail "a tensor has no config" end
    return self:tensor(value.config.keras_history, depth)
  end
  if value.class_name == "__slice__" or value.class_name == "__ellipsis__" then return value end
  if type(value.class_name) == "string" then return config.decode(value, self.context, self.place) end
  local result = {}
  for key, entry in pairs(value) do
    local inner = self:argument(entry, depth)
    result[key] = inner == nil and null or inner
  end
  return result
end

-- The arguments of a call in either form: { args =, kwargs = }, or Keras 2's list of
-- [name, call, output, kwargs], in which the calls of nested models count from 1.
function Reader:node_arguments(node, row, depth)
  if type(node) ~= "table" then self:fail("a call of layer '%s' is no object", row.name) end
  if node.args ~= nil then return self:argument(node.args, depth), self:argument(node.kwargs or {}, depth) end
  local tensors, kwargs = {}, {}
  for i, place in ipairs(node) do
    local from = type(place) == "table" and self.entries[place[1]]
    local call = type(place) == "table" and place[2]
    if from and from.layer and M.is_functional(from.layer) and type(call) == "number" then call = call - 1 end
    tensors[i] = self:tensor({ type(place) == "table" and place[1], call, type(place) == "table" and place[3] }, depth)
    if type(place[4]) == "table" then kwargs = self:argument(place[4], depth) end
  end
  return { #tensors == 1 and tensors[1] or tensors }, kwargs
end

local function has_mask(x)
  for _, one in ipairs(order.symbols_in(x)) do
    if rawget(one, "mask_type") then return true end
  end
  return false
end

local MASKS = { mask = true, query_mask = true, value_mask = true, key_mask = true }

-- Keras writes the masks that it finds by itself among the arguments; ours find theirs. Likewise files
-- may say in every call whether the layer trains by default; for a nested model it means that it is frozen.
local function call_options(layer, x, kwargs)
  local options, any = {}, false
  for key, value in pairs(kwargs) do
    local drop = value == null or (MASKS[key] and has_mask(x))
      or (key == "training" and value == (layer.default_training or false) and not class.is(layer, Model))
    if not drop then options[key], any = value, true end
  end
  return any and options or nil
end

local function call_layer(self, row, args, kwargs)
  local layer = row.layer
  local x = #args == 1 and args[1] or args
  if #args == 0 then -- all by name, as some layers are called
    x = kwargs.inputs or kwargs.sequence or kwargs.x
    kwargs.inputs, kwargs.sequence, kwargs.x = nil, nil, nil
  end
  local options = call_options(layer, x, kwargs)
  local before = #layer._calls
  local ok, message
  if options then
    ok, message = pcall(layer, x, options)
  else
    ok, message = pcall(layer, x)
  end
  if not ok then
    if type(message) ~= "string" then error(message, 0) end
    self:fail("layer '%s': %s", row.name, config.without_place(message))
  end
  if #layer._calls == before then self:fail("a call of layer '%s' takes no tensors", row.name) end
  return layer._calls[#layer._calls].outputs
end

--- The outputs of a call, which is made when it is first asked for. Calls of one layer are made in their
-- order.
function Reader:results(row, call, depth)
  if row.results[call] then return row.results[call] end
  if call < 0 or call >= #row.nodes or row.is_input then
    self:fail("layer '%s' has no call number %d", row.name, call)
  end
  if row.busy and row.busy[call] or depth > DEPTH then self:fail("the calls of layer '%s' form a loop", row.name) end
  row.busy = row.busy or {}
  row.busy[call] = true
  local args, kwargs = self:node_arguments(row.nodes[call + 1], row, depth + 1)
  if row.layer then
    row.results[call] = call_layer(self, row, args, kwargs)
  else
    row.results[call] = { operations.decode(row.entry, args, kwargs, self.context, self.place) }
  end
  return row.results[call]
end

function Reader:ends(value, what)
  if type(value) ~= "table" then self:fail("it has no %s", what) end
  if type(value[1]) == "string" then
    local row = self.entries[value[1]]
    local call = value[2]
    if row and row.layer and M.is_functional(row.layer) and type(call) == "number" then call = call - 1 end
    return self:tensor({ value[1], call, value[3] }, 0)
  end
  local result = {}
  for key, entry in pairs(value) do result[key] = self:ends(entry, what) end
  return result
end

local function is_legacy_list(value)
  return type(value) == "table" and #value == 1 and type(value[1]) == "table" and type(value[1][1]) == "string"
end

local function decode(settings, context, place, envelope, cls)
  local reader = setmetatable({ context = context, place = place, entries = {}, list = {} }, Reader)
  if type(settings) ~= "table" then reader:fail("its config is no object") end
  read_entries(reader, settings.layers)
  -- Every call is part of the model in Keras, also one that no output needs.
  for _, row in ipairs(reader.list) do
    for call = 0, row.layer and not row.is_input and #row.nodes - 1 or -1 do reader:results(row, call, 0) end
  end
  local inputs = reader:ends(settings.input_layers, "input_layers")
  local outputs = reader:ends(settings.output_layers, "output_layers")
  -- Files of Keras 2 and of the first Keras 3 write one tensor as a list of one.
  if not envelope.module or envelope.module == "keras" then
    if is_legacy_list(settings.input_layers) then inputs = inputs[1] end
    if is_legacy_list(settings.output_layers) then outputs = outputs[1] end
  end
  local ok, model = pcall(cls or Model, { inputs = inputs, outputs = outputs, name = settings.name })
  if not ok then reader:fail("%s", config.without_place(model)) end
  if settings.trainable == false then model.trainable = false end
  return model
end

config.add {
  accepts = M.is_functional, encode = encode,
  names = { Functional = true, Model = true }, decode = decode,
  extended = function(cls, settings)
    return class.extends(cls, Model) and cls.call == Model.call and type(settings) == "table"
      and settings.input_layers ~= nil
  end,
}

return M
