--- The layers (`cdl.layers`): one file and one row each, loaded when first used.
local M = {}

local files = {
  Activation = "activation",
  ActivityRegularization = "activity_regularization",
  Add = "add",
  AlphaDropout = "alpha_dropout",
  Average = "average",
  AveragePooling1D = "average_pooling1d",
  AveragePooling2D = "average_pooling2d",
  AveragePooling3D = "average_pooling3d",
  BatchNormalization = "batch_normalization",
  Concatenate = "concatenate",
  Conv1D = "conv1d",
  Conv1DTranspose = "conv1d_transpose",
  Conv2D = "conv2d",
  Conv2DTranspose = "conv2d_transpose",
  Conv3D = "conv3d",
  Conv3DTranspose = "conv3d_transpose",
  Cropping1D = "cropping1d",
  Cropping2D = "cropping2d",
  Cropping3D = "cropping3d",
  Dense = "dense",
  DepthwiseConv1D = "depthwise_conv1d",
  DepthwiseConv2D = "depthwise_conv2d",
  Dot = "dot",
  Dropout = "dropout",
  ELU = "elu",
  Embedding = "embedding",
  Flatten = "flatten",
  GaussianDropout = "gaussian_dropout",
  GaussianNoise = "gaussian_noise",
  GlobalAveragePooling1D = "global_average_pooling1d",
  GlobalAveragePooling2D = "global_average_pooling2d",
  GlobalAveragePooling3D = "global_average_pooling3d",
  GlobalMaxPooling1D = "global_max_pooling1d",
  GlobalMaxPooling2D = "global_max_pooling2d",
  GlobalMaxPooling3D = "global_max_pooling3d",
  GroupNormalization = "group_normalization",
  Identity = "identity",
  Lambda = "lambda",
  LayerNormalization = "layer_normalization",
  LeakyReLU = "leaky_relu",
  Masking = "masking",
  MaxPooling1D = "max_pooling1d",
  MaxPooling2D = "max_pooling2d",
  MaxPooling3D = "max_pooling3d",
  Maximum = "maximum",
  Minimum = "minimum",
  Multiply = "multiply",
  PReLU = "prelu",
  Permute = "permute",
  RMSNormalization = "rms_normalization",
  ReLU = "relu",
  RepeatVector = "repeat_vector",
  Rescaling = "rescaling",
  Reshape = "reshape",
  SeparableConv1D = "separable_conv1d",
  SeparableConv2D = "separable_conv2d",
  Softmax = "softmax",
  SpatialDropout1D = "spatial_dropout1d",
  SpatialDropout2D = "spatial_dropout2d",
  SpatialDropout3D = "spatial_dropout3d",
  Subtract = "subtract",
  TimeDistributed = "time_distributed",
  UnitNormalization = "unit_normalization",
  UpSampling1D = "up_sampling1d",
  UpSampling2D = "up_sampling2d",
  UpSampling3D = "up_sampling3d",
  ZeroPadding1D = "zero_padding1d",
  ZeroPadding2D = "zero_padding2d",
  ZeroPadding3D = "zero_padding3d",
}

-- Functions that make a merging layer and call it on a list of tensors: layers.add{a, b}.
local merges = {}
for _, name in ipairs { "Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract" } do
  merges[name:lower()] = function(list, args) return M[name](args or {})(list) end
end

-- Keras's second names.
local aliases = {}
for axes = 1, 3 do
  for long, short in pairs { Conv = "Convolution", MaxPooling = "MaxPool", AveragePooling = "AvgPool",
    GlobalMaxPooling = "GlobalMaxPool", GlobalAveragePooling = "GlobalAvgPool" } do
    aliases[("%s%dD"):format(short, axes)] = ("%s%dD"):format(long, axes)
  end
end

--- Names of all layers, in alphabetical order.
function M.names()
  local names = { "Input", "Layer" }
  for name in pairs(files) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function find(_, name)
  local value
  if files[name] then value = require("cdl.layers." .. files[name])
  elseif merges[name] then value = merges[name]
  elseif aliases[name] then value = M[aliases[name]]
  elseif name == "Input" then value = require "cdl.input".Input
  elseif name == "InputLayer" then value = require "cdl.input".InputLayer
  elseif name == "Layer" then value = require "cdl.layer"
  end
  M[name] = value
  return value
end

local function each(t, key)
  local names = M.names()
  local index = 1
  if key then
    while names[index] ~= key do index = index + 1 end
    index = index + 1
  end
  if names[index] then return names[index], t[names[index]] end
end

return setmetatable(M, { __index = find, __pairs = function(t) return each, t end })
