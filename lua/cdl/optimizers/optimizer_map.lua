--- OptimizerMap: which optimizer is for which variable, by the variable's path. A key is a path, or a
-- Lua pattern that has to match all of one.
--
--     local map = cdl.optimizers.OptimizerMap(cdl.optimizers.SGD(), { ["encoder/.*"] = cdl.optimizers.Adam() })
--     model:compile { optimizer = cdl.optimizers.MultiOptimizer(map), loss = "mse" }
local Configured = require "cdl.configured"
local Optimizer = require "cdl.optimizers.apply"
local class = require "cdl.class"
local core = require "cdl.core"
local words = require "cdl.words"

local OptimizerMap = Configured:extend "OptimizerMap"
OptimizerMap.doc = "Optimizers by variables' paths, for MultiOptimizer."
OptimizerMap.signature = {
  { "default_optimizer", "any", required = true, doc = "for variables that no key is for" },
  { "optimizer_map", "data", doc = "{[path or Lua pattern] = optimizer}" },
}

local function check_optimizer(optimizer, what)
  if class.is(optimizer, Optimizer) then return optimizer end
  return core.raise(("OptimizerMap: %s must be an optimizer, got %s"):format(what, words.describe(optimizer)))
end

function OptimizerMap:init(args)
  local map = args.optimizer_map or {}
  if not words.is_plain(map) then
    core.raise("OptimizerMap: optimizer_map must be a table, got " .. words.describe(map))
  end
  self.default_optimizer = check_optimizer(args.default_optimizer, "default_optimizer")
  self.optimizer_map = {}
  for key, optimizer in pairs(map) do
    if type(key) ~= "string" then
      core.raise("OptimizerMap: keys are paths of variables (string), got " .. words.describe(key))
    end
    self.optimizer_map[key] = check_optimizer(optimizer, "the entry '" .. key .. "'")
  end
end

--- The optimizer for a path.
function OptimizerMap:find(path)
  local exact, found = self.optimizer_map[path], nil
  if exact then return exact end
  for _, key in ipairs(words.sorted_keys(self.optimizer_map)) do
    if path:find("^" .. key .. "$") then
      if found then
        core.raise(("OptimizerMap: '%s' and '%s' are both for variable '%s'"):format(found, key, path))
      end
      found = key
    end
  end
  return found and self.optimizer_map[found] or self.default_optimizer
end

function OptimizerMap:__call(variable) return self:find(variable.path) end

return OptimizerMap
