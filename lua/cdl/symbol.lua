--- Symbolic tensors: what `cdl.Input` starts. A symbol is a record of a call - the function, its
-- arguments, the script's line - with a shape in which unknown sizes are -1. It holds no data and
-- never reaches C: a model replays the records with concrete sizes (see `replay`).
--
-- The shape of a result is found by running the function twice under a trace that computes
-- nothing, with two different large primes in place of the unknown sizes: what comes out
-- different is unknown again.
local core = require "cdl.core"
local words = require "cdl.words"

local M = {}

local PRIMES = { 10007, 10039 }

local Symbol = { __tensor = true, __name = "cdl.symbol" }
M.meta = Symbol

local count = 0 -- symbols are numbered; a record's inputs have lower numbers than its outputs

local fields = {
  kind = function() return "symbolic" end,
  -- A list of the caller's own: who changes it does not change the symbol.
  shape = function(self) return table.move(rawget(self, "sizes"), 1, #rawget(self, "sizes"), 1, {}) end,
  ndim = function(self) return #rawget(self, "sizes") end,
  size = function(self)
    local size = 1
    for _, n in ipairs(rawget(self, "sizes")) do
      if n < 0 then return -1 end
      size = size * n
    end
    return size
  end,
  -- A mask travels with the concrete tensors of a replay; read from a symbol it is one more call.
  mask = function(self)
    local kind = rawget(self, "mask_type")
    if not kind then return nil end
    return M.record(function(x) return x.mask end, { name = "mask", types = { kind } }, self)
  end,
}

function Symbol:__index(key)
  if type(key) ~= "string" then return core.hooks.subscript(self, key) end
  local field = fields[key]
  if field then return field(self) end
  return core.methods[key]
end

function Symbol:__newindex()
  core.raise("a symbolic tensor cannot be assigned to")
end

function Symbol:__len()
  if #self.shape == 0 then core.raise("a scalar tensor has no length") end
  return self.shape[1]
end

function Symbol:__tostring()
  local sizes = {}
  for i, n in ipairs(self.shape) do sizes[i] = n < 0 and "?" or tostring(n) end
  local name = rawget(self, "name")
  return ("tensor symbolic%s %s {%s}"):format(name and " '" .. name .. "'" or "", self.dtype,
    table.concat(sizes, ", "))
end

local function refuse_order()
  core.raise("Lua's < <= > >= cannot compare tensors elementwise: use the methods "
    .. "a:lt(b) a:le(b) a:gt(b) a:ge(b)")
end
Symbol.__lt, Symbol.__le = refuse_order, refuse_order

--- True for a symbolic tensor.
function M.is(x) return type(x) == "table" and getmetatable(x) == Symbol end

local function new_symbol(dtype, shape, record, index, mask_type)
  count = count + 1
  return setmetatable({ dtype = dtype, sizes = shape, record = record, index = index,
    mask_type = mask_type, number = count }, Symbol)
end

--- A symbol that starts a graph: {name =, dtype =, shape = with the batch}.
function M.input(name, dtype, shape, layer)
  local record = { where = core.where(), layer = layer, name = name, args = {}, outputs = {} }
  local symbol = new_symbol(dtype, shape, record, 1)
  rawset(symbol, "name", name)
  record.outputs[1] = symbol
  return symbol
end

local function scan(x, depth)
  if M.is(x) then return true end
  if depth > 0 and words.is_plain(x) then
    for _, entry in pairs(x) do
      if scan(entry, depth - 1) then return true end
    end
  end
  return false
end

--- True when any argument is a symbol or a table that holds one.
function M.any(...)
  for i = 1, select("#", ...) do
    if scan((select(i, ...)), 2) then return true end
  end
  return false
end

-- The same arguments with f(symbol) in place of each symbol.
local function substitute(x, f, depth)
  if M.is(x) then return f(x) end
  if depth > 0 and words.is_plain(x) then
    local copy = {}
    for key, entry in pairs(x) do copy[key] = substitute(entry, f, depth - 1) end
    return copy
  end
  return x
end

local function substitute_all(args, f)
  local copy = { n = args.n }
  for i = 1, args.n do copy[i] = substitute(args[i], f, 2) end
  return copy
end

local function collect_symbols(args)
  local list, seen = {}, {}
  substitute_all(args, function(symbol)
    if not seen[symbol] then
      seen[symbol] = true
      list[#list + 1] = symbol
    end
    return symbol
  end)
  return list
end

local function concrete_specs(symbols, prime)
  local specs = {}
  for i, symbol in ipairs(symbols) do
    local shape = {}
    for k, n in ipairs(symbol.shape) do shape[k] = n < 0 and prime or n end
    specs[i] = { dtype = symbol.dtype, shape = shape }
  end
  return specs
end

-- Types of what record.fn(args) returns with that prime, then of the results' masks.
local function infer_once(record, symbols, prime)
  local specs, masked, masks = concrete_specs(symbols, prime), {}, {}
  for _, symbol in ipairs(symbols) do
    if rawget(symbol, "mask_type") then
      masked[#masked + 1] = symbol
      specs[#specs + 1] = concrete_specs({ symbol.mask_type }, prime)[1]
    end
  end
  local returned
  local types = core.infer(function(...)
    local value = {}
    for i, symbol in ipairs(symbols) do value[symbol] = (select(i, ...)) end
    for i, symbol in ipairs(masked) do value[symbol].mask = (select(#symbols + i, ...)) end
    local args = substitute_all(record.args, function(symbol) return value[symbol] end)
    local results = table.pack(record.fn(table.unpack(args, 1, args.n)))
    returned = results.n
    for i = 1, returned do
      local mask = core.is_tensor(results[i]) and results[i].mask
      if mask then
        masks[#masks + 1] = i
        results[returned + #masks] = mask
      end
    end
    results.n = nil
    return results
  end, specs)
  return types, returned, masks
end

local function has_unknown(symbols)
  for _, symbol in ipairs(symbols) do
    for _, n in ipairs(symbol.shape) do
      if n < 0 then return true end
    end
  end
  return false
end

-- An error of a run with primes names sizes that nobody has written: they become "?".
local function hide_primes(message)
  if type(message) ~= "string" then return message end
  return (message:gsub("%d+", function(digits)
    local n = math.tointeger(tonumber(digits))
    for _, prime in ipairs(n and n > 0 and PRIMES or {}) do
      if n == prime then return "?" end
      if n % prime == 0 then return "? * " .. n // prime end
    end
  end))
end

local inferring = false

--- True while a function runs for the shapes of its results alone, with made-up sizes: what repeats
-- itself along such a size may be done once.
function M.inferring() return inferring end

--- Types {dtype =, shape = with -1, mask = type or nil} of what the record's function returns.
function M.infer(record)
  local symbols = collect_symbols(record.args)
  local before, depth = core.set_where(record.where)
  local outer = inferring
  inferring = true
  local ok, types, results, masks = pcall(infer_once, record, symbols, PRIMES[1])
  local other = types
  if ok and has_unknown(symbols) then ok, other = pcall(infer_once, record, symbols, PRIMES[2]) end
  core.set_where(before, depth)
  inferring = outer
  if not ok then error(hide_primes(other), 0) end
  for i, kind in ipairs(types) do
    for k, n in ipairs(kind.shape) do
      if other[i].shape[k] ~= n then kind.shape[k] = -1 end
    end
  end
  for i, at in ipairs(masks) do
    types[at].mask = types[results + i]
    types[results + i] = nil
  end
  return types
end

--- Records fn(...) and returns its symbols. options: layer, name, types (when known). fn is called
-- again at each replay with concrete arguments.
function M.record(fn, options, ...)
  local record = { fn = fn, args = table.pack(...), where = core.where(), outputs = {} }
  for key, value in pairs(options) do record[key] = value end
  record.types = record.types or M.infer(record)
  for i, kind in ipairs(record.types) do
    record.outputs[i] = new_symbol(kind.dtype, kind.shape, record, i, kind.mask)
  end
  return table.unpack(record.outputs)
end

-- Records from which `outputs` are made, in order; inputs (symbols) end the walk.
local function collect_records(inputs, outputs, describe)
  local is_input, seen, list = {}, {}, {}
  for _, symbol in ipairs(inputs) do is_input[symbol] = true end
  local function visit(symbol)
    if is_input[symbol] or seen[symbol.record] then return end
    local record = symbol.record
    if not record.fn then
      core.raise(("%s: the outputs depend on %s, which is not among the inputs"):format(describe,
        record.name and ("input '" .. record.name .. "'") or "an input"), record.where)
    end
    seen[record] = true
    for _, input in ipairs(collect_symbols(record.args)) do visit(input) end
    list[#list + 1] = record
  end
  for _, symbol in ipairs(outputs) do visit(symbol) end
  table.sort(list, function(a, b) return a.outputs[1].number < b.outputs[1].number end)
  return list
end

--- The records between inputs and outputs (lists of symbols), in order of creation. Raises when an
-- output depends on an input that is not listed.
function M.between(inputs, outputs, describe) return collect_records(inputs, outputs, describe) end

--- The symbols from which x is made directly.
function M.inputs_of(x) return x.record.fn and collect_symbols(x.record.args) or {} end

--- True when one of the symbols among `ys` is made from the symbol x.
function M.depends(ys, x)
  local seen = {}
  local function visit(symbol)
    if symbol == x then return true end
    if seen[symbol.record] or not symbol.record.fn then return false end
    seen[symbol.record] = true
    for _, input in ipairs(collect_symbols(symbol.record.args)) do
      if visit(input) then return true end
    end
    return false
  end
  for _, y in ipairs(ys) do
    if M.is(y) and visit(y) then return true end
  end
  return false
end

local function run_record(record, value)
  local args = substitute_all(record.args, function(symbol) return value[symbol] end)
  return table.pack(record.fn(table.unpack(args, 1, args.n)))
end

--- Replays records on concrete tensors: `value` maps the input symbols to tensors and is filled
-- for all others. Errors are blamed on the line that made the record.
function M.replay(records, value)
  for _, record in ipairs(records) do
    local before, depth = core.set_where(record.where)
    local ok, results = pcall(run_record, record, value)
    core.set_where(before, depth)
    if not ok then error(results, 0) end
    for i, symbol in ipairs(record.outputs) do value[symbol] = results[i] end
  end
end

return M
