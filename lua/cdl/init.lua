--- cdl: `local cdl = require "cdl"`. Submodules load when they are first used.
local core = require "cdl.core"
local signature = require "cdl.signature"

local M = { null = signature.null }

local modules = {}
for name in ([[activations applications autodiff callbacks constraints data datasets graph initializers io layers
    losses metrics ops optimizers random regularizers schedules summary utils help]]):gmatch "%a+" do
  modules[name] = true
end
modules.autodiff = nil

-- Names of cdl itself: the module that makes them, and the field there (nil: the module).
local names = {
  Model = { "cdl.models", "Model" },
  Sequential = { "cdl.models", "Sequential" },
  models = { "cdl.models" },
  Input = { "cdl.input", "Input" },
  Layer = { "cdl.layer" },
  Variable = { "cdl.variable" },
  Callback = { "cdl.callbacks", "Callback" },
  Loss = { "cdl.losses", "Loss" },
  Metric = { "cdl.metrics", "Metric" },
  Optimizer = { "cdl.optimizers", "Optimizer" },
  Function = { "cdl.autodiff", "Function" },
  jit = { "cdl.autodiff", "jit" },
  grad = { "cdl.autodiff", "grad" },
  value_and_grad = { "cdl.autodiff", "value_and_grad" },
  gradients = { "cdl.autodiff", "gradients" },
}

function M.is_tensor(x)
  return core.is_tensor(x) or require "cdl.symbol".is(x)
end
signature.register(M.is_tensor, signature.new("is_tensor", { { "x", "any", doc = "anything" } },
  { doc = "True for eager, traced and symbolic tensors." }))

local function find(_, key)
  local value
  if modules[key] then
    value = require("cdl." .. key)
  elseif names[key] then
    local from = names[key]
    value = require(from[1])
    if from[2] then value = value[from[2]] end
  elseif type(key) == "string" then
    value = require "cdl.ops"[key]
  end
  if value ~= nil then rawset(M, key, value) end
  return value
end

--- Every public name of cdl, in alphabetical order (completion and help).
function M.names()
  local list = {}
  for _, from in ipairs { modules, names, require "cdl.ops" } do
    for name in pairs(from) do list[#list + 1] = name end
  end
  list[#list + 1] = "is_tensor"
  table.sort(list)
  return list
end

-- Tensor methods and operators are there as soon as cdl is.
require "cdl.ops"
require "cdl.variable"

return setmetatable(M, { __index = find })
