--- A callback made of functions. They get no self: on_epoch_end = function(epoch, logs) ... end.
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"
local words = require "cdl.words"

local LambdaCallback = BuiltIn:extend "LambdaCallback"

LambdaCallback.doc = "calls functions as hooks (keras.callbacks.LambdaCallback); they get no self: "
  .. "LambdaCallback{on_epoch_end = function(epoch, logs) ... end}"

-- Keras's order of the positional arguments.
local order = { "on_epoch_begin", "on_epoch_end", "on_train_begin", "on_train_end",
  "on_train_batch_begin", "on_train_batch_end" }

-- A function that does not take the logs must not make the loop compute them.
local function without_self(f)
  local about = type(f) == "function" and debug.getinfo(f, "u")
  if about and not about.isvararg and about.nparams <= 1 then
    return function(_, first) return f(first) end
  end
  return function(_, ...) return f(...) end
end

function LambdaCallback:init(...)
  local fields = {}
  if select("#", ...) == 1 and words.is_plain((...)) then
    fields = ...
  else
    for i = 1, select("#", ...) do
      local name = order[i]
      if not name then
        core.raise(("LambdaCallback: takes at most %d positional functions, got %d"):format(#order,
          select("#", ...)))
      end
      fields[name] = select(i, ...)
    end
  end
  for name, value in pairs(fields) do
    if type(name) ~= "string" then
      core.raise "LambdaCallback: functions are given by name: on_epoch_end = function(epoch, logs) ... end"
    end
    local is_hook = name:find "^on_" ~= nil
    if is_hook and type(value) ~= "function" and not (getmetatable(value) or {}).__call then
      core.raise(("LambdaCallback: %s must be a function, got %s"):format(name, words.describe(value)))
    end
    self[name] = is_hook and without_self(value) or value
  end
end

return LambdaCallback
