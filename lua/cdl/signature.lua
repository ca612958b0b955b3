--- Signatures are data: what a public function or constructor takes, and how it is read.
--
--     local sig = signature.new("Dense", {
--       { "units", "integer", required = true, min = 1, doc = "size of the output" },
--       { "activation", "string|function", doc = "applied to the result" },
--       { "use_bias", "boolean", true },
--     }, { doc = "y = activation(x w + b)" })
--     local args = sig:read(...)       --> { units = 64, use_bias = true }
--     sig:show()                       --> Dense(units, activation=nil, use_bias=true)
--
-- A parameter is { name, kind, default, required =, doc =, null =, alias =, rest =, ... }; the
-- kinds and their options are in cdl/kinds.lua. `null = true`: cdl.null ("explicitly none") is
-- allowed though there is a default. `alias`: a second name. `rest = true` on the last: it takes
-- the list of all remaining positional arguments.
--
-- A list kind as the first parameter takes the array part of the one-table form, a data kind the
-- whole table. With { method = true } the first parameter is the object in front of the colon,
-- and what is said of "the first" holds for the second; lists are never unwrapped there.
local class = require "cdl.class"
local core = require "cdl.core"
local kinds = require "cdl.kinds"
local words = require "cdl.words"

local M = {}

local is_plain = words.is_plain

--- "Explicitly none", where leaving an argument out means its default. JSON's null.
M.null = words.null

local Signature = {}
Signature.__index = Signature

local functions = setmetatable({}, { __mode = "k" }) -- function or class -> signature

local function copy(value)
  if not is_plain(value) then return value end
  local result = {}
  for key, entry in pairs(value) do result[key] = copy(entry) end
  return result
end

local function fail(sig, format, ...)
  return core.raise(("%s: %s"):format(sig.name, format:format(...)))
end

-- An error about the form of the call shows the signature.
local function fail_form(sig, format, ...)
  return fail(sig, "%s\n  %s", format:format(...), sig:show())
end

local function new_param(sig, row, index)
  local param = copy(row)
  param.name, param.kind, param.default = row[1], row[2], row[3]
  param.index = index
  if type(param.kind) == "table" then
    param.choices, param.kind = param.kind, "choice"
  end
  local kind = kinds.find(param.kind)
  if type(param.name) ~= "string" or not kind then
    error(("signature %s: parameter %d (%s) has no kind named %s"):format(sig.name, index,
      tostring(param.name), tostring(param.kind)), 4)
  end
  param.reader = kind
  param.has_limits = param.min or param.max or param.above or param.below
  if param.default ~= nil then
    local ok, value = kind.read(param.default, param)
    if not ok then
      error(("signature %s: the default of %s must be %s"):format(sig.name, param.name,
        value or kind.wants), 4)
    end
    param.value = value
  end
  return param
end

