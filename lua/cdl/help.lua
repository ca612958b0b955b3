--- help(x) prints what a public function, class, module or op is for and what it takes;
-- help "text" searches names and docs. Both read the signatures, the one source of them.
local class = require "cdl.class"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

local WIDTH = 88
local INTRODUCTION = [[
help(x)        signature and doc of a function, class or module: help(layers.Dense)
help "conv"    searches names and docs
Tab            completes names, fields, methods, argument names and file names
_              is the last value
Ctrl-C         cancels the line or interrupts running code; Ctrl-D ends]]

-- Breaks a text into lines of a width, all indented.
local function wrap(text, indent)
  local lines, line = {}, ""
  for word in text:gmatch "%S+" do
    if #line > 0 and #indent + #line + 1 + #word > WIDTH then
      lines[#lines + 1] = indent .. line
      line = word
    else
      line = #line > 0 and line .. " " .. word or word
    end
  end
  if #line > 0 then lines[#lines + 1] = indent .. line end
  return table.concat(lines, "\n")
end

-- The first sentence or part of one, cut to a width.
local function summarize(doc, width)
  local text = (doc or ""):gsub("%s+", " ")
  text = text:match "^(.-%.) %u" or text
  text = text:match "^(.-)[;:] " or text
  return #text <= width and text or text:sub(1, width - 3):gsub("%s*%S*$", "") .. "..."
end

-- The doc of a function, or of a class.
local function doc_of(x)
  local sig = signature.of(x)
  local own = class.is_class(x) and type(x.doc) == "string" and x.doc or nil
  return sig and sig.doc or own
end

local function row(name, doc)
  return (("  %-26s %s"):format(name, summarize(doc, WIDTH - 29)):gsub("%s+$", ""))
end

local function describe_param(param)
  local notes = {}
  if param.reader.wants ~= "given" then notes[1] = param.reader.wants end
  if param.choices then
    local names = {}
    for i, choice in ipairs(param.choices) do names[i] = words.literal(choice) end
    notes[1] = table.concat(names, ", ")
  end
  for _, limit in ipairs { "min", "max", "above", "below" } do
    if param[limit] then notes[#notes + 1] = limit .. " " .. words.literal(param[limit]) end
  end
  if param.alias then notes[#notes + 1] = "also " .. param.alias end
  if param.required then
    notes[#notes + 1] = "required"
  elseif param.default ~= nil then
    notes[#notes + 1] = "default " .. words.literal(param.default)
  end
  local head = "  " .. param.name
  if #notes > 0 then head = ("%s (%s)"):format(head, table.concat(notes, "; ")) end
  return param.doc and head .. "\n" .. wrap(param.doc, "      ") or head
end

local function describe_signature(sig)
  local parts = { (wrap(sig:show(), "    "):gsub("^ +", "")) }
  if sig.doc and sig.doc ~= "" then parts[#parts + 1] = "\n" .. wrap(sig.doc, "") end
  local params = {}
  for i, param in ipairs(sig.params) do
    if not (sig.method and i == 1) then params[#params + 1] = describe_param(param) end
  end
  if #params > 0 then parts[#parts + 1] = "\n" .. table.concat(params, "\n") end
  return table.concat(parts, "\n")
end

-- The public names of a class and of those above it.
local function describe_class(owner)
  local methods, seen, parents = {}, {}, {}
  local at = owner
  while at do
    if at ~= owner then parents[#parents + 1] = at.__name end
    for name, value in pairs(at) do
      local is_public = type(name) == "string" and name:sub(1, 1) ~= "_" and not seen[name]
      if is_public and type(value) == "function" and name ~= "new" and name ~= "init" then
        methods[#methods + 1], seen[name] = name, true
      end
    end
    at = rawget(at, "super")
  end
  table.sort(methods)
  local sig = signature.of(owner)
  local parts = { sig and describe_signature(sig) or ("%s(...)"):format(owner.__name) }
  if not sig and type(owner.doc) == "string" then parts[#parts + 1] = "\n" .. wrap(owner.doc, "") end
  if owner.call_options then
    local options = {}
    for i, param in ipairs(owner:call_signature().params) do options[i] = describe_param(param) end
    parts[#parts + 1] = "\nlayer(tensors, {...}) takes by name:\n" .. table.concat(options, "\n")
  end
  parts[#parts + 1] = "\n" .. wrap("a class: " .. table.concat(parents, " < "), "")
  if #methods > 0 then parts[#parts + 1] = wrap("methods: " .. table.concat(methods, ", "), "") end
  return table.concat(parts, "\n")
end

local function describe_module(module)
  local lines = {}
  for i, name in ipairs(words.public_names(module)) do lines[i] = row(name, doc_of(module[name])) end
  if #lines == 0 then return "a table without public names" end
  return table.concat(lines, "\n")
end

-- Everything public that has a signature, once each: { path =, sig = }.
local function collect()
  local found, seen = {}, {}
  local function walk(value, path, depth)
    if value == nil or seen[value] then return end
    seen[value] = true
    local sig = signature.of(value)
    if sig then found[#found + 1] = { path = path, sig = sig } end
    if type(value) ~= "table" or depth == 0 then return end
    local is_class = class.is_class(value)
    local names = words.public_names(value)
    -- Functions first: `cdl.zeros` is the better path of what is `cdl.ops.zeros` too. The tables
    -- in a class (its signature, its parent) are no entries of it.
    for _, kind in ipairs { "function", not is_class and "table" or nil } do
      for _, name in ipairs(names) do
        if type(value[name]) == kind then
          walk(value[name], path .. (is_class and ":" or ".") .. name, depth - 1)
        end
      end
    end
  end
  walk(require "cdl", "cdl", 3)
  return found
end

-- Names come first, then docs; an exact name is described at once.
local function search(text)
  local lower, exact, lines, seen = text:lower(), {}, {}, {}
  local found = collect()
  for _, where in ipairs { "name", "doc" } do
    for _, entry in ipairs(found) do
      local sig = entry.sig
      local subject = (sig[where] or ""):lower()
      if not seen[sig] and subject:find(lower, 1, true) then
        seen[sig] = true
        if subject == lower then exact[#exact + 1] = describe_signature(sig) end
        lines[#lines + 1] = row(entry.path, sig.doc)
      end
    end
  end
  if #lines == 0 then return ("nothing is named '%s' or speaks of it"):format(text) end
  if #exact == 0 then return table.concat(lines, "\n") end
  if #lines > #exact then exact[#exact + 1] = "also:\n" .. table.concat(lines, "\n") end
  return table.concat(exact, "\n\n")
end

--- The text that help prints.
function M.text(...)
  if select("#", ...) == 0 then return INTRODUCTION end
  local x = ...
  if x == nil then return "help: there is no such thing (nil); help() says how to ask" end
  if type(x) == "string" then return search(x) end
  local owner = class.is_class(x) and x or class.of(x)
  if owner then return describe_class(owner) end
  local sig = signature.of(x)
  if sig then return describe_signature(sig) end
  if words.is_tensor(x) then
    return words.describe(x) .. '\nits methods are the functions of cdl.ops: help(cdl.ops)'
  end
  if type(x) == "table" then return describe_module(x) end
  return "no help for " .. words.describe(x)
end

--- Prints what there is to say about x; help() alone says how to ask.
function M.help(...) print(M.text(...)) end

return setmetatable(M, { __call = function(_, ...) M.help(...) end })
