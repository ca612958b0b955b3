--- What fit does in a script that `cdl verify-resume` runs (cdl/verify_resume.lua): each fit is kept
-- in a folder of the verification, and what it ends with is written down there.
--
-- The folder and the number of batches between snapshots come in the environment. Fits are known by
-- their numbers; one within another, in a hook or a generator, is part of that one.
local core = require "cdl.core"
local class = require "cdl.class"
local snapshot = require "cdl.snapshot"

local M = {}

--- The names of the two variables of the environment.
M.FOLDER, M.FREQUENCY = "CDL_VERIFY_RESUME", "CDL_VERIFY_SAVE_FREQ"

--- Where fit number n is kept, and where its end is written down.
function M.kept(folder, n) return ("%s/fit-%d"):format(folder, n) end
function M.record(folder, n) return ("%s/end-%d.safetensors"):format(folder, n) end

local Probe = {}
Probe.__index = Probe

local fits, inside = 0, false

--- The probe of the fit that begins; nil when nobody verifies. It is closed when the fit has ended.
function M.begin()
  local folder = os.getenv(M.FOLDER)
  if not folder or inside then return nil end
  fits, inside = fits + 1, true
  return setmetatable({ folder = folder, number = fits }, Probe)
end

function Probe:__close() inside = false end

--- Has the fit kept in a folder of the verification, which it gives.
function Probe:keep(list)
  local keeper, kept = list:keeper(), M.kept(self.folder, self.number)
  if not keeper then
    keeper = require "cdl.callbacks.backup_and_restore" (kept)
    list:add(keeper)
  end
  keeper:keep_in(kept, math.tointeger(os.getenv(M.FREQUENCY)) or "epoch")
  return kept
end

-- What the callbacks have written into files: rows of CSV files, scalars.
local function files_of(list, history)
  local files = {}
  for i, key in ipairs(list:keys()) do
    local name = class.name_of(list[i])
    if name == "CSVLogger" then
      files[key] = list[i]:last_rows(#history.epoch)
    elseif name == "TensorBoard" then
      files[key] = require "cdl.event_reader".scalars(list[i].log_dir)
    end
  end
  return files
end

--- Writes down how the fit has ended, and where the script's output is then. not_trained: it had ended
-- before already.
function Probe:finish(model, list, history, not_trained)
  local contents = snapshot.take(model, list, { epoch = 0, batch = 0 })
  contents.identity, contents.files, contents.stop_reason = {}, files_of(list, history), history.stop_reason
  contents.not_trained = not_trained
  io.stdout:flush()
  contents.output = io.stdout:seek "cur"
  local ok, problem = snapshot.write(M.record(self.folder, self.number), contents)
  if not ok then core.raise("verify-resume: " .. problem) end
end

return M
