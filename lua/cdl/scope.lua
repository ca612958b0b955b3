--- What is going on while layers are called: the training flag, the path of the layer, losses and
-- metrics that layers add, and where random numbers come from. Scopes nest; leaving one restores
-- the one before, also after an error.
local core = require "cdl.core"

local M = {}

local current = { path = "", stream = "", draws = {} }

--- The scope that is in force: training (true, false or nil: nobody has said), path (of layers,
-- for messages and graph nodes), stream (of layers, for random numbers), steps (the variable that
-- counts steps, nil where only shapes are wanted), losses and metrics (lists, nil where nobody collects), file
-- (the weight file of a model that is being loaded).
function M.current() return current end

local function finish(before, path, ok, ...)
  current = before
  core.set_path(path)
  if not ok then error((...), 0) end
  return ...
end

--- Calls f(...) in a scope that differs from the current one by `changes`. `enter` (and
-- `enter_stream`) append a name to the path (and to the stream).
function M.with(changes, f, ...)
  local before = current
  local scope = {}
  for key, value in pairs(before) do scope[key] = value end
  for key, value in pairs(changes) do scope[key] = value end
  if changes.enter then
    scope.enter = nil
    scope.path = before.path == "" and changes.enter or before.path .. "/" .. changes.enter
    scope.stream = before.stream .. "/" .. (changes.enter_stream or changes.enter)
  end
  current = scope
  local path = core.set_path(scope.path)
  return finish(before, path, pcall(f, ...))
end

--- The number of a random draw on the current stream: 1, 2, ... within one trace.
function M.count_draw()
  local draws = current.draws
  local number = (draws[current.stream] or 0) + 1
  draws[current.stream] = number
  return number
end

return M
