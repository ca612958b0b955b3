--- `model:summary()`: the layers, their output shapes and weights, as Keras prints them.
local signature = require "cdl.signature"
local symbol = require "cdl.symbol"
local words = require "cdl.words"

local M = {}

local function with_commas(n)
  local text = tostring(n)
  repeat
    local count
    text, count = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
  until count == 0
  return text
end

local function size_text(bytes)
  for _, unit in ipairs { "B", "KB", "MB", "GB" } do
    if bytes < 1024 or unit == "GB" then return ("%.2f %s"):format(bytes, unit) end
    bytes = bytes / 1024
  end
end

local function output_text(layer)
  local calls = layer._calls
  if #calls == 0 then return "?" end
  local outputs = calls[#calls].outputs
  local parts = {}
  for i = 1, #outputs do parts[i] = words.shape(outputs[i].shape) end
  return table.concat(parts, " ")
end

-- Names of the layers whose outputs this one takes, also through functions between them.
local function sources(layer, inside)
  local parts, seen = {}, {}
  local function visit(input)
    local made_by = input.record.layer
    if seen[made_by or input.record] then return end
    seen[made_by or input.record] = true
    if not made_by then
      for _, inner in ipairs(symbol.inputs_of(input)) do visit(inner) end
    elseif inside[made_by] and made_by ~= layer then
      parts[#parts + 1] = made_by.name
    end
  end
  for _, call in ipairs(layer._calls) do
    -- All that the call was given: options, too (initial states).
    for _, input in ipairs(symbol.inputs_of(call.outputs[1])) do visit(input) end
  end
  return table.concat(parts, ", ")
end

local function is_linear(model)
  local layers, inside = model.layers, {}
  for _, layer in ipairs(layers) do inside[layer] = true end
  local previous
  for _, layer in ipairs(layers) do
    if #layer._calls > 1 then return false, inside end
    local from = sources(layer, inside)
    if from ~= "" and previous and from ~= previous.name then return false, inside end
    previous = layer
  end
  return true, inside
end

local function add_rows(rows, model, indent, connected, inside, expand)
  for _, layer in ipairs(model.layers) do
    rows[#rows + 1] = { indent .. layer.name .. " (" .. (layer.__name or "Layer") .. ")", output_text(layer),
      layer.built and with_commas(layer:count_params()) or "?", connected and sources(layer, inside) or nil }
    if expand and rawget(layer, "_layers") then add_rows(rows, layer, indent .. "  ", connected, inside, expand) end
  end
end

local function display_width(text) return utf8.len(text) or #text end

local function pad(text, width) return text .. (" "):rep(width - display_width(text)) end

-- Text in columns, cut where it is too wide for the line.
local function table_lines(header, rows)
  local widths = {}
  for _, row in ipairs { header, table.unpack(rows) } do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, math.min(display_width(cell), 44)) end
  end
  local function line(row)
    local cells = {}
    for i = 1, #header do
      local cell = row[i] or ""
      if #cell > widths[i] then cell = cell:sub(1, widths[i] - 3) .. "..." end
      cells[i] = pad(cell, widths[i])
    end
    return (table.concat(cells, "  "):gsub("%s+$", ""))
  end
  local total = 2 * (#header - 1)
  for _, width in ipairs(widths) do total = total + width end
  local lines = { line(header), ("─"):rep(total) }
  for _, row in ipairs(rows) do lines[#lines + 1] = line(row) end
  lines[#lines + 1] = ("─"):rep(total)
  return lines
end

local BYTES = { float32 = 4, float64 = 8, int32 = 4, int64 = 8, uint8 = 1, bool = 1 }

local function count(variables)
  local elements, bytes = 0, 0
  for _, variable in ipairs(variables) do
    elements = elements + variable.size
    bytes = bytes + variable.size * BYTES[variable.dtype]
  end
  return elements, ("%s (%s)"):format(with_commas(elements), size_text(bytes))
end

--- The summary as text.
function M.text(model, expand)
  local linear, inside = is_linear(model)
  local header = { "Layer (type)", "Output Shape", "Param #" }
  if not linear then header[4] = "Connected to" end
  local rows = {}
  add_rows(rows, model, "", not linear, inside, expand)
  local lines = { ("Model: \"%s\""):format(model.name) }
  table.move(table_lines(header, rows), 1, #rows + 3, 2, lines)
  local all, trainable, frozen = model.weights, model.trainable_weights, model.non_trainable_weights
  local optimizer = rawget(model, "optimizer")
  local slots = optimizer and optimizer.variables or {}
  local total = table.move(slots, 1, #slots, #all + 1, table.move(all, 1, #all, 1, {}))
  lines[#lines + 1] = " Total params: " .. select(2, count(total))
  lines[#lines + 1] = " Trainable params: " .. select(2, count(trainable))
  lines[#lines + 1] = " Non-trainable params: " .. select(2, count(frozen))
  if #slots > 0 then lines[#lines + 1] = " Optimizer params: " .. select(2, count(slots)) end
  return table.concat(lines, "\n")
end

local summary = signature.method("summary", {
  { "self", "any", required = true },
  { "expand_nested", "boolean", false, doc = "show the layers of models inside, too" },
  { "print_fn", "function", doc = "gets the text in place of standard output" },
}, "Prints the layers with their output shapes and numbers of weights.", function(self, expand, print_fn)
  local text = M.text(self, expand)
  if print_fn then print_fn(text) else print(text) end
end)

--- Gives models the method summary, and a short form for print.
function M.install(Model)
  Model.summary = summary
  local function describe(self)
    return ("<%s %s: %d layers%s>"):format(self.__name or "Model", words.literal(self.name), #self.layers,
      self.built and (", %s weights"):format(with_commas(self:count_params())) or ", not built")
  end
  Model.__tostring = describe
  require "cdl.sequential".__tostring = describe

end

return M
