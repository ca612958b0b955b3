--- Saves the model or its weights while it trains.
local core = require "cdl.core"
local signature = require "cdl.signature"
local template = require "cdl.template"
local Monitor = require "cdl.callbacks.monitor"

local ModelCheckpoint = Monitor:extend "ModelCheckpoint"

ModelCheckpoint.signature = signature.new("ModelCheckpoint", {
  { "filepath", "string", required = true,
    doc = "file name; {epoch}, {batch} and names in the logs are filled in: '{epoch:02d}.npz'" },
  { "monitor", "string", "val_loss", doc = "name in the logs, for save_best_only" },
  { "verbose", "integer", 0, doc = "1 prints what is done" },
  { "save_best_only", "boolean", false, doc = "save only when the metric has improved" },
  { "save_weights_only", "boolean", false, doc = "save the weights alone" },
  { "mode", "string", "auto", doc = "'min', 'max', or 'auto': as the compiled metric says" },
  { "save_freq", "any", "epoch", doc = "'epoch', or a number of batches" },
  { "initial_value_threshold", "number", doc = "value that the metric must beat at first" },
}, { doc = "saves the model while it trains (keras.callbacks.ModelCheckpoint)" })

local weight_suffixes = { ".weights.h5", ".npz", ".safetensors" }

local function ends_with(text, suffix) return text:sub(-#suffix) == suffix end

local function check_path(path, weights_only)
  local ok, problem = template.check(path)
  if not ok then core.raise(("ModelCheckpoint: cannot read the file name %q: %s"):format(path, problem)) end
  if weights_only then
    for _, suffix in ipairs(weight_suffixes) do
      if ends_with(path, suffix) then return end
    end
    core.raise(("ModelCheckpoint: with save_weights_only the file name must end in %s; got %q"):format(
      table.concat(weight_suffixes, ", "), path))
  elseif not ends_with(path, ".keras") then
    core.raise(("ModelCheckpoint: a whole model's file name must end in .keras; got %q (for the "
      .. "weights alone pass save_weights_only = true)"):format(path))
  end
end

function ModelCheckpoint:init(...)
  local args = ModelCheckpoint.signature:read(...)
  self:start_monitor(args, args.initial_value_threshold)
  self.filepath, self.verbose = args.filepath, args.verbose
  self.save_best_only, self.save_weights_only = args.save_best_only, args.save_weights_only
  check_path(self.filepath, self.save_weights_only)
  local frequency = args.save_freq
  if frequency ~= "epoch" then
    frequency = math.type(frequency) and math.tointeger(frequency)
    if not frequency or frequency < 1 then
      core.raise(("ModelCheckpoint: unrecognized save_freq %s; wanted 'epoch' or a number of "
        .. "batches"):format(signature.describe(args.save_freq)))
    end
    self.on_train_batch_end = self.count_batch
  end
  self.save_freq = frequency
  self.epoch, self.batches_seen, self.last_batch = 1, 0, 0
end

local function file_name(self, epoch, batch, logs)
  local values = {}
  for name, value in pairs(logs) do values[name] = value end
  values.epoch, values.batch = epoch, batch
  local path, problem = template.format(self.filepath, values)
  if path then return path end
  core.raise(("ModelCheckpoint: failed to format the file name %q: %s"):format(self.filepath, problem))
end

local function say(self, format, ...)
  if self.verbose > 0 then print("\n" .. format:format(...)) end
end

-- Whether to save; prints what is decided.
local function wants_to_save(self, epoch, path, logs)
  if not self.save_best_only then
    say(self, "Epoch %d: saving model to %s", epoch, path)
    return true
  end
  local value = logs[self.monitor]
  if type(value) == "table" and #value == 1 then value = value[1] end
  if type(value) ~= "number" then
    core.warn(("Can save best model only with %s %s; saving anyway. Available metrics are: %s"):format(
      self.monitor, value == nil and "available" or "being a number", self.names_of(logs)))
    return true
  end
  if not self:is_improvement(value, self.best) then
    say(self, "Epoch %d: %s did not improve from %.5f", epoch, self.monitor, self.best)
    return false
  end
  say(self, "Epoch %d: %s improved from %s to %.5f, saving model to %s", epoch, self.monitor,
    self.best and ("%.5f"):format(self.best) or "None", value, path)
  self.best = value
  return true
end

local function save(self, epoch, batch, logs)
  local model = self:need_model()
  local path = file_name(self, epoch, batch, logs)
  if not wants_to_save(self, epoch, path, logs) then return end
  local folder = path:match "^(.*)/[^/]*$"
  if folder and folder ~= "" then core.make_folder(folder) end
  if self.save_weights_only then
    model:save_weights(path)
  else
    model:save(path)
  end
  say(self, "Epoch %d: finished saving model to %s", epoch, path)
end

function ModelCheckpoint:on_epoch_begin(epoch) self.epoch = epoch end

--- on_train_batch_end of a checkpoint whose save_freq is a number of batches. The count runs on
-- over epochs and fits.
function ModelCheckpoint:count_batch(batch, logs)
  local added = batch > self.last_batch and batch - self.last_batch or batch
  self.last_batch = batch
  self.batches_seen = self.batches_seen + added
  if self.batches_seen < self.save_freq then return end
  self.batches_seen = 0
  save(self, self.epoch, batch, logs)
end

function ModelCheckpoint:on_epoch_end(epoch, logs)
  logs = logs or {}
  self:monitor_direction()
  if self.save_freq == "epoch" then save(self, epoch, nil, logs) end
end

function ModelCheckpoint:state()
  return { best = self.best, batches_seen = self.batches_seen, last_batch = self.last_batch }
end

function ModelCheckpoint:load_state(state)
  self.best, self.batches_seen, self.last_batch = state.best, state.batches_seen, state.last_batch
end

return ModelCheckpoint