--- Makes a signature from rows of parameters. options: doc, method.
function M.new(name, rows, options)
  options = options or {}
  local sig = setmetatable({ name = name, doc = options.doc, method = options.method or false,
    params = {}, by_name = {} }, Signature)
  for i, row in ipairs(rows) do
    local param = new_param(sig, row, i)
    sig.params[i] = param
    sig.by_name[param.name] = param
    if param.alias then sig.by_name[param.alias] = param end
  end
  local last = sig.params[#sig.params]
  sig.takes_rest = last ~= nil and last.rest == true
  return sig
end

--- The signature as one would write a call: `Dense(units, activation=nil)`.
function Signature:show()
  local parts = {}
  for i, param in ipairs(self.params) do
    if not (self.method and i == 1) then
      local text = param.rest and "..." or param.name
      if not param.required and not param.rest then
        text = ("%s=%s"):format(text, words.literal(param.default))
      end
      parts[#parts + 1] = text
    end
  end
  local prefix = self.method and self.params[1].name .. ":" or ""
  return ("%s%s(%s)"):format(prefix, self.name, table.concat(parts, ", "))
end

--- The parameters' names in order.
function Signature:names()
  local names = {}
  for i, param in ipairs(self.params) do names[i] = param.name end
  return names
end

local function give(sig, values, param, value)
  if values[param.index] ~= nil then
    fail_form(sig, "argument '%s' is given twice", param.name)
  end
  values[param.index] = value
end

-- Reads the named arguments in a table; the array part is not looked at.
local function read_names(sig, values, named)
  for key, value in pairs(named) do
    if type(key) == "string" then
      local param = sig.by_name[key]
      if not param then
        fail_form(sig, "unknown argument '%s'%s", key, words.suggestion(key, sig:names()))
      end
      give(sig, values, param, value)
    end
  end
end

-- Counts the keys of a table: its array part must be whole unless holes are allowed.
local function split_keys(sig, named, holes_allowed)
  local count, last, strings = 0, 0, 0
  for key in pairs(named) do
    if type(key) == "string" then
      strings = strings + 1
    elseif math.type(key) == "integer" and key >= 1 then
      count, last = count + 1, math.max(last, key)
    else
      fail_form(sig, "the key %s is neither a name nor a position", words.literal(key))
    end
  end
  if last ~= count and not holes_allowed then
    local hole = 1
    while named[hole] ~= nil do hole = hole + 1 end
    fail_form(sig, "argument %d is given but %d is nil (write the later ones as name = value)",
      last, hole)
  end
  return last, strings
end

-- Whether the array part of f{...} is the first parameter itself. Where a tensor is wanted, a list
-- that begins with one holds arguments; a list of numbers is a tensor written out.
local function is_first_parameter(lead, named)
  if not lead or not lead.reader.list then return false end
  if lead.reader ~= kinds.operand or named[1] == nil then return true end
  return type(named[1]) ~= "userdata" and not words.is_tensor(named[1])
end

-- f{...}: names, and an array part that is the first parameter if that is a list, else positional.
-- f{} is the empty list, except where leaving the list out means something: MaxPooling2D{}.
local function read_table(sig, values, named, first)
  local lead = sig.params[first]
  local is_list = is_first_parameter(lead, named)
  local last, strings = split_keys(sig, named, is_list)
  if is_list then
    local is_empty_list = strings == 0 and (lead.default == nil or sig.method)
    if last > 0 or is_empty_list then
      local list = {}
      for i = 1, last do list[i] = named[i] end
      if last == 1 and not sig.method and is_plain(list[1]) then list = list[1] end
      values[first] = list
    end
  else
    if first + last - 1 > #sig.params then
      fail_form(sig, "takes at most %d arguments, got %d", #sig.params - first + 1, last)
    end
    for i = 1, last do values[first + i - 1] = named[i] end
  end
  read_names(sig, values, named)
end

-- Whether the last of several arguments holds the named ones.
local function is_named_table(sig, value, position)
  if not is_plain(value) then return false end
  local param = sig.params[position]
  local is_data = param ~= nil and param.reader.data
  local has_name = false
  for key in pairs(value) do
    if type(key) == "string" then has_name = true end
    -- In the place of data, only a table all of whose keys are options holds the options.
    if is_data and not (sig.by_name[key] and not sig.by_name[key].reader.data) then return false end
  end
  return has_name or (next(value) == nil and not is_data)
end

-- The arguments by position, as they were given; n is their number with trailing nils.
local function collect(sig, n, ...)
  local values, given, first = {}, { ... }, 1
  while n > 0 and given[n] == nil do n = n - 1 end
  if sig.method and not (n == 1 and is_plain(given[1])) then
    values[1] = given[1]
    first = 2
  end
  if n == first and is_plain(given[n]) then
    local lead = sig.params[first]
    if lead and lead.reader.data then
      values[first] = given[n]
    elseif not (lead and lead.rest) then
      read_table(sig, values, given[n], first)
      return values
    end
  end
  local names
  if n > first and is_named_table(sig, given[n], n) then
    names, n = given[n], n - 1
  end
  if n > #sig.params and not sig.takes_rest then
    fail_form(sig, "takes at most %d arguments, got %d", #sig.params - first + 1, n - first + 1)
  end
  local positional = sig.takes_rest and #sig.params - 1 or n
  for i = first, math.min(positional, n) do values[i] = given[i] end
  if sig.takes_rest and n > positional then
    values[#sig.params] = table.move(given, #sig.params, n, 1, {})
  end
  if names then read_names(sig, values, names) end
  return values
end

local function read_value(sig, param, value)
  if value == nil then
    if param.required then fail_form(sig, "argument '%s' is missing", param.name) end
    return copy(param.value)
  elseif value == M.null and not param.reader.data then
    if param.required or (param.default ~= nil and not param.null) then
      fail(sig, "%s must be %s, got null", param.name, param.reader.wants)
    end
    return nil
  end
  local ok, result = param.reader.read(value, param)
  if not ok then
    fail(sig, "%s must be %s, got %s", param.name,
      type(result) == "string" and result or param.reader.wants, words.describe(value))
  end
  return result
end

-- The object in front of the colon; operands are read like other arguments.
local function check_object(sig, object)
  local is_object = type(object) == "userdata" or (type(object) == "table" and getmetatable(object) ~= nil)
  if sig.params[1].kind ~= "any" or (is_object and not words.is_tensor(object)) then return end
  fail(sig, "is a method, called with a colon: %s", sig:show())
end

local function read_positional(sig, n, ...)
  local values = collect(sig, n, ...)
  if sig.method then check_object(sig, values[1]) end
  for i, param in ipairs(sig.params) do values[i] = read_value(sig, param, values[i]) end
  return values
end

--- Reads a call's arguments: a table of values by name, checked, with the defaults filled in.
function Signature:read(...)
  local values = read_positional(self, select("#", ...), ...)
  local args = {}
  for i, param in ipairs(self.params) do args[param.name] = values[i] end
  return args
end

-- What tells quickly that an argument needs no treatment. nil is fine where the default can be
-- used as it is; everything else takes the slow way, which alone knows the rules.
local function quick_check(param)
  local fast = param.reader.fast
  if not fast or param.has_limits or param.rest then return function() return false end end
  local null, nil_is_fine = M.null, not param.required and type(param.value) ~= "table"
  return function(value)
    if value == nil then return nil_is_fine end
    return value ~= null and fast(value)
  end
end

-- Functions of few parameters get a quick way for plain positional calls.
local quick = {
  function(body, slow, check, default)
    local check_a, default_a = check[1], default[1]
    return function(a, extra)
      if extra ~= nil or not check_a(a) then return slow(a, extra) end
      if a == nil then a = default_a end
      return body(a)
    end
  end,
  function(body, slow, check, default)
    local check_a, check_b = check[1], check[2]
    local default_a, default_b = default[1], default[2]
    return function(a, b, extra)
      if extra ~= nil or not (check_a(a) and check_b(b)) then return slow(a, b, extra) end
      if a == nil then a = default_a end
      if b == nil then b = default_b end
      return body(a, b)
    end
  end,
  function(body, slow, check, default)
    local check_a, check_b, check_c = check[1], check[2], check[3]
    local default_a, default_b, default_c = default[1], default[2], default[3]
    return function(a, b, c, extra)
      if extra ~= nil or not (check_a(a) and check_b(b) and check_c(c)) then
        return slow(a, b, c, extra)
      end
      if a == nil then a = default_a end
      if b == nil then b = default_b end
      if c == nil then c = default_c end
      return body(a, b, c)
    end
  end,
  function(body, slow, check, default)
    local check_a, check_b, check_c, check_d = check[1], check[2], check[3], check[4]
    local default_a, default_b, default_c, default_d = default[1], default[2], default[3], default[4]
    return function(a, b, c, d, extra)
      if extra ~= nil or not (check_a(a) and check_b(b) and check_c(c) and check_d(d)) then
        return slow(a, b, c, d, extra)
      end
      if a == nil then a = default_a end
      if b == nil then b = default_b end
      if c == nil then c = default_c end
      if d == nil then d = default_d end
      return body(a, b, c, d)
    end
  end,
}

local function make_function(sig, body)
  local count = #sig.params
  local function slow(...)
    local values = read_positional(sig, select("#", ...), ...)
    return body(table.unpack(values, 1, count))
  end
  local f = slow
  if quick[count] and not sig.takes_rest then
    local checks, defaults = {}, {}
    for i, param in ipairs(sig.params) do
      checks[i], defaults[i] = quick_check(param), param.value
    end
    f = quick[count](body, slow, checks, defaults)
  end
  functions[f] = sig
  return f
end

--- A function that reads its arguments by a signature and calls `body` with them in order.
function M.fn(name, rows, doc, body)
  return make_function(M.new(name, rows, { doc = doc }), body)
end

--- The same for a method: the first parameter is the object itself, and a list in the one-table
-- form is never unwrapped. It serves as the plain function too: `sum(x, 1)` is `x:sum(1)`.
function M.method(name, rows, doc, body)
  return make_function(M.new(name, rows, { doc = doc, method = true }), body)
end

--- Says that a function or any other object reads its arguments by this signature, for help.
function M.register(object, sig)
  functions[object] = sig
  return object
end

-- The class's own rows, and those of `base_arguments` that it does not have itself.
local function class_signature(owner)
  local rows, own = {}, {}
  for i, row in ipairs(owner.signature) do rows[i], own[row[1]] = row, true end
  for _, row in ipairs(owner.base_arguments or {}) do
    if not own[row[1]] then rows[#rows + 1] = row end
  end
  return M.new(class.name_of(owner), rows, { doc = owner.doc })
end

--- True when x is a signature.
function M.is_signature(x) return getmetatable(x) == Signature end

--- The signature of a function, a class or an instance; nil when it has none. A class may give
-- `signature` as a list of rows, to which `base_arguments` of its parents are added; it is made
-- into a signature once.
function M.of(x)
  if x == nil then return nil end
  if functions[x] then return functions[x] end
  local owner = class.is_class(x) and x or class.of(x)
  if not owner or not owner.signature then return nil end
  if M.is_signature(owner.signature) then return owner.signature end
  if not functions[owner] then functions[owner] = class_signature(owner) end
  return functions[owner]
end

M.nearest = words.nearest
M.suggestion = words.suggestion
M.describe = words.describe

return M
