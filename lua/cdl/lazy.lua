--- Tables of public classes whose files are loaded when a name is first used.
--
--     return lazy { Dense = "cdl.layers.dense", Input = { "cdl.input", "Input" } }
--
-- A row gives the module, or a module and the field of it. `pairs` loads all, in alphabetical order.
-- A name that there is not is nil, as in any table.
return function(rows)
  local names = {}
  for name in pairs(rows) do names[#names + 1] = name end
  table.sort(names)

  local function find(self, name)
    local row = rows[name]
    if not row then return nil end
    local value
    if type(row) == "string" then value = require(row) else value = require(row[1])[row[2]] end
    rawset(self, name, value)
    return value
  end

  local function each(self)
    local i = 0
    return function()
      i = i + 1
      return names[i], self[names[i]]
    end
  end

  return setmetatable({}, { __index = find, __pairs = each })
end
