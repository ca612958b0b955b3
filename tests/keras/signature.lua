--- cdl's half of kinds/signature.py.
local cdl = require "cdl"
local signature = require "cdl.signature"
local words = require "cdl.words"

-- A number stands for all entries of a list, also of a nested one; words are alike in any case.
local function same_default(own, keras)
  if type(own) == "string" and type(keras) == "string" then return own:lower() == keras:lower() end
  if type(keras) ~= "table" then return own == keras end
  for i, entry in ipairs(keras) do
    local mine = own
    if type(own) == "table" then mine = own[i] end
    if not same_default(mine, entry) then return false end
  end
  return type(own) ~= "table" or #own == #keras
end

-- Keras's arguments in Keras's order, with Keras's defaults; arguments of cdl's own come behind.
return function(case)
  local thing = case.make()
  if thing == nil then error "cdl has none" end
  local sig = signature.of(thing)
  if not sig then error "has no signature" end
  local left_out, own = {}, {}
  for _, name in ipairs(case.left_out) do left_out[name] = true end
  for _, param in ipairs(sig.params) do
    if not left_out[param.name] then own[#own + 1] = param end
  end
  for i, name in ipairs(case.names) do
    local param = own[i]
    if not param or (param.name ~= name and param.alias ~= name) then
      error(("argument %d is '%s', Keras's is '%s': %s"):format(i, param and param.name or "none", name, sig:show()))
    end
    if case.defaults[name] ~= nil and not same_default(param.default, case.defaults[name]) then
      error(("the default of '%s' is %s, Keras's %s"):format(name, words.literal(param.default),
        words.literal(case.defaults[name])))
    end
  end
  return { same = cdl.tensor(true) }
end
