--- Writes a run for TensorBoard: metrics, distributions and pictures of weights, activations and gradients,
-- the model, embeddings.
--
-- Two runs, <log_dir>/train and <log_dir>/validation, with Keras's tags: epoch_loss, batch_loss,
-- evaluation_loss_vs_iterations, epoch_learning_rate, <weight's path>/histogram. The step is the epoch, or the
-- number of batches trained. A later fit with the same callback goes on behind the last epoch; a run that goes
-- on from a snapshot drops what was written after it.
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"
local embeddings = require "cdl.callbacks.tensorboard_embeddings"
local ops = require "cdl.ops"
local optimizers_of = require "cdl.optimizers.of_model"
local profile = require "cdl.profile"
local probe = require "cdl.callbacks.tensorboard_probe"
local signature = require "cdl.signature"
local summary = require "cdl.summary"
local words = require "cdl.words"

local TensorBoard = BuiltIn:extend "TensorBoard"

local function frequency(name, doc) return { name, "integer", 0, min = 0, doc = doc } end

TensorBoard.signature = signature.new("TensorBoard", {
  { "log_dir", "string", "logs", doc = "folder of the run; `tensorboard --logdir` takes it or one above" },
  frequency("histogram_freq", "write the weights' distributions every n epochs; 0: never"),
  { "write_graph", "boolean", true, doc = "write the model for the Graphs tab" },
  { "write_images", "boolean", false, doc = "write weights as pictures, too, with histogram_freq" },
  { "write_steps_per_second", "boolean", false, doc = "write how many batches are trained in a second" },
  { "update_freq", "any", "epoch", doc = "'epoch', 'batch', or every n-th batch: when metrics are written" },
  { "profile_batch", "any", 0, doc = "batch of a fit whose course is written as a trace, or {first, last}; 0: none" },
  frequency("embeddings_freq", "write Embedding layers for the projector every n epochs; 0: never"),
  { "embeddings_metadata", "string|table",
    doc = "labels of the rows: a file's name (in log_dir) or a list, for all layers, or either by layer" },
  frequency("activation_freq", "write the distributions of the layers' outputs for validation data every n epochs"),
  frequency("gradient_freq", "write the distributions of the weights' gradients on validation data every n epochs"),
  { "hparams", "table", doc = "hyper-parameters by name, for the HParams tab: a session per fit" },
}, { doc = "writes a run for TensorBoard (keras.callbacks.TensorBoard)" })

local function read_update_freq(freq)
  if freq == "epoch" then return nil end
  if freq == "batch" then return 1 end
  local every = math.type(freq) and math.tointeger(freq)
  if every and every >= 1 then return every end
  return core.raise(("TensorBoard: update_freq must be 'epoch', 'batch' or a number of batches, got %s"):format(
    words.describe(freq)))
end

-- The first and last batch of a profile, or nil. Keras takes "first,last", too.
local function read_profile_batch(given)
  local first, last = given, given
  if type(given) == "string" then first, last = given:match "^%s*(%d+)%s*,%s*(%d+)%s*$" end
  if type(given) == "string" and not first then first, last = given, given end
  if words.is_plain(given) and #given == 2 then first, last = given[1], given[2] end
  first, last = tonumber(first), tonumber(last)
  first, last = first and math.tointeger(first), last and math.tointeger(last)
  if not first or not last or first < 0 or last < first then
    core.raise(("TensorBoard: profile_batch must be a batch's number, or {first, last}, none below 0; got %s"):format(
      words.describe(given)))
  end
  if last > 0 then return math.max(first, 1), last end
end

function TensorBoard:init(...)
  local args = TensorBoard.signature:read(...)
  for name, value in pairs(args) do self[name] = value end
  if self.log_dir == "" then core.raise "TensorBoard: log_dir is empty" end
  self.every = read_update_freq(self.update_freq)
  self.profile_first, self.profile_last = read_profile_batch(self.profile_batch)
  self.writers, self.told, self.batches = {}, {}, 0
  if self.profile_first then
    self.on_train_batch_begin, self.on_train_batch_end = self.begin_batch, self.end_batch
  elseif self.every then
    self.on_train_batch_end = self.write_batch
    if self.write_steps_per_second then self.on_train_batch_begin = self.start_clock end
  end
end

-- What cannot be written in the middle of a run is no reason to end it. Each problem is told once.
local function warn(self, problem)
  if self.told[problem] then return end
  self.told[problem] = true
  core.warn(("TensorBoard: %s; the run goes on without"):format(problem))
end

--- The writer of a run: "train", "validation", or "." for log_dir itself. It is made when it is first wanted, and
-- a hook of one's own may write with it, too.
function TensorBoard:writer(run)
  if self.writers[run] then return self.writers[run] end
  local folder = run == "." and self.log_dir or self.log_dir .. "/" .. run
  local ok, writer = pcall(summary.create_file_writer, folder)
  if not ok then
    if not self.offset then error(writer, 0) end
    warn(self, writer)
    writer = summary.lost_writer(folder)
  end
  self.writers[run] = writer
  return writer
