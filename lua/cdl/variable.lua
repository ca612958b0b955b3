--- Variables in Lua: `cdl.Variable` and the methods of what it returns.
local core = require "cdl.core"
local ops = require "cdl.ops"
local signature = require "cdl.signature"

local methods = core.variable_methods

local self_row = { "self", "any", required = true }
local value_row = { "value", "data", required = true, doc = "a tensor, variable, number or nested table" }

methods.assign = signature.method("assign", { self_row, value_row },
  "Sets the value, copied in; shape and dtype stay. In a traced function it takes effect in program order.",
  function(self, value)
    core.assign(self, value)
    return self
  end)
methods.assign_add = signature.method("assign_add", { self_row, value_row }, "Adds to the value.",
  function(self, value)
    core.assign(self, ops.add(self, value))
    return self
  end)
methods.assign_sub = signature.method("assign_sub", { self_row, value_row }, "Subtracts from the value.",
  function(self, value)
    core.assign(self, ops.sub(self, value))
    return self
  end)
methods.value = signature.method("value", { self_row },
  "A copy of the value; in a traced function the current traced value.", core.read)
methods.item = signature.method("item", { self_row }, "The value of a variable with one element, as a Lua number.",
  function(self) return core.item(core.value(self)) end)
methods.totable = signature.method("totable", { self_row }, "The value as nested Lua tables.",
  function(self) return core.totable(core.value(self)) end)

local count = 0

--- A named value that lives on between steps.
return signature.fn("Variable", {
  { "value", "data", required = true, doc = "first value: a tensor, number or nested table" },
  { "name", "string", doc = "variable, variable_1, ... if left out" },
  { "dtype", "dtype", doc = "the value's own (float32 for numbers) if left out" },
  { "trainable", "boolean", true, doc = "whether optimizers may change it" },
}, "A named value that lives on between steps; in expressions it stands for its current value.",
  function(value, name, dtype, trainable)
    if not name then
      name = count == 0 and "variable" or "variable_" .. count
      count = count + 1
    end
    return core.variable(core.tensor(value, dtype), name, trainable)
  end)
