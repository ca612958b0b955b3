--- Keeps a run in a folder, so that a script that was killed and is started again goes on where it
-- was, with the same bits as if it had never stopped.
--
-- A snapshot (cdl/snapshot.lua) is written when training begins and after every epoch, when all
-- other callbacks have heard of its end; with a number of batches as save_freq also after every so
-- many batches. Each replaces the one before in one step. A run that ends by itself takes its folder
-- away, unless delete_checkpoint is false: then it is not trained again.
--
-- A run that goes on within an epoch begins that epoch as any other, so that callbacks without a
-- state() may get ready for it; then everything is put into the state of the snapshot, and the next
-- batch comes.
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"
local signature = require "cdl.signature"
local snapshot = require "cdl.snapshot"

local BackupAndRestore = BuiltIn:extend "BackupAndRestore"

BackupAndRestore.signature = signature.new("BackupAndRestore", {
  { "backup_dir", "string", doc = "the run's own folder; it is made" },
  { "save_freq", "any", "epoch", doc = "'epoch', or a number of batches" },
  { "double_checkpoint", "boolean", false, doc = "keep the snapshot before the last one, too" },
  { "delete_checkpoint", "boolean", true, doc = "remove the snapshots when training has ended by itself" },
}, { doc = "goes on with a run that was killed (keras.callbacks.BackupAndRestore)" })

--- The run's state is whole when all others have done their part.
BackupAndRestore.runs_last = { on_train_begin = true, on_epoch_begin = true, on_train_batch_end = true,
  on_epoch_end = true, on_exit = true }

local FILE, BEFORE = "latest.safetensors", "latest.safetensors.bkp"

function BackupAndRestore:init(...)
  local args = BackupAndRestore.signature:read(...)
  if not args.backup_dir or args.backup_dir == "" then
    core.raise "BackupAndRestore: Empty `backup_dir` argument passed; wanted the name of a folder"
  end
  local frequency = args.save_freq
  if frequency ~= "epoch" then
    frequency = math.type(frequency) and math.tointeger(frequency)
    if not frequency or frequency < 1 then
      core.raise(("BackupAndRestore: Invalid value for argument `save_freq`: %s; wanted 'epoch' or a number "
        .. "of batches"):format(signature.describe(args.save_freq)))
    end
  end
  self.double_checkpoint, self.delete_checkpoint = args.double_checkpoint, args.delete_checkpoint
  self.current_epoch, self.last_batch, self.batches_seen = 1, 0, 0
  self:keep_in(args.backup_dir, frequency)
end

--- Keeps runs in that folder, with a snapshot after so many batches or "epoch".
function BackupAndRestore:keep_in(folder, frequency)
  self.backup_dir, self.save_freq = folder, frequency
  self.path, self.path_before = folder .. "/" .. FILE, folder .. "/" .. BEFORE
  self.on_train_batch_end = frequency ~= "epoch" and self.count_batch or nil
end

--- Keeps runs with a snapshot within epochs, too, at most every so many seconds.
function BackupAndRestore:save_every(seconds)
  self.batch_interval, self.on_train_batch_end = seconds, self.save_batch
end

--- The run has gone back to an earlier state (model:rewind): what is kept goes back with it.
function BackupAndRestore:rewound() self.is_rewound = true end

-- ---- reading ----

-- A process that has ended, but that nobody has asked about yet, is still listed; it has no command.
local function is_running(process)
  local file <close> = io.open(("/proc/%s/cmdline"):format(process), "rb")
  return file ~= nil and file:read(1) ~= nil
end

-- Files that a process left which was killed while it wrote.
local function remove_leftovers(self)
  for _, name in ipairs(core.list_folder(self.backup_dir) or {}) do
    local process = name:match "^%.cdl%-(%d+)%-%d+%.tmp$"
    if process and not is_running(process) then os.remove(self.backup_dir .. "/" .. name) end
  end
end

