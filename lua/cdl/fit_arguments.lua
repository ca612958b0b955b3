--- The arguments of fit, evaluate, predict and their one-batch forms: their signatures, and how those
-- are read that may be of several kinds.
local core = require "cdl.core"
local signature = require "cdl.signature"
local ProgbarLogger = require "cdl.callbacks.progbar_logger"

local M = {}

local common = {
  batch_size = { "batch_size", "integer", min = 1,
    doc = "samples in a step; 32, or as many as make the given number of steps" },
  verbose = { "verbose", "any", "auto",
    doc = "0 silent, 1 a bar, 2 a line an epoch; 'auto' is 1 on a terminal, else 2" },
  callbacks = { "callbacks", "any", doc = "a callback or a list of them" },
  sample_weight = { "sample_weight", "any", doc = "a weight for each sample" },
  profile = { "profile", "boolean|string", false,
    doc = "print where the time of a step goes, at the end; a path: write a trace there, too" },
}

M.fit = signature.new("fit", {
  { "model", "any", required = true },
  { "x", "data", doc = "inputs: a tensor, a list, or a dict by input name; or a generator, or a Dataset" },
  { "y", "data", doc = "targets: the same by output" },
  common.batch_size,
  { "epochs", "integer", 1, min = 0, doc = "number of the last epoch" },
  common.verbose,
  common.callbacks,
  { "validation_split", "number", 0, min = 0, below = 1,
    doc = "this part of the samples, the last ones, is kept for validation" },
  { "validation_data", "any", doc = "{x, y} or {x, y, sample_weight}; or a generator, or a Dataset" },
  { "shuffle", "any", doc = "true, or left out: a new order each epoch; 'batch': within batches; false" },
  { "class_weight", "any", doc = "weights by class label: {[0] = 1.0, [1] = 3.0}" },
  common.sample_weight,
  { "initial_epoch", "integer", 1, min = 1, doc = "number of the first epoch" },
  { "steps_per_epoch", "integer", min = 1, doc = "batches in an epoch; the next one goes on there" },
  { "validation_steps", "integer", min = 1, doc = "batches of a validation" },
  { "validation_batch_size", "integer", min = 1, doc = "batch_size when left out" },
  { "validation_freq", "any", 1, doc = "validate in every n-th epoch, or in a list of epochs" },
  { "resume", "string",
    doc = "folder: keeps the run there, saved each epoch and each minute; goes on with one that was cut short" },
  common.profile,
  { "keep_epochs", "integer", min = 0,
    doc = "so many states after an epoch stay in memory, for model:rewind(epoch); 10 in at most 32 MB if left out" },
  { "profile_callbacks", "boolean", false, doc = "print what each callback's hooks cost, at the end" },
}, { method = true, doc = "trains the model and returns its History" })

M.evaluate = signature.new("evaluate", {
  { "model", "any", required = true },
  { "x", "data", doc = "inputs; or a generator, or a Dataset" },
  { "y", "data", doc = "targets" },
  common.batch_size, common.verbose, common.sample_weight,
  { "steps", "integer", min = 1, doc = "number of batches; all when left out" },
  common.callbacks,
  { "return_dict", "boolean", false, doc = "a table by name in place of several values" },
  common.profile,
}, { method = true, doc = "the loss and the metrics on data, as several values" })

M.predict = signature.new("predict", {
  { "model", "any", required = true },
  { "x", "data", doc = "inputs; or a generator, or a Dataset, whose targets are passed over" },
  common.batch_size, common.verbose,
  { "steps", "integer", min = 1, doc = "number of batches; all when left out" },
  common.callbacks,
  common.profile,
}, { method = true, doc = "the model's outputs for data" })

--- 0, 1 or 2.
function M.verbose(where, verbose)
  if verbose == "auto" then return ProgbarLogger.resolve_verbose(verbose) end
  local level = math.type(verbose) and math.tointeger(verbose)
  if level and level >= 0 and level <= 2 then return level end
  core.raise(("%s: verbose must be 0, 1, 2 or 'auto', got %s"):format(where,
    signature.describe(verbose)))
end

--- "rows", "none" or "batch".
function M.shuffle(shuffle)
  if shuffle == true or shuffle == nil then return "rows" elseif shuffle == false then return "none" end
  if shuffle == "batch" then return "batch" end
  core.raise(("fit: shuffle must be true, false or 'batch', got %s"):format(
    signature.describe(shuffle)))
end

--- An integer n, or nil and a list of epochs: the loop's two fields.
function M.validation_freq(freq)
  local every = math.type(freq) and math.tointeger(freq)
  if every and every >= 1 then return every end
  local ok = type(freq) == "table" and getmetatable(freq) == nil
  local epochs = {}
  for i, epoch in ipairs(ok and freq or {}) do
    epochs[i] = math.type(epoch) and math.tointeger(epoch)
    ok = ok and epochs[i]
  end
  if ok and #epochs > 0 then return nil, epochs end
  core.raise(("fit: validation_freq must be a number of epochs, at least 1, or a list of epoch "
    .. "numbers, got %s"):format(signature.describe(freq)))
end

local function step_signature(name, class_weights)
  local rows = {
    { "model", "any", required = true },
    { "x", "data", doc = "inputs" },
    { "y", "data", doc = "targets" },
    common.sample_weight,
  }
  if class_weights then rows[#rows + 1] = { "class_weight", "any", doc = "weights by class label" } end
  rows[#rows + 1] = { "return_dict", "boolean", false, doc = "a table by name in place of several values" }
  return signature.new(name, rows, { method = true, doc = "the loss and the metrics of one batch" })
end

M.train_on_batch = step_signature("train_on_batch", true)
M.test_on_batch = step_signature("test_on_batch", false)
M.predict_on_batch = signature.new("predict_on_batch", {
  { "model", "any", required = true },
  { "x", "data", doc = "inputs" },
}, { method = true, doc = "the model's outputs for one batch" })

--- True for a name that no input or output of a model may have: a last table with only such names
-- is the options of fit, evaluate or predict.
function M.is_option(name)
  for _, sig in ipairs { M.fit, M.evaluate, M.predict } do
    local param = sig.by_name[name]
    if param and param.index > 1 and not param.reader.data then return true end
  end
  return false
end

return M
