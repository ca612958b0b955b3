--- Going back in a run: model:rewind(epoch).
--
-- fit keeps the states after its last epochs (cdl/snapshot.lua) in memory: as many as its `keep_epochs`
-- says, or, where nobody has asked for them, what costs next to nothing. History needs no copies, since
-- it can be cut back.
local class = require "cdl.class"
local core = require "cdl.core"
local signature = require "cdl.signature"
local snapshot = require "cdl.snapshot"
local History = require "cdl.callbacks.history"

local M = {}

-- Where keep_epochs is left out:
local COUNT = 10 -- states,
local MEMORY = 32 << 20 -- bytes of them together;
local ALL = 100 -- after so many epochs those are passed over that take hardly longer than keeping,
local SHARE = 0.02 -- which may take this part of the time

--- Begins a run: what was kept of the one before is let go. data: its parts that have a state, by
-- mode; goes_on: its data cannot begin anew.
function M.start(model, count, list, data, goes_on)
  rawset(model, "_kept", { count = count or COUNT, memory = count and math.huge or MEMORY, unasked = count == nil,
    list = list, data = data, goes_on = goes_on, bytes = 0, states = {}, epochs = 0, due = 0 })
end

-- Lets go of a state; gives its contents, whose tensors the next one may use.
local function drop(kept, index)
  local state = table.remove(kept.states, index)
  kept.bytes = kept.bytes - state.bytes
  return state.contents
end

-- The state of now, but for what can be told from the epoch alone.
local function take(model, kept, epoch)
  local _, _, pass, drawn = core.run_position()
  local contents = snapshot.take(model, kept.list, { epoch = epoch + 1, batch = 0, pass = pass, drawn = drawn },
    kept.data)
  for i, key in ipairs(kept.list:keys()) do
    if class.of(kept.list[i]) == History then contents.callbacks[key] = nil end
  end
  return contents
end

-- One that cannot be had, or is too large, is no reason to end the run.
local function keep(model, kept, epoch)
  local ok, contents = pcall(take, model, kept, epoch)
  if not ok then
    kept.problem = tostring(contents):gsub("^[^\n]-:%d+: ", "")
    return
  end
  local bytes, old = snapshot.bytes(contents), nil
  while #kept.states > 0 and (#kept.states >= kept.count or kept.bytes + bytes > kept.memory) do old = drop(kept, 1) end
  if bytes > kept.memory then
    kept.problem = ("it takes %.0f MB, and all of them may take %.0f MB where keep_epochs is not given"):format(
      bytes / 2^20, kept.memory / 2^20)
    return
  end
  kept.bytes = kept.bytes + bytes
  kept.states[#kept.states + 1] = { epoch = epoch, bytes = bytes, contents = snapshot.copy(contents, old) }
end

--- Keeps the state after an epoch.
function M.keep(model, epoch)
  local kept, now = rawget(model, "_kept"), core.clock()
  kept.epochs = kept.epochs + 1
  if kept.unasked and kept.epochs > ALL and now < kept.due then return end
  keep(model, kept, epoch)
  local after = core.clock()
  kept.due = after + (after - now) / SHARE
end

local function find(model, epoch)
  local kept = rawget(model, "_kept")
  if not kept then core.raise(("rewind: model '%s' has not been fitted yet"):format(model.name)) end
  local known = {}
  for i, state in ipairs(kept.states) do
    if state.epoch == epoch then return kept, i end
    known[i] = tostring(state.epoch)
  end
  core.raise(("rewind: the state after epoch %d is not kept; %s%s (fit's keep_epochs says how many are)"):format(epoch,
    #known > 0 and "kept are those after " .. table.concat(known, ", ") or "none is",
    kept.problem and (": the last one could not be, since " .. kept.problem) or ""))
end

-- Where the loop goes on. Data that cannot begin anew stay where they are.
local function place_of(kept, contents)
  local known = not kept.goes_on
  return { epoch = contents.epoch, batch = 0, pass = known and contents.pass or 0,
    drawn = known and contents.drawn or 0 }
end

local function cut_history(list, epoch)
  for _, callback in ipairs(list) do
    if class.of(callback) == History then callback:cut(epoch) end
  end
end

--- model:rewind(epoch): back to the state after that epoch.
M.rewind = signature.method("rewind", {
  { "self", "any", required = true },
  { "epoch", "integer", required = true, min = 0,
    doc = "number of the epoch; that before the run's first epoch is its begin" },
}, "Puts the model back into its state after that epoch of its last fit: weights, optimizer, counters of random "
  .. "numbers. In a hook of the fit also its callbacks, history and data go back, the hook's event ends, and the "
  .. "run goes on with the next epoch, as it did then or with what the hook changes. After the fit, "
  .. "fit(x, y, {initial_epoch = epoch + 1, epochs = n}) goes on with the same numbers. fit keeps the states after "
  .. "its last epochs: keep_epochs of them, or 10 in at most 32 MB.", function(self, epoch)
    local kept, index = find(self, epoch)
    local contents, where = kept.states[index].contents, ("the state after epoch %d"):format(epoch)
    if not self._fitting then
      snapshot.restore(contents, self, nil, nil, where)
      self._fits = contents.model.fits - 1
      return
    end
    local ok, problem = core.move_run(self, place_of(kept, contents))
    if not ok then core.raise("rewind: " .. problem) end
    if kept.goes_on and not kept.data.train then
      core.warn "rewind: the generator goes on where it is; cdl.data.from_generator makes data that begin anew"
    end
    snapshot.restore(contents, self, kept.list, kept.data, where)
    cut_history(kept.list, epoch)
    local keeper = kept.list:keeper()
    if keeper then keeper:rewound() end
    self.stop_training = false
    while #kept.states >= index do drop(kept, #kept.states) end
  end)

return M
