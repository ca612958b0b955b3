--- The optimizers of a model: the one that it was compiled with, and those in its fields, which a
-- train_step of its own uses.
local class = require "cdl.class"
local Optimizer = require "cdl.optimizers.optimizer"
local words = require "cdl.words"

--- A list of { name = field, optimizer = } in a fixed order, each optimizer once.
return function(model)
  local list, seen = {}, {}
  local function add(name, value)
    if not class.is(value, Optimizer) or seen[value] then return end
    seen[value] = true
    list[#list + 1] = { name = name, optimizer = value }
  end
  add("optimizer", rawget(model, "optimizer"))
  for _, name in ipairs(words.sorted_keys(model)) do add(name, rawget(model, name)) end
  return list
end
