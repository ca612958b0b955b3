--- What one batch of training, evaluation and prediction does: losses, gradients, update, metrics.
-- These functions are traced; see program.lua.
local by_output = require "cdl.by_output"
local core = require "cdl.core"
local losses = require "cdl.losses"
local metrics = require "cdl.metrics"
local Model = require "cdl.model"
local ops = require "cdl.ops"
local scopes = require "cdl.scope"
local signature = require "cdl.signature"
local trackers = require "cdl.trackers"
local tree = require "cdl.tree"
local words = require "cdl.words"

local M = {}

local function is_dict(x) return words.is_plain(x) and #x == 0 end

-- The outputs' names: the graph's, the keys of a dict, or made up.
local function output_names(self, y_pred)
  if self.output_names then return self.output_names end
  if is_dict(y_pred) then return words.sorted_keys(y_pred) end
  local names, count = {}, words.is_plain(y_pred) and #y_pred or 1
  for i = 1, count do names[i] = count == 1 and "output" or ("output_%d"):format(i) end
  return names
end

local function as_list(x)
  if words.is_plain(x) then
    if #x > 0 then return x end
    local list = {}
    for i, key in ipairs(words.sorted_keys(x)) do list[i] = x[key] end
    return list
  end
  return { x }
end

-- Predictions, labels or weights in the order of the outputs; false where a dict has none.
local function in_order(x, names)
  if not is_dict(x) or (#names == 1 and x[names[1]] == nil) then return as_list(x) end
  local list = {}
  for i, name in ipairs(names) do list[i] = x[name] or false end
  return list
end

-- One weight alone is that of all outputs.
local function weight_of(weights, i)
  if weights[i] == nil then return weights[1] or nil end
  return weights[i] or nil
end

--- Weight penalties of the trainable weights, a list of scalars.
function Model:regularization()
  local list, seen = {}, {}
  self:each_weight(function(weight, frozen)
    if weight.regularizer and not frozen and weight.variable.trainable and not seen[weight.variable] then
      seen[weight.variable] = true
      list[#list + 1] = weight.regularizer(weight.variable)
    end
  end)
  return list
end

--- The total loss of a batch: losses of the outputs by their weights, what layers add, penalties.
-- Call it from an own train_step, too. y and y_pred are structures; y may be nil.
function Model:compute_loss(x, y, y_pred, sample_weight)
  trackers.start(self)
  local compiled, scope = self._compiled, scopes.current()
  local names = output_names(self, y_pred)
  local predictions = in_order(y_pred, names)
  local given = by_output.entries(compiled.loss, names, "loss")
  local weights = by_output.entries(compiled.loss_weights, names, "loss_weights")
  local labels = y ~= nil and in_order(y, names) or {}
  local sample_weights = sample_weight ~= nil and in_order(sample_weight, names) or {}
  local parts = {}
  for i, prediction in ipairs(predictions) do
    if given[i] ~= nil and given[i] ~= false then
      if not labels[i] then
        core.raise(("the loss of output '%s' wants labels, but no y was given for it"):format(names[i]))
      end
      local loss = losses.get(given[i], labels[i], prediction)
      -- The path tells that an index out of range is a label; a user's function has lines of its own.
      local path = loss.args.fn and scope.path or ("loss '%s'"):format(loss.name)
      local value = scopes.with({ path = path }, loss, labels[i], prediction,
        weight_of(sample_weights, i))
      parts[#parts + 1] = { name = names[i], value = value, weight = weights[i] }
    end
  end
  local total
  local function add(value) total = total and total + value or value end
  for _, part in ipairs(parts) do
    add(part.weight and part.value * part.weight or part.value)
  end
  for _, value in ipairs(scope.losses or {}) do add(value) end
  for _, value in ipairs(self:regularization()) do add(value) end
  if not total then
    core.raise(("model '%s' has no loss: give compile a loss, or call add_loss in a layer"):format(self.name))
  end
  rawset(self, "_loss_parts", #parts > 1 and parts or {})
  return total
end

local function batch_size(x)
  local first = as_list(x)[1]
  return first.shape[1]
end

-- Feeds the loss trackers; the loss of each output too when there are several.
local function track_losses(self, loss, x)
  local rows = batch_size(x)
  trackers.mean(self, "loss").metric:update_state(loss, rows)
  for _, part in ipairs(self._loss_parts or {}) do
    trackers.mean(self, part.name .. "_loss").metric:update_state(part.value, rows)
  end
end

-- The metrics of one output, from what compile was given; made once.
local function output_metrics(self, list, prefix, y_true, y_pred, weighted)
  local result = {}
  local labels, predictions = { shape = y_true.shape }, { shape = y_pred.shape }
  for i, identifier in ipairs(list or {}) do
    if identifier ~= signature.null and identifier ~= false then
      local metric, name = core.suspend(metrics.get, identifier, labels, predictions)
      name = prefix .. name
      if weighted and self._trackers.by_name[name] then name = prefix .. "weighted_" .. name:sub(#prefix + 1) end
      name = trackers.unique(self, name)
      result[i] = trackers.new(self, name, function() return metric end)
    end
  end
  return result
end

--- Updates the compiled metrics with a batch; call it from an own train_step, too.
function Model:compute_metrics(x, y, y_pred, sample_weight)
  trackers.start(self)
  local compiled = self._compiled
  local names = output_names(self, y_pred)
  local predictions = in_order(y_pred, names)
  local labels = y ~= nil and in_order(y, names) or {}
  local sample_weights = sample_weight ~= nil and in_order(sample_weight, names) or {}
  local made = self._trackers.outputs
  if not made then
    made = {}
    self._trackers.outputs = made
    local plain = by_output.metrics(compiled.metrics, names, "metrics")
    local weighted = by_output.metrics(compiled.weighted_metrics, names, "weighted_metrics")
    for i, prediction in ipairs(predictions) do
      local prefix = #predictions > 1 and names[i] .. "_" or ""
      if labels[i] then
        made[i] = { plain = output_metrics(self, plain[i], prefix, labels[i], prediction, false),
          weighted = output_metrics(self, weighted[i], prefix, labels[i], prediction, true) }
      end
    end
  end
  for i, prediction in ipairs(predictions) do
    if made[i] then
      for _, tracker in ipairs(made[i].plain) do
        trackers.use(self, tracker).metric:update_state(labels[i], prediction)
      end
      for _, tracker in ipairs(made[i].weighted) do
        trackers.use(self, tracker).metric:update_state(labels[i], prediction, weight_of(sample_weights, i))
      end
    end
  end
end

-- ---- steps ----

-- What the model gives for a batch; several values are a list.
local function predict(self, x, training)
  local results = table.pack(self(x, training))
  if results.n <= 1 then return results[1] end
  results.n = nil
  return results
end

--- One batch of training: forward, loss, gradients, update. Override it for other ways to train; it
-- returns a dict of scalars for the logs (nil: the compiled loss and metrics alone).
function Model:train_step(x, y, sample_weight)
  local y_pred = predict(self, x, true)
  local loss = self:compute_loss(x, y, y_pred, sample_weight)
  local weights = self:captured_weights()
  if #weights > 0 then
    local optimizer = self.optimizer
    local gradients, found = core.gradients({ optimizer:scale_loss(loss) }, weights, true)
    if found == 0 then
      core.raise(("model '%s': the loss depends on no trainable weight, so there is no gradient "
        .. "(integers, comparisons and stop_gradient pass none on)"):format(self.name))
    end
    optimizer:apply(gradients, weights)
  end
  track_losses(self, loss, x)
  self:compute_metrics(x, y, y_pred, sample_weight)
end

--- One batch of evaluation.
function Model:test_step(x, y, sample_weight)
  local y_pred = predict(self, x, false)
  local loss = self:compute_loss(x, y, y_pred, sample_weight)
  track_losses(self, loss, x)
  self:compute_metrics(x, y, y_pred, sample_weight)
end

--- One batch of prediction.
function Model:predict_step(x) return predict(self, x, false) end

-- The logs of an own step: metrics' results stay what they are, other scalars become means.
local function track_results(self, results)
  if results == nil then return end
  if not words.is_plain(results) then
    core.raise(("model '%s': a step returns a dict of scalars for the logs, got %s"):format(self.name,
      words.describe(results)))
  end
  if #results > 0 then
    core.raise(("model '%s': a step returns a dict of scalars for the logs: {loss = loss}; its entry 1 has no name")
      :format(self.name))
  end
  for _, name in ipairs(words.sorted_keys(results)) do
    local value = results[name]
    local metric = metrics.result_of(value)
    if metric then
      local tracker = self._trackers.by_name[name] or trackers.new(self, name, function() return metric end)
      trackers.use(self, tracker)
    else
      if type(value) ~= "number" and not core.is_tensor(value) then
        core.raise(("model '%s': the step's '%s' is %s; wanted a scalar tensor"):format(self.name, name,
          words.describe(value)))
      end
      trackers.mean(self, name).metric:update_state(value, 1)
    end
  end
end

--- One batch of a mode, inside its trace: the flat predictions of "predict", else nothing.
function M.run(self, mode, x, y, w)
  trackers.start(self)
  self._trackers.mode = mode
  if mode == "predict" then
    local results, spec = tree.flatten(self:predict_step(x), nil, "what predict_step returned")
    rawset(self, "_predict_spec", spec)
    return results
  end
  local step = mode == "train" and self.train_step or self.test_step
  track_results(self, step(self, x, y, w))
  for _, added in ipairs(scopes.current().metrics) do
    trackers.mean(self, added.name).metric:update_state(ops.mean(added.value), batch_size(x))
  end
  return {}
end

return M
