--- What Tab offers at the prompt: globals, fields, methods, names of arguments, file names.
-- Nothing is called to find out, fields are only read.
local class = require "cdl.class"
local core = require "cdl.core"
local editor = require "cdl.editor"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

local KEYWORDS = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function",
  "goto", "if", "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until",
  "while" }
local TENSOR_FIELDS = { "dtype", "kind", "mask", "ndim", "shape", "size" }

-- The text without finished strings, and the unfinished one if the cursor is in it. Strings are
-- replaced by spaces so that brackets in them do not count.
local function split_string(text)
  local out, i, open_at, quote = {}, 1, nil, nil
  while i <= #text do
    local c = text:sub(i, i)
    if quote then
      if c == "\\" then i = i + 1 elseif c == quote then quote, open_at = nil, nil end
      out[#out + 1] = " "
    elseif c == '"' or c == "'" then
      quote, open_at = c, i
      out[#out + 1] = " "
    else
      out[#out + 1] = c
    end
    i = i + 1
  end
  return table.concat(out), open_at and text:sub(open_at + 1) or nil
end

-- The value of `a.b.c` from the globals; nil when any of it is missing.
local function resolve(path)
  local value = _G
  for name in path:gmatch "[%a_][%w_]*" do
    local ok, field = pcall(function() return value[name] end)
    if not ok or field == nil then return nil end
    value = field
  end
  return value
end

local function add_keys(names, from)
  for key in pairs(from) do
    if type(key) == "string" and key:find "^[%a_][%w_]*$" then names[key] = true end
  end
end

local function add_class(names, owner)
  while owner do
    add_keys(names, owner)
    for _, where in ipairs { "get", "set" } do
      if rawget(owner, where) then add_keys(names, rawget(owner, where)) end
    end
    owner = owner.super
  end
end

-- The names that can follow a value and a dot or colon.
local function fields_of(value)
  local names = {}
  local kind = type(value)
  if kind == "table" and not (getmetatable(value) or {}).__tensor then
    add_keys(names, value)
    local meta = getmetatable(value)
    if class.is_class(value) then
      add_class(names, value)
    elseif class.is_class(meta) then
      add_class(names, meta)
    else
      for _, name in ipairs(words.public_names(value)) do names[name] = true end
    end
    if type(meta) == "table" and type(meta.__index) == "table" then add_keys(names, meta.__index) end
  elseif kind == "string" then
    add_keys(names, string)
  elseif words.is_tensor(value) then
    add_keys(names, core.methods)
    for _, field in ipairs(TENSOR_FIELDS) do names[field] = true end
  end
  return names
end

-- The callee of the innermost call whose table of named arguments the cursor is in.
local function open_call(text)
  local closed, i = 0, #text
  local brackets = { [")"] = 1, ["}"] = 1, ["]"] = 1, ["("] = -1, ["{"] = -1, ["["] = -1 }
  local in_table = false
  while i >= 1 do
    local c = text:sub(i, i)
    local change = brackets[c]
    if change then closed = closed + change end
    if closed < 0 then
      if c == "[" then return nil end
      local callee = text:sub(1, i - 1):match "([%a_][%w_%.:]*)%s*$"
      if c == "{" and in_table then return nil end
      if callee and (c == "{" or in_table) then return callee end
      if c == "(" then return nil end
      in_table, closed = true, 0
    end
    i = i - 1
  end
end

-- The names that may stand at the end of the text: behind the bracket or a comma.
local function argument_names(text)
  local callee = text:find "[{,]%s*$" and open_call(text)
  local value = callee and resolve(callee)
  local sig = value ~= nil and signature.of(value)
  local names = {}
  if sig then
    for i, name in ipairs(sig:names()) do
      if not (sig.method and i == 1) then names[#names + 1] = name .. " = " end
    end
  end
  return names
end

local function common_prefix(list)
  local prefix = list[1]
  for i = 2, #list do
    while list[i]:sub(1, #prefix) ~= prefix do prefix = prefix:sub(1, -2) end
  end
  return prefix
end

-- Text to insert after `word`, and the candidates when that does not decide.
local function offer(word, candidates)
  local matching = {}
  for _, candidate in ipairs(candidates) do
    if candidate:sub(1, #word) == word then matching[#matching + 1] = candidate end
  end
  if #matching == 0 then return "", {} end
  table.sort(matching)
  return common_prefix(matching):sub(#word + 1), #matching > 1 and matching or {}
end

local function offer_files(path)
  local folder, word = path:match "^(.*/)([^/]*)$"
  folder, word = folder or "", word or path
  local names = {}
  for _, name in ipairs(editor.folder(folder == "" and "." or folder)) do
    if word:sub(1, 1) == "." or name:sub(1, 1) ~= "." then names[#names + 1] = name end
  end
  return offer(word, names)
end

--- What to insert after the text before the cursor, and, when several names are possible, their
-- list.
function M.complete(text)
  local code, path = split_string(text)
  if path then return offer_files(path) end
  local object, separator, word = code:match "([%a_][%w_%.]*)([%.:])([%w_]*)$"
  if object then
    local value, names = resolve(object), {}
    if value == nil then return "", {} end
    for name in pairs(fields_of(value)) do
      local is_hidden = name:sub(1, 1) == "_" and word:sub(1, 1) ~= "_"
      local _, field = pcall(function() return value[name] end)
      if not is_hidden and (separator == "." or type(field) == "function") then
        names[#names + 1] = name
      end
    end
    return offer(word, names)
  end
  word = code:match "[%a_][%w_]*$" or ""
  -- Names of arguments first; globals only where none of them fits.
  local insert, candidates = offer(word, argument_names(code:sub(1, #code - #word)))
  if insert ~= "" or #candidates > 0 then return insert, candidates end
  local names = table.move(KEYWORDS, 1, #KEYWORDS, 1, {})
  for name in pairs(_G) do
    if type(name) == "string" and name:sub(1, 1) ~= "_" then names[#names + 1] = name end
  end
  return offer(word, names)
end

return M
