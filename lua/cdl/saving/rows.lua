--- What of Keras's configs is not as the classes' signatures say: one row a class.
--
--     accepts   arguments of Keras that we do not have: the value that is fine, or a list of such
--     write     changes a config on its way to a file
--     read      changes a config on its way from a file, before its values are read
--     class_name  its public name in Keras
--     spread    the layer takes its tensors one by one in Keras, not as a list
local core = require "cdl.core"
local signature = require "cdl.signature"

local null = signature.null

local function single_pair(config, key)
  local pads = config[key]
  if type(pads) == "table" and #pads == 1 and type(pads[1]) == "table" then config[key] = pads[1] end
end

local function single(value) return type(value) == "table" and #value == 1 and value[1] or value end

local function without_trainable(config) config.trainable = nil end

local function without_base(config) config.trainable, config.dtype = nil, nil end

local ANY = {} -- an accepted argument that says nothing

-- A config may bring a vocabulary, but not name a file of this machine.
local function without_paths(config)
  if type(config.vocabulary) == "string" then
    core.raise(("the vocabulary is named by a path, %q, which is not read"):format(config.vocabulary))
  end
end

local lookup = { read = without_paths, accepts = { vocabulary_size = ANY, vocabulary_dtype = ANY,
  has_static_table = ANY, oov_method = "floormod", encoding = "utf-8", salt = null, ragged = false, sparse = false } }

local rows = {
  StringLookup = lookup,
  IntegerLookup = lookup,
  TextVectorization = lookup,
  Pipeline = { write = without_base },
  Discretization = { write = without_trainable },
  BatchNormalization = { accepts = { synchronized = false, renorm = false, renorm_clipping = null,
    renorm_momentum = 0.99, virtual_batch_size = null, fused = { null, true, false }, adjustment = null } },
  LayerNormalization = { accepts = { rms_scaling = false } },
  Flatten = { accepts = { data_format = "channels_last" } },
  SpatialDropout1D = { write = without_trainable, accepts = { noise_shape = null } },
  SpatialDropout2D = { write = without_trainable, accepts = { data_format = "channels_last", noise_shape = null } },
  SpatialDropout3D = { write = without_trainable, accepts = { data_format = "channels_last", noise_shape = null } },
  MultiHeadAttention = { spread = true },
  GroupedQueryAttention = { spread = true, class_name = "GroupQueryAttention" },
  UpSampling1D = { write = function(config) config.size = single(config.size) end },
  ZeroPadding1D = { write = function(config) single_pair(config, "padding") end },
  Cropping1D = { write = function(config)
    single_pair(config, "cropping")
    config.data_format = nil
  end },
  Embedding = { write = function(config) config.weights = nil end,
    accepts = { input_length = null, batch_input_shape = null } },
}

-- Arguments of any class that say nothing when they have these values.
local ACCEPTED = {
  quantization_config = null, lora_rank = null, autocast = true, synchronized = false, input_axes = null,
  output_axes = null, is_legacy_optimizer = { true, false }, jit_compile = { true, false }, decay = { 0, null },
  fn = ANY, implementation = ANY, ragged = false, sparse = false, optional = false, time_major = false,
}

local M = {}

--- What files of Keras 2 say in other words.
function M.modernize(config)
  if config.reduction == "auto" then config.reduction = "sum_over_batch_size" end
end

--- The row of a class, by its name; {} when there is nothing special.
function M.of(name) return rows[name] or {} end

local function is_among(value, wanted)
  if wanted == ANY then return true end
  if type(wanted) ~= "table" or wanted == null then return value == wanted end
  for _, entry in ipairs(wanted) do
    if value == entry then return true end
  end
  return false
end

--- Whether an argument that we do not have may be passed over.
function M.accepts(name, key, value)
  if value == null then return true end
  local own = M.of(name).accepts
  if own and own[key] ~= nil then return is_among(value, own[key]) end
  return ACCEPTED[key] ~= nil and is_among(value, ACCEPTED[key])
end

return M
