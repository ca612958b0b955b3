--- EinsumDense: a dense layer whose axes Einstein's notation names.
local activations = require "cdl.activations"
local core = require "cdl.core"
local initializers = require "cdl.initializers"
local Layer = require "cdl.layer"
local ops = require "cdl.ops"
local rows = require "cdl.layers.rows"

local EinsumDense = Layer:extend "EinsumDense"
EinsumDense.doc = "y = activation(einsum(equation, x, kernel) + bias), as \"abc,cd->abd\": input, kernel, output. "
  .. "The kernel's sizes are the output's, else the input's."
EinsumDense.signature = rows.join({
  { "equation", "string", required = true, doc = "\"ab,bc->ac\", \"...x,xy->...y\" or \"ax...,xy->ay...\"" },
  { "output_shape", "integer|shape", required = true,
    doc = "sizes of the output behind the batch (and what ... stands for); -1: the input's" },
  { "activation", "any", doc = "name or function; none if left out" },
  { "bias_axes", "string", doc = "letters of the output's axes along which the bias varies; no bias if left out" },
}, rows.weights)
EinsumDense.one_input = true

function EinsumDense:init(args)
  self.equation, self.bias_axes = args.equation, args.bias_axes
  self.activation = activations.get(args.activation)
  self:read_equation()
end

function EinsumDense:fail(format, ...)
  core.raise(("layer '%s': %s"):format(self.name, format:format(...)))
end

-- The letters of the three terms, and on which side "..." stands: "left", "right" or false.
function EinsumDense:read_equation()
  local text = self.equation:gsub("%s", "")
  local forms = { { "^(%a+),(%a+)%->(%a+)$", false }, { "^%.%.%.(%a+),(%a+)%->%.%.%.(%a+)$", "left" },
    { "^(%a%a+)%.%.%.,(%a+)%->(%a+)%.%.%.$", "right" } }
  for _, form in ipairs(forms) do
    local input, kernel, output = text:match(form[1])
    if input then
      self.terms = { input = input, kernel = kernel, output = output, hidden = form[2] }
      return
    end
  end
  self:fail("the equation '%s' must be written as \"ab,bc->ac\", \"...b,bc->...c\" or \"ab...,bc->ac...\"",
    self.equation)
end

-- Size of each letter of a term whose axes have these sizes; "..." stands for `hidden` of them.
local function sizes_of(term, shape, side, hidden)
  local sizes, first = {}, side == "left" and hidden or 0
  for i = 1, #term do sizes[term:sub(i, i)] = shape[first + i] end
  return sizes
end

-- All sizes of the output: the batch, what ... stands for, and those that were given.
function EinsumDense:full_output(input_shape, hidden)
  local given, terms = self.args.output_shape, self.terms
  given = type(given) == "number" and { given } or given
  local wanted = #terms.output - (terms.hidden == "left" and 0 or 1)
  if #given ~= wanted then
    self:fail("output_shape has %d sizes, but the output of '%s' has %d behind the batch", #given, self.equation,
      wanted)
  end
  local list = { input_shape[1] }
  if terms.hidden == "left" then
    for i = 2, hidden do list[i] = input_shape[i] end
  end
  for _, n in ipairs(given) do list[#list + 1] = n end
  if terms.hidden == "right" then
    for i = #input_shape - hidden + 1, #input_shape do list[#list + 1] = input_shape[i] end
  end
  return list
end

-- Sizes of the kernel, and which of its axes are the output's (the others are summed over).
function EinsumDense:kernel_of(inputs, outputs)
  local shape, of_inputs, of_outputs = {}, {}, {}
  for letter in self.terms.kernel:gmatch "." do
    local n = outputs[letter] and outputs[letter] >= 0 and outputs[letter] or inputs[letter]
    local at = #shape + 1
    if not (inputs[letter] or outputs[letter]) then
      self:fail("'%s' of the kernel stands in no other term of '%s'", letter, self.equation)
    elseif not n or n < 0 then
      self:fail("the size of '%s' must be known", letter)
    end
    shape[at] = n
    table.insert(outputs[letter] and of_outputs or of_inputs, at)
  end
  return shape, of_inputs, of_outputs
end

-- The bias has the output's axes from the first of bias_axes on; size 1 where it does not vary.
function EinsumDense:bias_shape(outputs, hidden)
  local term, shape = self.terms.output, {}
  for letter in self.bias_axes:gmatch "." do
    if not term:find(letter, 1, true) then
      self:fail("'%s' of bias_axes is no axis of the output of '%s'", letter, self.equation)
    end
  end
  for letter in term:sub(term:find("[" .. self.bias_axes .. "]") or 1):gmatch "." do
    local varies = self.bias_axes:find(letter, 1, true)
    if varies and outputs[letter] < 0 then self:fail("the size of '%s' must be known", letter) end
    shape[#shape + 1] = varies and outputs[letter] or 1
  end
  if self.terms.hidden == "right" then
    for _ = 1, hidden do shape[#shape + 1] = 1 end
  end
  return shape
end

function EinsumDense:build(input_shape)
  local terms = self.terms
  local hidden = #input_shape - #terms.input
  if hidden < 0 or (hidden > 0 and not terms.hidden) then
    self:fail("'%s' names %d axes of the input, which has shape {%s}", self.equation, #terms.input,
      table.concat(input_shape, ", "))
  end
  local output_shape = self:full_output(input_shape, hidden)
  local inputs = sizes_of(terms.input, input_shape, terms.hidden, hidden)
  local outputs = sizes_of(terms.output, output_shape, terms.hidden, hidden)
  for letter in terms.output:gmatch "." do
    local n, wanted = outputs[letter], inputs[letter]
    if wanted and n >= 0 and n ~= wanted then
      self:fail("'%s' is %d in the input and %d in output_shape", letter, wanted, n)
    elseif not wanted and not terms.kernel:find(letter, 1, true) then
      self:fail("'%s' of the output stands in no other term of '%s'", letter, self.equation)
    end
    if n < 0 and wanted then outputs[letter] = wanted end
  end
  local shape, of_inputs, of_outputs = self:kernel_of(inputs, outputs)
  local args = self.args
  self.kernel = self:add_weight { name = "kernel", shape = shape, regularizer = args.kernel_regularizer,
    constraint = args.kernel_constraint,
    initializer = initializers.for_axes(args.kernel_initializer, of_inputs, of_outputs) }
  if self.bias_axes then
    self.bias = self:add_argument_weight("bias", self:bias_shape(outputs, hidden))
  end
end

function EinsumDense:call(x)
  local y = ops.einsum(self.equation, ops.astype(x, self.dtype), self.kernel)
  if self.bias then y = y + self.bias end
  return self.activation(y)
end

return EinsumDense
