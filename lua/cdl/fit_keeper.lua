--- What fit does for the callback that keeps the run in a folder (BackupAndRestore, fit's `resume`).
local core = require "cdl.core"

local M = {}

--- With `resume` the run is kept in that folder, also when it has ended.
function M.add(list, folder)
  if folder == "" then core.raise "fit: resume must be the name of a folder, got \"\"" end
  local keeper = list:keeper()
  if not keeper then
    list:add(require "cdl.callbacks.backup_and_restore" (folder))
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
    run.train = { pass = args.steps_per_epoch and place.pass or nil, drawn = place.drawn }
  end
  keeper.first_epoch = args.initial_epoch
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