-- The last snapshot that can be read; nil when there is none at all.
local function find_snapshot(self)
  local first_problem
  remove_leftovers(self)
  for _, path in ipairs { self.path, self.path_before } do
    if core.path_kind(path) then
      local found, problem = snapshot.read(path)
      if found and first_problem then
        core.warn(("BackupAndRestore: %s; going back to the snapshot before, %s"):format(first_problem, path))
      end
      if found then return found end
      first_problem = first_problem or problem
    end
  end
  if first_problem then
    core.raise(("BackupAndRestore: cannot go on with the run in '%s': %s; remove the folder to begin anew"):format(
      self.backup_dir, first_problem))
  end
end

--- Looks for a run to go on with, before fit reads its data. Gives the place where it goes on:
-- epoch, batch, pass and drawn (position in the data).
function BackupAndRestore:open(model, list, epochs)
  self.list, self.epochs = list, epochs
  local found = find_snapshot(self)
  self.found, self.is_over = found, nil
  if not found then return nil end
  -- More epochs than were asked for then: the run goes on to them.
  local is_longer = epochs > found.epochs
  self.is_over = (found.finished or (found.stop and found.batch == 0)) and not is_longer
  self.seed_differences = snapshot.prepare(found, model)
  return { epoch = self.is_over and math.max(epochs + 1, found.epoch) or found.epoch,
    batch = found.batch, pass = found.pass, drawn = found.drawn }
end

--- Tells what the run is made of (snapshot.identity). For a run that has ended already: puts the
-- model and the callbacks into its last state, and gives true.
function BackupAndRestore:start(identity)
  self.identity = identity
  if not (self.found and self.found.finished and self.is_over) then return false end
  snapshot.restore(self.found, self.model, self.list, self.data, ("the run in '%s'"):format(self.backup_dir))
  self.found = nil
  return true
end

--- The state of a callback that is about to be restored; nil when there is none.
function BackupAndRestore:state_for(key) return self.found and self.found.callbacks[key] end