end

local function close(self, status)
  for _, run in ipairs(words.sorted_keys(self.writers)) do
    self.writers[run]:end_session(status)
    self.writers[run]:close()
  end
  self.writers = {}
end

-- ---- the begin ----

-- What wants data to look at gets the first rows of the validation data.
local function start_probes(self)
  self.activations, self.gradients = nil, nil
  for _, name in ipairs { "activation_freq", "gradient_freq" } do
    if self[name] > 0 and not self.validation_data then
      core.raise(("TensorBoard: %s wants validation data in tensors: give fit validation_data = {x, y} or "
        .. "validation_split"):format(name))
    end
  end
  if self.activation_freq > 0 then self.activations = probe.activations(self.model) end
  if self.gradient_freq > 0 then self.gradients = probe.gradients(self.model) end
end

local function write_model(self)
  local writer = self:writer "train"
  writer:graph(self.model)
  local ok, json = pcall(function() return self.model:to_json() end)
  -- A model with parts that have no config is shown by its graph alone.
  if ok then
    writer:write_value("keras", summary.string_tensor({ json }, {}), 0, "graph_keras_model", "1")
  end
end

local function start_files(self)
  self:writer "train"
  -- A run has one graph.
  if self.write_graph and self.shown ~= self.model then
    write_model(self)
    self.shown = self.model
  end
  if self.hparams then self:writer ".":hparams(self.hparams) end
end

function TensorBoard:on_train_begin()
  self.offset, self.fit_batch, self.is_training = nil, 0, true
  local optimizer = self.model and rawget(self.model, "optimizer")
  if optimizer then self.batches = math.max(self.batches, optimizer.iterations) end
  if self.embeddings_freq > 0 then embeddings.check(self.model, self.embeddings_metadata) end
  start_probes(self)
  -- A run that is continued does this when it has its state, and with it the files of then.
  local list = self.model and self.model.callbacks
  if not (list and list:will_restore(self)) then start_files(self) end
end

-- ---- batches ----

function TensorBoard:start_clock() self.batch_start = core.clock() end

--- on_train_batch_end where metrics are written each batch, or every so many.
function TensorBoard:write_batch(_, logs)
  local step = self.batches + 1
  self.batches = step
  if step % self.every ~= 0 then return end
  local writer = self.writers.train or self:writer "train"
  writer:scalars("batch_", logs, step)
  if self.batch_start then
    writer:scalar("batch_steps_per_second", 1 / math.max(core.clock() - self.batch_start, 1e-9), step)
  end
end

-- ---- a profile of batches ----

-- The trace is where TensorBoard keeps profiles; Chrome and Perfetto open it. The table is a text.
local function stop_profile(self)
  if not self.profiling then return end
  self.profiling = nil
  local found = profile.stop(self.model)
  local name = ("batch_%d"):format(self.profile_last)
  local place = ("%s/train/plugins/profile/%s"):format(self.log_dir, name)
  local made, message = pcall(core.make_folder, place)
  local written, problem = core.write_text(place .. "/cdl.trace.json", profile.trace(found))
  if not written then warn(self, made and problem or message) end
  self:writer "train":text(name, "```\n" .. profile.text(found, core.clock() - self.profile_start) .. "\n```",
    self.profile_last)
end

--- on_train_batch_begin where a profile is wanted.
function TensorBoard:begin_batch()
  self.fit_batch = self.fit_batch + 1
  if self.fit_batch == self.profile_first then
    if rawget(self.model, "_profile") then
      core.warn "TensorBoard: this fit is profiled already, so profile_batch writes nothing"
    else
      self.profiling, self.profile_start = true, core.clock()
      profile.start(self.model, self.profile_last - self.profile_first + 1)
    end
  end
  if self.every and self.write_steps_per_second then self:start_clock() end
end

--- on_train_batch_end where a profile is wanted.
function TensorBoard:end_batch(batch, logs)
  if self.every then self:write_batch(batch, logs) end
  if self.fit_batch >= self.profile_last then stop_profile(self) end
end

-- ---- epochs ----

function TensorBoard:on_epoch_begin(epoch)
  if not self.offset then
    local last = self.last_epoch
    self.offset = last and epoch <= last and last + 1 - epoch or 0
  end
  if self.write_steps_per_second then
    self.epoch_start, self.epoch_iterations = core.clock(), self.model.optimizer.iterations
  end
end

local function add_learning_rates(self, logs)
  local list = optimizers_of(self.model)
  for _, entry in ipairs(list) do
    local name = #list == 1 and "learning_rate" or "learning_rate_" .. entry.name
    logs[name] = entry.optimizer.learning_rate
  end
end

