--- What a model's steps become (`cdl.graph`): plans as text.
local core = require "cdl.core"
local signature = require "cdl.signature"

local M = {}

-- A plan that has run already, or the one for prediction with so many samples.
local function plan_of(model, mode, batch_size)
  for plan, of in pairs(model:_plans()) do
    if of == mode then return plan end
  end
  if mode ~= "predict" then
    core.raise(("graph.dump: model '%s' has no step for '%s' yet: call fit or evaluate first"):format(model.name, mode))
  end
  local specs = { x = 0, y = 0, w = 0 }
  for i, input in ipairs(model.inputs) do
    local shape = table.move(input.shape, 1, #input.shape, 1, {})
    for k, n in ipairs(shape) do
      if n < 0 and k > 1 then
        core.raise(("graph.dump: input %d of model '%s' has unknown sizes: call predict first"):format(i, model.name))
      end
    end
    shape[1] = batch_size
    specs[i], specs.x = { dtype = input.dtype, shape = shape }, i
  end
  return model:_program("predict", specs)
end

M.dump = signature.fn("dump", {
  { "model", "any", required = true, doc = "a model" },
  { "mode", "string", doc = "'train', 'test' or 'predict'; left out: 'train' once trained, else 'predict'" },
  { "batch_size", "integer", 32, min = 1, doc = "samples, where the step has not run yet" },
}, "The plan of a model's step as text: a line for each call of a kernel, with where its values lie.",
function(model, mode, batch_size)
  if type(model) ~= "table" or not model._plans then
    core.raise(("graph.dump: expected a model, got %s"):format(signature.describe(model)))
  end
  if mode ~= nil and mode ~= "train" and mode ~= "test" and mode ~= "predict" then
    core.raise(("graph.dump: mode must be 'train', 'test' or 'predict', got '%s'"):format(mode))
  end
  if not mode then
    mode = "predict"
    for _, of in pairs(model:_plans()) do
      if of == "train" then mode = "train" end
    end
  end
  return plan_of(model, mode, batch_size):dump()
end)

return M