-- Says what is not as it was.
local function tell(self, found, optimizer_differences)
  local differences = {}
  local function add(list) table.move(list, 1, #list, #differences + 1, differences) end
  if self.list then -- else driven by hand, and nothing is known
    add(self.seed_differences)
    add(snapshot.differences(found.identity, self.identity))
    add(snapshot.other_callbacks(found.callbacks, self.list))
  end
  add(optimizer_differences)
  if #differences > 0 then
    core.warn(("BackupAndRestore: the run in '%s' goes on, but not everything is as it was, so its numbers "
      .. "may be others than without the break:\n  %s"):format(self.backup_dir,
      table.concat(differences, "\n  ")))
  end
end

local function restore(self, found)
  local where = ("the snapshot in '%s'"):format(self.backup_dir)
  local differences = snapshot.restore(found, self.model, self.list, self.data, where)
  self.current_epoch, self.last_batch = found.epoch, found.batch
  return differences
end

--- The run cannot go on within the epoch, which begins again.
function BackupAndRestore:restart_epoch() self.found.batch = 0 end

-- ---- writing ----

-- A state that could not be written is no reason to stop training, since the one before stays. It is
-- said when it happens first, and at the end.
local function note_failure(self, problem)
  if not self.problem then
    core.warn(("BackupAndRestore: %s; training goes on, and the state that was saved before stays"):format(problem))
  end
  self.problem = problem
end

-- Whether what was begun to be written is written; wait: until it is.
local function has_saved(self, wait)
  if not self.saver then return true end
  local ok, problem = core.saver_look(self.saver, wait)
  if ok == nil then return false end
  self.saver = nil
  if ok then self.problem = nil else note_failure(self, problem) end
  return true
end

--- Waits until the last snapshot is written.
function BackupAndRestore:wait() has_saved(self, true) end

local function contents_at(self, place)
  local contents = snapshot.take(self.model, self.list, place, self.data)
  contents.epochs, contents.finished = self.epochs or place.epoch, place.finished or false
  contents.identity = self.identity or {}
  return contents
end

-- Writes while training goes on; one at a time.
local function save(self, place)
  has_saved(self, true)
  local contents = contents_at(self, place)
  if self.double_checkpoint and core.path_kind(self.path) == "file" then
    local ok, problem = os.rename(self.path, self.path_before)
    if not ok then return note_failure(self, "cannot keep the snapshot before: " .. problem) end
  end
  self.saved_at = core.clock()
  local saved, problem = snapshot.write(self.path, contents, true)
  if not saved then return note_failure(self, problem) end
  if saved == true then self.problem = nil else self.saver = saved end
end

-- Where the run is, behind so many batches of an epoch.
local function place_at(epoch, batch)
  local _, _, pass, drawn = core.run_position()
  return { epoch = epoch, batch = batch, pass = pass, drawn = drawn }
end

function BackupAndRestore:on_train_begin()
  local model = self.model
  if not model.built and #model.weights == 0 then
    core.raise(("BackupAndRestore: model '%s' has no weights yet; build it first"):format(model.name))
  end
  if not model.callbacks or self.list ~= model.callbacks then -- driven by hand
    self.list, self.identity, self.is_over, self.epochs, self.data = nil, nil, nil, nil, nil
    self.found = find_snapshot(self)
  end
  core.make_folder(self.backup_dir)
  local found = self.found
  self.batches_seen, self.problem, self.saved_at = 0, nil, core.clock()
  if found then
    tell(self, found, restore(self, found))
    if self.is_over then model.stop_training = true end
  else
    self.current_epoch, self.last_batch = self.first_epoch or 1, 0
    local ok, problem = snapshot.write(self.path, contents_at(self, place_at(self.current_epoch, 0)))
    if not ok then core.raise("BackupAndRestore: " .. problem) end
  end
end

function BackupAndRestore:on_epoch_begin(epoch)
  local found = self.found
  self.found, self.current_epoch = nil, epoch
  if self.is_rewound then save(self, place_at(epoch, 0)) end
  self.is_rewound = nil
  if not (found and found.batch > 0) then return end
  restore(self, found)
  self.model.stop_training = found.stop
end

--- on_train_batch_end of one that has save_every.
function BackupAndRestore:save_batch(batch)
  if core.clock() - self.saved_at < self.batch_interval or not has_saved(self) then return end
  save(self, place_at(self.current_epoch, batch))
end

function BackupAndRestore:on_epoch_end(epoch)
  self.current_epoch, self.last_batch = epoch + 1, 0
  if self.save_freq == "epoch" or has_saved(self) then
    save(self, place_at(epoch + 1, 0))
  else
    self.batches_seen = self.save_freq -- the next batch that finds it done
  end
end

--- on_train_batch_end of one whose save_freq is a number of batches. The count runs on over
-- epochs. While a snapshot is being written the next one waits, for a batch or more.
function BackupAndRestore:count_batch(batch)
  local added = batch > self.last_batch and batch - self.last_batch or batch
  self.last_batch = batch
  self.batches_seen = self.batches_seen + added
  if not has_saved(self) or self.batches_seen < self.save_freq then return end
  self.batches_seen = 0
  save(self, place_at(self.current_epoch, batch))
end

-- What the run ends with: its last state, if it is kept, else an empty folder that goes, too.
local function finish(self)
  if self.keeps_finished or not self.delete_checkpoint then
    local place = place_at(self.current_epoch, 0)
    place.finished = true
    save(self, place)
    has_saved(self, true)
  else
    os.remove(self.path)
    os.remove(self.path_before)
    remove_leftovers(self)
    os.remove(self.backup_dir) -- it stays when the user has put something there
    self.problem = nil
  end
end

function BackupAndRestore:on_exit(reason)
  has_saved(self, true)
  if reason == "completed" or reason == "stop_training" then finish(self) end
  if self.problem then
    core.warn(("BackupAndRestore: the last state of the run is not saved: %s"):format(self.problem))
  end
end

return BackupAndRestore
