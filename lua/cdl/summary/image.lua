--- writer:image: pictures as PNG.
local core = require "cdl.core"
local images = require "cdl.images"
local ops = require "cdl.ops"
local protobuf = require "cdl.protobuf"
local words = require "cdl.words"

local M = {}

--- The pictures in a tensor as {n, height, width, channels}: {height, width} is one of grey,
-- {height, width, channels} one. nil and the reason when it is none of these.
local function as_batch(x)
  local shape = x.shape
  if #shape == 2 then
    shape = { 1, shape[1], shape[2], 1 }
  elseif #shape == 3 then
    shape = { 1, shape[1], shape[2], shape[3] }
  end
  if #shape ~= 4 then
    return nil, ("wanted {height, width}, {height, width, channels} or {n, height, width, channels}, got %s"):format(
      words.describe(x))
  elseif shape[4] < 1 or shape[4] > 4 then
    return nil, ("a picture has 1 to 4 channels (grey, grey and alpha, RGB, RGB and alpha), got %s"):format(
      words.describe(x))
  elseif shape[1] * shape[2] * shape[3] == 0 then
    return nil, ("there is no pixel in %s"):format(words.describe(x))
  end
  return ops.reshape(x, shape)
end

--- PNG files of the pictures in a tensor, a list of texts; with height and width. nil and the reason
-- when the tensor holds no pictures.
function M.encode(x, most)
  local batch, problem = as_batch(x)
  if not batch then return nil, problem end
  local count, files = math.min(batch.shape[1], most), {}
  batch = batch[{ { 1, count } }]
  -- A nan is black: the rest of the picture is still worth seeing.
  local bytes = ops.contiguous(images.to_bytes(ops.where(ops.eq(batch, batch), batch, 0):astype(batch.dtype)))
  for i = 1, count do
    files[i], problem = core.png_encode(bytes[i])
    if not files[i] then return nil, problem end
  end
  return files, batch.shape[2], batch.shape[3], batch.shape[4]
end

local function out_of_range(x)
  if x.dtype ~= "float32" and x.dtype ~= "float64" then return nil end
  local least, greatest = ops.min(x):item(), ops.max(x):item()
  return (least < 0 or greatest > 1) and ("%.4g to %.4g"):format(least, greatest) or nil
end

local function install(summary)
  summary.define("image", { summary.rows.self, summary.rows.name,
    { "data", "data", required = true,
      doc = "{height, width}, {height, width, channels} or {n, height, width, channels}; floats from 0 to 1 or uint8" },
    summary.rows.step,
    { "max_outputs", "integer", 3, min = 1, doc = "at most so many pictures of a batch" },
  }, "Writes pictures.", function(self, name, data, step, max_outputs)
    local x = summary.values_of("image", name, data)
    local files, height, width, channels = M.encode(x, max_outputs)
    if not files then summary.fail("image", name, "%s", height) end
    local range = out_of_range(x)
    if range then
      self:warn_once("image " .. name, ("image %s: values go from %s; a float picture's go from 0 to 1, "
        .. "and what is beyond is cut"):format(words.literal(name), range))
    end
    if #files == 1 then
      -- The short form, which every reader of event files knows.
      return self:write_value(name, protobuf.message(4, protobuf.int(1, height), protobuf.int(2, width),
        protobuf.int(3, channels), protobuf.text(4, files[1])), step)
    end
    local strings = { tostring(width), tostring(height), table.unpack(files) }
    self:write_value(name, summary.string_tensor(strings, { #strings }), step, "images")
  end)
end

return setmetatable(M, { __call = function(_, summary) install(summary) end })
