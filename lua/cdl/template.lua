--- File name templates with Python's format fields, as Keras users write them:
-- `"weights.{epoch:02d}-{val_loss:.2f}.npz"`.
--
-- A field is {name} or {name:spec}; spec is [[fill]align][sign][0][width][.precision][type] with
-- the types d f e g s %. `{{` and `}}` stand for braces.
local M = {}

-- The fewest digits that read back as the same number.
local function shortest(x)
  for digits = 1, 17 do
    local text = ("%%.%dg"):format(digits):format(x)
    if tonumber(text) == x then return text, digits end
  end
end

--- A number as Python's repr writes it: integers plainly, floats with the fewest digits that
-- read back as the same number (`0.1`, `1.0`, `1e-05`, `nan`, `inf`).
function M.number(x)
  if math.type(x) == "integer" then return ("%d"):format(x) end
  if x ~= x then return "nan" end
  if x == math.huge then return "inf" elseif x == -math.huge then return "-inf" end
  local text, digits = shortest(x)
  local exponent = tonumber(text:match "e([+-]%d+)$")
  if exponent and exponent >= -4 and exponent < 16 then
    text = ("%.0f"):format(x)
  elseif not exponent and math.abs(x) >= 1e16 then
    text = ("%%.%de"):format(digits - 1):format(x):gsub("%.?0*e", "e")
  end
  return text:find "[%.e]" and text or text .. ".0"
end

local function parse(spec)
  local fill, align, rest = spec:match "^(.)([<>^])(.*)$"
  if not fill then align, rest = spec:match "^([<>^])(.*)$" end
  rest = rest or spec
  local sign, zero, width, precision, kind = rest:match "^([+ -]?)(0?)(%d*)(%.?%d*)([defgs%%]?)$"
  if not sign or precision == "." then return nil end
  return {
    fill = fill or (zero == "0" and not align and "0") or " ", align = align, sign = sign,
    zero = zero == "0" and not align, width = tonumber(width) or 0,
    precision = precision ~= "" and tonumber(precision:sub(2)) or nil, kind = kind,
  }
end

local function number_body(value, field)
  local kind, precision = field.kind, field.precision
  if value ~= value then return "nan" end
  if value == math.huge then return "inf" end
  if kind == "d" then
    local whole = math.tointeger(value)
    if not whole then return nil, ("%s is not an integer, which 'd' wants"):format(M.number(value)) end
    if precision then return nil, "'d' takes no precision" end
    return ("%d"):format(whole)
  elseif kind == "%" then
    return ("%%.%df%%%%"):format(precision or 6):format(value * 100)
  elseif kind ~= "" then
    return ("%%.%d%s"):format(precision or 6, kind):format(value)
  elseif precision then
    return ("%%.%dg"):format(precision):format(value)
  end
  return M.number(value)
end

-- Puts the text into the field's width. The sign of a number stays in front of zeros.
local function pad(sign, body, field, default_align)
  local missing = field.width - (utf8.len(sign .. body) or #sign + #body)
  if missing <= 0 then return sign .. body end
  if field.zero then return sign .. field.fill:rep(missing) .. body end
  local align = field.align or default_align
  local left = align == "<" and 0 or align == ">" and missing or missing // 2
  return field.fill:rep(left) .. sign .. body .. field.fill:rep(missing - left)
end

local function format_value(value, spec)
  local field = parse(spec)
  if not field then return nil, ("cannot read the format '%s'"):format(spec) end
  if type(value) == "string" then
    if field.kind ~= "" and field.kind ~= "s" then
      return nil, ("the format '%s' wants a number, got the string %q"):format(spec, value)
    end
    return pad("", field.precision and value:sub(1, field.precision) or value, field, "<")
  elseif type(value) ~= "number" then
    return nil, ("the format '%s' wants a number, got a %s"):format(spec, type(value))
  elseif field.kind == "s" then
    return nil, "the format 's' wants a string, got a number"
  end
  local negative = value < 0 or (value == 0 and 1 / value < 0)
  local body, problem = number_body(negative and -value or value, field)
  if not body then return nil, problem end
  local sign = negative and "-" or (field.sign == "-" and "" or field.sign)
  return pad(sign, body, field, ">")
end

local function format_field(field, values)
  local name, spec = field:match "^([^:]*):?(.*)$"
  local value = values[name]
  if value == nil then
    local names = {}
    for key in pairs(values) do names[#names + 1] = tostring(key) end
    table.sort(names)
    return nil, ("there is no '%s'; there are %s"):format(name, table.concat(names, ", "))
  end
  return format_value(value, spec)
end

-- The template with each field replaced by what fill(field) gives.
local function fill_fields(template, fill)
  local parts, at = {}, 1
  while at <= #template do
    local brace = template:find("[{}]", at)
    if not brace then break end
    parts[#parts + 1] = template:sub(at, brace - 1)
    local kind = template:sub(brace, brace)
    if template:sub(brace + 1, brace + 1) == kind then
      parts[#parts + 1] = kind
      at = brace + 2
    elseif kind == "}" then
      return nil, "a single '}' (write '}}' for a brace)"
    else
      local close = template:find("}", brace, true)
      if not close then return nil, "a '{' without its '}' (write '{{' for a brace)" end
      local text, problem = fill(template:sub(brace + 1, close - 1))
      if not text then return nil, problem end
      parts[#parts + 1] = text
      at = close + 1
    end
  end
  return table.concat(parts) .. template:sub(at)
end

--- The template with its fields filled from `values`; nil and the reason when one is missing or
-- does not fit its format.
function M.format(template, values)
  return fill_fields(template, function(field) return format_field(field, values) end)
end

--- True when the template is well formed, whatever values will come; nil and the reason if not.
function M.check(template)
  local text, problem = fill_fields(template, function(field)
    local name, spec = field:match "^([^:]*):?(.*)$"
    if name == "" then return nil, ("the field '{%s}' has no name"):format(field) end
    if not parse(spec) then return nil, ("cannot read the format '%s'"):format(spec) end
    return ""
  end)
  if not text then return nil, problem end
  return true
end

return M
