--- The functions on tensors: one set for eager, traced and symbolic ones (`cdl.ops`; the common
-- ones in `cdl` too, and methods where the first argument is a tensor).
--
-- A row of the op table in C gives a raw function (`core.row`); here it gets its public form:
-- named arguments, axes from 1, a doc. A function on symbols is recorded and replayed later.
local core = require "cdl.core"
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"

local M = {}

--- Adds a function to cdl.ops. rows is its signature; with options.method (default: the first
-- parameter is an operand) it becomes a method of tensors as well. options.list: what the body
-- returns as several values becomes one list; options.settle(...): the arguments to record on symbols,
-- where their meaning would else depend on the sizes of a replay.
local function define(name, rows, doc, body, options)
  options = options or {}
  local record = { name = name }
  local function dispatch(...)
    if not symbol.any(...) then return body(...) end
    if options.settle then return symbol.record(body, record, options.settle(...)) end
    return symbol.record(body, record, ...)
  end
  if options.list then
    local values = dispatch
    dispatch = function(...) return { values(...) } end
  end
  local is_method = options.method
  if is_method == nil then is_method = rows[1] ~= nil and rows[1][2] == "operand" end
  local make = is_method and signature.method or signature.fn
  local f = make(name, rows, doc, dispatch)
  M[name] = f
  if is_method then core.methods[name] = f end
  return f
end

--- The axis counted from 0; raises when there is no such axis.
local function axis_of(x, axis, name)
  local ndim = (type(x) == "number" or type(x) == "boolean") and 0 or x.ndim
  local from_zero = axis > 0 and axis - 1 or ndim + axis
  if from_zero < 0 or from_zero >= ndim then
    core.raise(("%s: axis %d is out of range for a tensor with %d axes"):format(name, axis, ndim))
  end
  return from_zero
end

--- Numbers become tensors, so that fields can be asked for.
local function as_tensor(x)
  if type(x) == "number" or type(x) == "boolean" then return core.tensor(x) end
  return x
end

local kit = { define = define, axis_of = axis_of, as_tensor = as_tensor, ops = M }

require "cdl.ops.create"(kit)
require "cdl.ops.elementwise"(kit)
require "cdl.ops.reduce"(kit)
require "cdl.ops.shape"(kit)
require "cdl.ops.index"(kit)
require "cdl.ops.product"(kit)
require "cdl.ops.conv"(kit)
require "cdl.ops.image"(kit)
require "cdl.ops.subscript"(kit)

return M