local function write_metrics(self, step, logs)
  local train, validation = {}, {}
  for name, value in pairs(logs) do
    local rest = name:match "^val_(.+)"
    if rest then validation[rest] = value else train[name] = value end
  end
  if next(logs) == nil then return end
  add_learning_rates(self, train)
  if self.epoch_start then
    train.steps_per_second = (self.model.optimizer.iterations - self.epoch_iterations)
      / math.max(core.clock() - self.epoch_start, 1e-9)
  end
  self:writer "train":scalars("epoch_", train, step)
  if next(validation) then self:writer "validation":scalars("epoch_", validation, step) end
end

-- A weight as grey pictures from its least to its greatest value: a matrix lies on its long side, and a kernel of
-- two dimensions gives one for each pair of channels. nil where there is no such form.
local function weight_pictures(variable)
  local x = variable:value():squeeze()
  local shape = x.shape
  if x.size == 0 or #shape == 0 then return nil end
  if #shape == 1 then
    x = x:reshape { 1, shape[1], 1, 1 }
  elseif #shape == 2 then
    if shape[1] > shape[2] then x = x:transpose(1, 2) end
    x = x:reshape { 1, x.shape[1], x.shape[2], 1 }
  elseif #shape == 3 then
    x = x:permute { 3, 1, 2 }:reshape { shape[3], shape[1], shape[2], 1 }
  elseif #shape == 4 and (shape[3] == 3) then
    x = x:permute { 4, 1, 2, 3 }
  else
    return nil
  end
  local least = ops.min(x):item()
  local range = ops.max(x):item() - least
  return (x - least) / (range > 0 and range or 1)
end

local function write_weights(self, step)
  local writer, seen = self:writer "train", {}
  for _, layer in ipairs(self.model.layers) do
    for _, variable in ipairs(layer.weights) do
      if not seen[variable] then
        seen[variable] = true
        local path = variable.path:gsub(":", "_")
        writer:histogram(path .. "/histogram", variable, step)
        local pictures = self.write_images and weight_pictures(variable)
        if pictures then writer:image(path .. "/image", pictures, step, { max_outputs = 16 }) end
      end
    end
  end
end

local function write_found(self, step, found, suffix)
  local writer = self:writer "train"
  for _, entry in ipairs(found) do writer:histogram(entry.name .. suffix, entry.value, step) end
end

local function is_due(every, epoch) return every > 0 and (epoch - 1) % every == 0 end

function TensorBoard:on_epoch_end(epoch, logs)
  local step = epoch + (self.offset or 0)
  self.last_epoch = step
  write_metrics(self, step, logs or {})
  if is_due(self.histogram_freq, epoch) then write_weights(self, step) end
  if self.activations and is_due(self.activation_freq, epoch) then
    write_found(self, step, self.activations(self.validation_data), "/activation/histogram")
  end
  if self.gradients and is_due(self.gradient_freq, epoch) then
    write_found(self, step, self.gradients(self.validation_data), "/gradient/histogram")
  end
  if is_due(self.embeddings_freq, epoch) then
    embeddings.write(self.model, self.embeddings_metadata, self.log_dir, function(problem) warn(self, problem) end)
  end
end

function TensorBoard:on_test_end(logs)
  local optimizer = self.model and rawget(self.model, "optimizer")
  if not optimizer then return end
  local values = {}
  for name, value in pairs(logs or {}) do values[("evaluation_%s_vs_iterations"):format(name)] = value end
  self:writer "validation":scalars("", values, optimizer.iterations)
end

-- ---- the end ----

function TensorBoard:on_train_end()
  stop_profile(self)
  close(self, "success")
end

function TensorBoard:on_exit(reason)
  self.is_training = false
  stop_profile(self)
  close(self, reason == "error" and "failure" or "success")
end

-- ---- snapshots ----

function TensorBoard:state()
  local files = {}
  for run, writer in pairs(self.writers) do
    local path, bytes = writer:place()
    if path then files[run] = { name = path:match "[^/]*$", bytes = bytes } end
  end
  return { last_epoch = self.last_epoch, offset = self.offset, batches = self.batches,
    shown = self.shown ~= nil, files = files }
end

-- Drops what a file got after the snapshot.
local function cut(path, length)
  local file = io.open(path, "rb")
  local bytes = file and file:seek "end" or 0
  if file then file:close() end
  if bytes <= length then return end
  local ok, problem = core.truncate_file(path, length)
  if not ok then core.warn("TensorBoard: " .. problem) end
end

function TensorBoard:load_state(state)
  self.last_epoch, self.offset, self.batches = state.last_epoch, state.offset, state.batches
  self.shown = state.shown and self.model or nil
  if not self.is_training then return end -- a run that has ended: its files stay as they are
  close(self, "success")
  for run, file in pairs(state.files) do
    -- The writer of the new file holds the folder's lock, so nobody writes to the old one.
    cut(self:writer(run).folder .. "/" .. file.name, file.bytes)
  end
  start_files(self)
end

return TensorBoard
