--- What fit, evaluate and predict are given, read into flat lists of tensors: the leaves of x,
-- then of y, then the sample weights.
local arguments = require "cdl.fit_arguments"
local core = require "cdl.core"
local signature = require "cdl.signature"
local tree = require "cdl.tree"
local words = require "cdl.words"

local M = {}

local shape_text = words.braces

local function check_leaf(leaf, where)
  if not core.is_tensor(leaf) or leaf.kind ~= "eager" then
    core.raise(("%s: wanted a tensor, a list or a dict of tensors, got %s"):format(where,
      signature.describe(leaf)))
  end
  local shape = leaf.shape
  if #shape == 0 then
    core.raise(where .. ": a scalar has no samples; the first axis must be the samples")
  elseif shape[1] == 0 then
    core.raise(("%s: no samples (shape %s)"):format(where, shape_text(shape)))
  end
  return leaf
end

-- The leaves of one structure, checked, with a name each for messages.
local function read_structure(where, x, names)
  local leaves, spec = tree.flatten(x, names, where)
  local labels = {}
  for i, leaf in ipairs(leaves) do
    local label = where
    if spec.kind == "list" then label = ("%s[%d]"):format(where, i)
    elseif spec.kind == "dict" then label = ("%s['%s']"):format(where, spec.names[i]) end
    labels[i] = label
    check_leaf(leaf, label)
  end
  return { leaves = leaves, spec = spec, labels = labels }
end

-- One tensor of weights serves all outputs.
local function read_weights(where, weights, names, outputs)
  local structure
  if tree.is_leaf(weights) then
    structure = read_structure(where, weights)
    for i = 2, outputs do
      structure.leaves[i], structure.labels[i] = structure.leaves[1], structure.labels[1]
    end
  else
    structure = read_structure(where, weights, names)
  end
  return structure
end

local function check_rows(where, leaves, labels)
  local rows = leaves[1].shape[1]
  for i = 2, #leaves do
    local other = leaves[i].shape[1]
    if other ~= rows then
      core.raise(("%s has %d samples (shape %s) and %s has %d (shape %s); they must be as many"):format(
        labels[1], rows, shape_text(leaves[1].shape), labels[i]:gsub("^" .. where .. ": ", ""), other,
        shape_text(leaves[i].shape)))
    end
  end
  return rows
end

