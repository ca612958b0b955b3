--- Batches of pictures: a pass over samples whose pictures a loader prepares ahead.
--
--     local next = batches.draw {
--       who = "image_folder", work = work, images = nil, size = 32, samples = {3, 1, 2},
--       job = function(sample, place) return { paths[sample] } end,
--       finish = function(x, samples) return x, labels_of(samples) end,
--       damaged = "error" }
--
-- work and job are what core.image_loader and core.image_ask take; place is the sample's place in
-- the pass.
local core = require "cdl.core"
local ops = require "cdl.ops"

local M = {}

-- Pictures prepared ahead, in whole batches: two at least, so that one is made while one is used.
local AHEAD = 32

local warned = {} -- paths that a warning has named

local function warn_once(who, message)
  if not warned[message] then core.warn(("%s: %s; it is left out"):format(who, message)) end
  warned[message] = true
end

-- The pictures that could be read, and their samples.
local function without_failures(pass, x, samples, failures)
  local places, kept = {}, {}
  for i, sample in ipairs(samples) do
    local message = failures[i]
    if not message then
      places[#places + 1], kept[#kept + 1] = i - 1, sample
    elseif pass.damaged == "skip" then
      warn_once(pass.who, message)
    else
      core.raise(("%s: %s"):format(pass.who, message))
    end
  end
  if #kept == 0 then return nil end
  return ops.gather(x, core.tensor(places, "int64"), 1), kept
end

--- A function that gives the batches of a pass, nil at its end.
function M.draw(pass)
  local loader = core.image_loader(pass.work, pass.images, core.threads())
  local samples, size, asked, waiting = pass.samples, pass.size, 0, {}
  local ahead = math.max(2, AHEAD // size)

  local function ask()
    local own, jobs = table.move(samples, asked + 1, math.min(asked + size, #samples), 1, {}), {}
    for i, sample in ipairs(own) do jobs[i] = pass.job(sample, asked + i) end
    core.image_ask(loader, jobs)
    asked = asked + #own
    waiting[#waiting + 1] = own
  end

  local function take()
    while asked < #samples and #waiting < ahead do ask() end
    if #waiting == 0 then return nil end
    local own = table.remove(waiting, 1)
    local x, failures = core.image_take(loader)
    if failures then x, own = without_failures(pass, x, own, failures) end
    if not x then return take() end
    return x, own
  end

  return function()
    local x, own = take()
    if not x then return nil end
    return pass.finish(x, own)
  end
end

--- The numbers 1 .. n, shuffled by a permutation (int64 {n} from 0) if there is one.
function M.samples(n, permutation)
  local list = {}
  if permutation then
    for i, place in ipairs(permutation:totable()) do list[i] = place + 1 end
  else
    for i = 1, n do list[i] = i end
  end
  return list
end

return M
