--- Optimizers (`cdl.optimizers`): how training changes variables.
local Optimizer = require "cdl.optimizers.apply"
local class = require "cdl.class"
local core = require "cdl.core"
local registry = require "cdl.registry"
local words = require "cdl.words"

local M = { Optimizer = Optimizer }

local all = registry.new("optimizer", Optimizer)

for _, name in ipairs { "sgd", "rmsprop", "adam", "adamw", "adamax", "nadam", "adagrad", "adadelta", "ftrl", "lion",
  "lamb", "adafactor", "muon", "schedule_free_adamw", "loss_scale", "multi" } do
  local cls = require("cdl.optimizers." .. name)
  M[class.name_of(cls)] = all:add(cls)
end

M.OptimizerMap = require "cdl.optimizers.optimizer_map"

-- Keras spells the schedules like this, too.
M.schedules = require "cdl.schedules"

--- True for an optimizer.
function M.is_optimizer(x) return class.is(x, Optimizer) end

--- The optimizer that is meant by a name (in any case), a class (a new one) or an optimizer.
function M.get(identifier)
  local optimizer = all:get(identifier)
  if not M.is_optimizer(optimizer) then
    core.raise("optimizer must be a name or an optimizer, got " .. words.describe(optimizer))
  end
  return optimizer
end

return M