local function append(data, structure)
  for i, leaf in ipairs(structure.leaves) do
    data.leaves[#data.leaves + 1] = leaf
    data.labels[#data.labels + 1] = structure.labels[i]
  end
  return #structure.leaves
end

-- Options among the data: these calls have no form with one table.
local function check_no_options(where, x)
  for _, name in ipairs(words.is_plain(x) and words.sorted_keys(x) or {}) do
    if arguments.is_option(name) then
      core.raise(("%s: the option '%s' stands among the data; options have a table of their own behind them: "
        .. "{%s = ...}"):format(where, name, name))
    end
  end
end

--- Reads x, y (nil: none) and sample weights (nil: none). The result has leaves, rows, and the
-- numbers n_x, n_y and n_w of leaves of each.
function M.read(where, model, x, y, weights)
  if x == nil then core.raise(where .. ": x is missing; wanted a tensor, a list or a dict of tensors") end
  check_no_options(where, x)
  local data = { leaves = {}, labels = {}, n_y = 0, n_w = 0 }
  data.x = read_structure(where .. ": x", x, model.input_names)
  data.n_x = append(data, data.x)
  if y ~= nil then
    data.y = read_structure(where .. ": y", y, model.output_names)
    data.n_y = append(data, data.y)
  end
  if weights ~= nil then
    if y == nil then core.raise(where .. ": sample_weight is given without y") end
    data.w = read_weights(where .. ": sample_weight", weights, model.output_names, data.n_y)
    data.n_w = append(data, data.w)
  end
  data.rows = check_rows(where, data.leaves, data.labels)
  -- A model without a graph of its own gets the structures as they are given.
  return data
end

--- validation_data: {x, y} or {x, y, sample_weight}; {x} for a model that takes no targets.
function M.read_validation(where, model, given, training)
  local wanted = training.n_y > 0 and "{x, y} or {x, y, sample_weight}" or "{x}"
  local count = 0
  if type(given) == "table" and getmetatable(given) == nil then
    for key in pairs(given) do
      count = count + 1
      if key ~= 1 and key ~= 2 and key ~= 3 then count = 9 end
    end
  end
  local least = training.n_y > 0 and 2 or 1
  if count < least or count > 3 or given[1] == nil or (training.n_y > 0 and given[2] == nil) then
    core.raise(("%s: wanted %s, got %s"):format(where, wanted, signature.describe(given)))
  end
  return M.read(where, model, given[1], given[2], given[3])
end

-- Rows first .. first + count - 1 (from 0): a view.
local function rows_of(tensor, first, count)
  local starts, counts, steps = {}, {}, {}
  for i, size in ipairs(tensor.shape) do starts[i], counts[i], steps[i] = 0, size, 1 end
  starts[1], counts[1] = first, count
  return core.slice(tensor, starts, counts, steps)
end

local function slice(data, first, count)
  local part = { leaves = {}, labels = data.labels, rows = count }
  for _, name in ipairs { "n_x", "n_y", "n_w" } do part[name] = data[name] end
  for i, leaf in ipairs(data.leaves) do part.leaves[i] = rows_of(leaf, first, count) end
  local at = 0
  for _, name in ipairs { "x", "y", "w" } do
    local structure = data[name]
    if structure then
      local count_of = #structure.leaves
      part[name] = { spec = structure.spec, labels = structure.labels,
        leaves = table.move(part.leaves, at + 1, at + count_of, 1, {}) }
      at = at + count_of
    end
  end
  return part
end

--- The first rows for training and the last ones, `fraction` of all, for validation.
function M.split(where, data, fraction)
  local training = math.floor(data.rows * (1 - fraction))
  if training < 1 or training >= data.rows then
    core.raise(("%s: validation_split %s of %d samples leaves %d for training and %d for validation; "
      .. "both must have some"):format(where, fraction, data.rows, training, data.rows - training))
  end
  return slice(data, 0, training), slice(data, training, data.rows - training)
end

local function read_class_weights(where, weights)
  if type(weights) ~= "table" or getmetatable(weights) ~= nil then
    core.raise(("%s: class_weight must be a table of weights by class label, got %s"):format(where,
      signature.describe(weights)))
  end
  local labels, values = {}, {}
  for key, value in pairs(weights) do
    local label = math.tointeger(tonumber(key))
    if not label then
      core.raise(("%s: the keys of class_weight must be integer class labels, got %s"):format(where,
        signature.describe(key)))
    elseif type(value) ~= "number" then
      core.raise(("%s: class_weight[%d] must be a number, got %s"):format(where, label,
        signature.describe(value)))
    end
    labels[#labels + 1], values[#values + 1] = label, value
  end
  return labels, values
end

--- The same data with a weight for each sample, looked up by its class.
function M.weigh_classes(where, data, weights)
  if data.n_w > 0 then
    core.raise(where .. ": class_weight and sample_weight cannot be given together")
  elseif data.n_y ~= 1 then
    core.raise(("%s: class_weight works for models with one output; y has %d"):format(where, data.n_y))
  end
  local labels, values = read_class_weights(where, weights)
  local weighed = {}
  for name, value in pairs(data) do weighed[name] = value end
  weighed.leaves = table.move(data.leaves, 1, #data.leaves, 1, {})
  weighed.labels = table.move(data.labels, 1, #data.labels, 1, {})
  weighed.w = { spec = { kind = "leaf" }, labels = { where .. ": class_weight" },
    leaves = { core.class_weights(data.y.leaves[1], labels, values) } }
  weighed.n_w = append(weighed, weighed.w)
  return weighed
end

--- {x, y, w} as the callbacks see it.
function M.structure(data)
  local function pack(structure) return structure and tree.pack(structure.spec, structure.leaves) end
  return { pack(data.x), pack(data.y), pack(data.w) }
end

--- The specs of a batch with so many rows.
function M.batch_specs(data, rows)
  local specs = {}
  for i, leaf in ipairs(data.leaves) do
    local shape = leaf.shape
    shape[1] = rows
    specs[i] = { dtype = leaf.dtype, shape = shape }
  end
  return specs
end

--- The seed of the run's random numbers.
function M.seed() return require "cdl.random".get_seed() end

return M
