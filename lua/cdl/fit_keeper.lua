--- What fit does for the callback that keeps the run in a folder (BackupAndRestore, fit's `resume`).
local core = require "cdl.core"

local M = {}

local INTERVAL = 60 -- seconds between two snapshots within an epoch

--- With `resume` the run is kept in that folder, also when it has ended: after every epoch, and in long
-- ones after every INTERVAL.
function M.add(list, folder)
  if folder == "" then core.raise "fit: resume must be the name of a folder, got \"\"" end
  local keeper = list:keeper()
  if not keeper then
    keeper = require "cdl.callbacks.backup_and_restore" (folder)
    keeper:save_every(INTERVAL)
    list:add(keeper)
  elseif keeper.backup_dir ~= folder then
    core.raise(("fit: resume names the folder '%s', BackupAndRestore '%s'; give one"):format(folder,
      keeper.backup_dir))
  end
end

--- Looks for a run to go on with; fit's arguments and the run become those of its place.
function M.open(keeper, list, args, run)
  keeper.keeps_finished = args.resume ~= nil
  local place = keeper:open(args.model, list, args.epochs)
  if place then
    args.initial_epoch = place.epoch
    run.place = place
  end
  keeper.first_epoch = args.initial_epoch
end

--- The parts of the run whose data are objects that tell where they are, by mode.
function M.parts_with_state(run)
  local parts = {}
  for _, mode in ipairs { "train", "test" } do
    if run[mode] and run[mode].state then parts[mode] = run[mode] end
  end
  return parts
end

local function warn_begins_anew(what, more)
  core.warn(("fit: the run goes on, but its %s cannot tell where it was: it begins anew%s "
    .. "(cdl.data.from_generator, or an object with state() and load_state(), goes on where it was)"):format(
    what, more))
end

--- How the data of a run that goes on come to their place: the loop draws again what the pass has
-- given; a generator that has a state gets that one with the snapshot; one that has none begins
-- anew, and so does the epoch.
function M.go_on_with_data(keeper, run, data_of, has_state)
  keeper.data = has_state
  local place, test = run.place, data_of.test
  if not place or place.pass == 0 then return end -- nothing has been drawn
  if test and test.noun == "generator" and not keeper.data.test then
    warn_begins_anew("validation generator", "")
  end
  if data_of.train.noun ~= "generator" then return end
  local given = place.drawn
  place.drawn = 0
  if keeper.data.train then return end
  if place.batch > 0 then
    place.batch = 0
    keeper:restart_epoch()
    warn_begins_anew("generator", ", and so does epoch " .. place.epoch)
  elseif run.train.steps and given > 0 then
    warn_begins_anew("generator", (", and %d batches are passed over"):format(given))
    place.drawn = given
  else
    warn_begins_anew("generator", "")
  end
end

--- What a run is made of besides its state: a run that goes on compares it.
function M.identify(run, args, data_of)
  local tensors = {}
  for _, data in ipairs { data_of.train, data_of.test } do
    if data.stream then
      tensors = nil
      break
    end
    table.move(data.leaves, 1, #data.leaves, #tensors + 1, tensors)
  end
  return require "cdl.snapshot".identity(tensors, {
    batch_size = run.train.batch, steps_per_epoch = args.steps_per_epoch, shuffle = run.train.shuffle,
    validation_batch_size = run.test and run.test.batch, validation_steps = args.validation_steps,
  })
end

return M
