--- Compiling a model: optimizer, loss and metrics. What they do with a batch is in steps.lua, how a
-- batch becomes a plan in program.lua.
local core = require "cdl.core"
local losses = require "cdl.losses"
local metrics = require "cdl.metrics"
local Model = require "cdl.model"
local optimizers = require "cdl.optimizers"
local signature = require "cdl.signature"
local words = require "cdl.words"
require "cdl.program"

local compile_signature = signature.new("compile", {
  { "model", "any", required = true },
  { "optimizer", "any", "rmsprop", doc = "a name or an optimizer" },
  { "loss", "any", doc = "a name, a loss, a function (y_true, y_pred), a list or dict by output" },
  { "loss_weights", "any", doc = "a number per output: a list or dict" },
  { "metrics", "any", {}, doc = "names, metrics or functions: a list, or lists or dict by output" },
  { "weighted_metrics", "any", {}, doc = "the same, weighted by sample_weight" },
}, { doc = "Says how the model is trained: optimizer, loss and metrics.", method = true })

-- Raises for what no loss or metric can be, while the user's compile line is to blame.
local function check_names(x, check, depth)
  if type(x) == "string" then check(x) end
  if type(x) == "number" or x == true then
    core.raise("compile: a loss or metric is a name, a function or an object, got " .. words.describe(x))
  end
  if depth > 0 and words.is_plain(x) then
    for _, entry in pairs(x) do check_names(entry, check, depth - 1) end
  end
end

--- Compiles the model. Named arguments that compile does not know become fields of a model with a
-- train_step of its own (`d_optimizer = ...`).
function Model:compile(...)
  local given, fields = { ... }, {}
  if self.train_step ~= Model.train_step and #given == 1 and words.is_plain(given[1]) then
    local known = {}
    for key, value in pairs(given[1]) do
      if compile_signature.by_name[key] or type(key) ~= "string" then
        known[key] = value
      else
        self[key], fields[key] = value, value
      end
    end
    given = { known }
  end
  local args = compile_signature:read(self, table.unpack(given))
  check_names(args.loss, losses.check_name, 1)
  check_names(args.metrics, metrics.check_name, 2)
  check_names(args.weighted_metrics, metrics.check_name, 2)
  local optimizer = optimizers.get(args.optimizer)
  rawset(self, "optimizer", optimizer)
  rawset(self, "_compiled", { loss = args.loss, loss_weights = args.loss_weights, metrics = args.metrics,
    weighted_metrics = args.weighted_metrics, fields = fields })
  rawset(self, "_programs", nil)
  rawset(self, "_trackers", nil)
  rawset(self, "_captured", nil)
  rawset(self, "_steps", nil)
  -- A model without weights yet captures them at its first step.
  if self.built and #self.weights > 0 then self:captured_weights() end
end
signature.register(Model.compile, compile_signature)

--- Raises unless the model can do what `what` ("fit") says.
function Model:need_compiled(what)
  if rawget(self, "_compiled") then return end
  if what == "fit" and self.train_step ~= Model.train_step then
    self:compile {}
    return
  end
  core.raise(("model '%s' is not compiled: call model:compile{optimizer = ..., loss = ...} before %s")
    :format(self.name, what))
end

--- The variables that the optimizer trains: the trainable weights when the model was compiled (or
-- first built after that).
function Model:captured_weights()
  if not rawget(self, "_captured") then
    rawset(self, "_captured", self.trainable_weights)
    rawset(self, "_captured_from", #self.weights)
    self:each_weight(function(weight)
      if weight.constraint then self.optimizer.constraints[weight.variable] = weight.constraint end
    end)
  end
  return self._captured
end

--- What makes the trainable weights others than compile has captured: "`trainable` has" or, after
-- add and pop, "layers have"; nil when they are the same.
function Model:changed_since_compile()
  local captured, now = rawget(self, "_captured"), self.trainable_weights
  if not captured then return nil end
  local same, known, weights = #now == #captured, {}, self.weights
  if #weights ~= self._captured_from then return "layers have" end
  for _, variable in ipairs(weights) do known[variable] = true end
  for i, variable in ipairs(captured) do
    if not known[variable] then return "layers have" end
    same = same and variable == now[i]
  end
  return not same and "`trainable` has" or nil
end

return Model
