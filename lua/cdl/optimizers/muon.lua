--- Muon: matrices move along the orthogonal matrix nearest to their momentum (Jordan 2024; Liu et al.
-- 2025 for the scale and the decay); everything else, and embeddings, as by AdamW.
local Optimizer = require "cdl.optimizers.apply"
local core = require "cdl.core"
local ops = require "cdl.ops"

local adam_update = core.row "adam_update"

local Muon = Optimizer:extend "Muon"
Muon.doc = "Momentum made orthogonal by Newton and Schulz's iteration for matrices; AdamW for other variables, for "
  .. "embeddings and for exclude_layers."
Muon.signature = {
  Optimizer.learning_rate_row(0.001),
  { "adam_beta_1", "number", 0.9, min = 0, max = 1, doc = "of AdamW: how slowly the mean gradient follows" },
  { "adam_beta_2", "number", 0.999, min = 0, max = 1, doc = "of AdamW: how slowly the mean square follows" },
  { "adam_weight_decay", "number", 0.004, min = 0, null = true, doc = "of AdamW: weight_decay" },
  { "epsilon", "number", 1e-7, min = 0, doc = "of AdamW: added to the root" },
  { "weight_decay", "number", 0.004, min = 0, null = true,
    doc = "matrices shrink by this part times learning_rate at each step" },
}
-- Keras has the arguments of all optimizers in the middle, from clipnorm to name.
for _, row in ipairs(Optimizer.base_arguments) do
  if row[1] ~= "learning_rate" and row[1] ~= "weight_decay" then table.insert(Muon.signature, row) end
end
for _, row in ipairs {
  { "exclude_layers", "list", {}, of = "string", doc = "Lua patterns, searched for in variables' paths: AdamW" },
  { "exclude_embeddings", "boolean", true, doc = "embeddings are updated by AdamW" },
  { "muon_a", "number", 3.4445, doc = "of the iteration X = a X + (b A + c A^2) X, A = X X^T" },
  { "muon_b", "number", -4.775, doc = "of the iteration" },
  { "muon_c", "number", 2.0315, doc = "of the iteration" },
  { "adam_lr_ratio", "number", 1, doc = "AdamW's learning rate as a part of learning_rate" },
  { "momentum", "number", 0.95, min = 0, max = 1, doc = "how slowly the gradients' sum decays" },
  { "ns_steps", "integer", 5, min = 1, doc = "iterations" },
  { "nesterov", "boolean", true, doc = "step along the momentum of the next step" },
  { "rms_rate", "number", 0.2, null = true, doc = "steps are scaled by it and the root of the longer side" },
} do table.insert(Muon.signature, row) end

local function is_for_adam(self, variable)
  if #variable.shape ~= 2 then return true end
  if self.exclude_embeddings and variable.path:lower():find("embedding", 1, true) then return true end
  for _, pattern in ipairs(self.exclude_layers) do
    if variable.path:find(pattern) then return true end
  end
  return false
end

function Muon:build(variables)
  for _, variable in ipairs(variables) do
    self:add_slot(variable, "momentum")
    if is_for_adam(self, variable) then self:add_slot(variable, "velocity") end
  end
end

function Muon:decay_name(variable)
  return is_for_adam(self, variable) and "adam_weight_decay" or "weight_decay"
end

-- The orthogonal matrix near x, roughly: all singular values come close to 1.
local function orthogonalize(self, x)
  local is_tall = x.shape[1] > x.shape[2]
  if is_tall then x = ops.transpose(x) end
  x = x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-7)
  local a, b, c = self:parameter "muon_a", self:parameter "muon_b", self:parameter "muon_c"
  for _ = 1, self.ns_steps do
    local gram = ops.matmul(x, ops.transpose(x))
    x = x * a + ops.matmul(gram * b + ops.matmul(gram * c, gram), x)
  end
  return is_tall and ops.transpose(x) or x
end

local function adam_step(self, gradient, variable, learning_rate)
  local momentum, velocity = self:slot(variable, "momentum"), self:slot(variable, "velocity")
  local value, m, v = adam_update(nil, nil, self.start_of(variable), momentum, velocity, gradient,
    learning_rate * self:parameter "adam_lr_ratio", self:parameter "adam_beta_1", self:parameter "adam_beta_2",
    self:parameter "epsilon", self:count())
  core.assign(momentum, m)
  core.assign(velocity, v)
  self.finish(variable, value)
end

function Muon:update_step(gradient, variable, learning_rate)
  if self:slot(variable, "velocity") then return adam_step(self, gradient, variable, learning_rate) end
  local momentum, rate = self:slot(variable, "momentum"), self:parameter "momentum"
  core.assign(momentum, momentum * rate + gradient)
  local direction = core.read(momentum)
  if self.nesterov then direction = gradient + direction * rate end
  local step = orthogonalize(self, direction) * learning_rate
  if self.rms_rate then
    step = step * (self:parameter "rms_rate" * math.sqrt(math.max(variable.shape[1], variable.shape[2])))
  end
  core.assign(variable, variable - step)
end

return Muon
