-- Every layer on inputs of all ranks, sizes and dtypes, and with arguments of all kinds: it works, or
-- raises an error that names the script's line and the layer.
local cdl = require "cdl"
local class = require "cdl.class"
local signature = require "cdl.signature"
local words = require "cdl.words"

local layers = cdl.layers

-- A value for each argument that some layer must be given.
local REQUIRED = {
  units = 3, filters = 4, kernel_size = 2, pool_size = 2, rate = 0.5, stddev = 0.5, input_dim = 5, output_dim = 3,
  target_shape = { -1 }, dims = { 1 }, n = 2, axes = 2, scale = 2, activation = "relu",
  ["function"] = function(x) return x end,
  layer = function() return layers.Dense(2) end,
  cell = function() return layers.LSTMCell(3) end,
  cells = function() return { layers.GRUCell(3), layers.LSTMCell(2) } end,
  num_heads = 2, key_dim = 3, head_dim = 3, num_query_heads = 4, num_key_value_heads = 2, equation = "ab,bc->ac",
  output_shape = { 3 }, height = 3, width = 3, factor = 0.5, height_factor = 0.5, width_factor = 0.5, num_tokens = 3,
  num_bins = 4, output_size = 2, layers = function() return { layers.Dense(2), layers.Dropout(0.5) } end,
}
-- Arguments that a layer is given besides.
local MORE = {
  GroupNormalization = { groups = 1 }, Bidirectional = { layer = layers.LSTM(3) },
  Discretization = { bin_boundaries = { 0, 1 } }, IntegerLookup = { vocabulary = { 4, 7 } },
  RandomPosterization = { factor = 4 },
}

local SHAPES = { {}, { 0 }, { 3 }, { 0, 4 }, { 2, 4 }, { 2, 0 }, { 2, 5, 4 }, { 0, 5, 4 }, { 2, 0, 4 }, { 2, 6, 6, 4 },
  { 2, 6, 6, 0 }, { 2, 6, 6, 6, 4 }, { 2, 1, 1, 1 }, { 1, 1, 1, 1, 1, 1 } }
local DTYPES = { "float32", "float64", "int32", "int64", "uint8", "bool" }
local WRONG = { -1, 0, 2.5, 1e30, 0 / 0, "nonsense", true, {}, { -1 }, { "a" }, { { {} } }, print, cdl.null }

-- Whether a message names the layer, or one inside it.
local function names_layer(message, layer)
  if message:find(layer.name, 1, true) then return true end
  for _, inner in ipairs(layer:sublayers()) do
    if names_layer(message, inner) then return true end
  end
  return false
end

local function arguments(name)
  local args = {}
  for _, param in ipairs(signature.of(layers[name]).params) do
    if param.required then
      local value = REQUIRED[param.name]
      assert(value ~= nil, ("%s must be given '%s': this spec wants a value for it"):format(name, param.name))
      args[param.name] = type(value) == "function" and param.name ~= "function" and value() or value
    end
  end
  for key, value in pairs(MORE[name] or {}) do args[key] = value end
  return args
end

local all = {}
for _, name in ipairs(words.public_names(layers)) do
  local is_layer = class.is_class(layers[name]) and signature.of(layers[name]) ~= nil
  if is_layer and class.name_of(layers[name]) == name then all[#all + 1] = name end
end

local HERE = "layer_input_spec%.lua:%d+: "

describe("every layer", function()
  it("is among those that are tried", function()
    assert.is_true(#all > 60)
  end)

  for _, name in ipairs(all) do
    it(("takes or refuses inputs of all kinds: %s"):format(name), function()
      for _, shape in ipairs(SHAPES) do
        for _, dtype in ipairs(DTYPES) do
          for _, training in ipairs { false, true } do
            local layer = layers[name](arguments(name))
            local ok, message = pcall(function() return layer(cdl.zeros(shape, { dtype = dtype }), training) end)
            local what = ("{%s} %s: %s"):format(table.concat(shape, ", "), dtype, tostring(message))
            assert.is_true(ok or message:find(HERE) ~= nil, what)
            assert.is_true(ok or names_layer(message, layer), what)
          end
        end
      end
    end)

    it(("takes or refuses arguments of all kinds: %s"):format(name), function()
      for _, param in ipairs(signature.of(layers[name]).params) do
        for _, wrong in ipairs(WRONG) do
          local args = arguments(name)
          args[param.name] = wrong
          local ok, message = pcall(function()
            local layer = layers[name](args)
            return layer(cdl.zeros { 2, 6, 6, 4 }, true)
          end)
          local what = ("%s = %s: %s"):format(param.name, words.describe(wrong), tostring(message))
          assert.is_true(ok or message:find(HERE) ~= nil, what)
        end
      end
      local args = arguments(name)
      args.no_such_argument = 1
      local ok, message = pcall(function() return layers[name](args) end)
      assert.is_false(ok)
      assert.matches(HERE .. name .. ": unknown argument 'no_such_argument'", message)
    end)
  end
end)
