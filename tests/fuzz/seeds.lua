--- The first files of the fuzz targets: small ones of every kind, one folder for each target.
--
--     cdl tests/fuzz/seeds.lua FOLDER
local cdl = require "cdl"
local core = require "cdl.core"

local root = assert(arg[1], "the folder for the seeds is missing")

local function folder(name)
  local path = root .. "/" .. name
  cdl.io.make_folder(path)
  return path .. "/"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

local function from_hex(text)
  return (text:gsub("%s", ""):gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end))
end

-- ---- arrays ----

local DTYPES = { "bool", "uint8", "int32", "int64", "float32", "float64" }
local npy = folder "npy"
for _, dtype in ipairs(DTYPES) do cdl.io.save(npy .. dtype, cdl.tensor({ { 0, 1, 1 }, { 1, 0, 1 } }, dtype)) end
cdl.io.save(npy .. "none", cdl.zeros { 0, 3 })
cdl.io.save(npy .. "scalar", cdl.tensor(1))

-- The header of version 1 with that text.
local function npy_text(header, data)
  return "\x93NUMPY\1\0" .. ("<s2"):pack(header) .. data
end
for i, dtype in ipairs { "<i1", "<i2", "<u2", "<u4", "<u8", "<f2", ">f4", ">i8" } do
  local bytes = tonumber(dtype:match "%d") * 6
  write(npy .. "made" .. i, npy_text(("{'descr': '%s', 'fortran_order': True, 'shape': (2, 3), }"):format(dtype),
    ("\1"):rep(bytes)))
end
write(npy .. "version2", "\x93NUMPY\2\0" .. ("<s4"):pack "{'descr': '|u1', 'fortran_order': False, 'shape': (1,)}"
  .. "x")
write(npy .. "objects", npy_text("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "x"))
write(npy .. "records", npy_text("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "abcd"))

local arrays = { ["layer/kernel"] = cdl.tensor { { 1, 2 }, { 3, 4 } }, step = cdl.tensor(7, "int64"),
  none = cdl.zeros({ 0 }, "bool") }
for _, name in ipairs { "npz", "zip" } do
  local path = folder(name)
  cdl.io.savez(path .. "stored", arrays)
  cdl.io.savez_compressed(path .. "deflated", arrays)
  cdl.io.savez(path .. "empty", {})
end
local safetensors = folder "safetensors"
cdl.io.save_safetensors(safetensors .. "all", arrays, { metadata = { format = "np" } })
for i, dtype in ipairs { "F16", "BF16", "I8", "U64" } do
  local bytes = i < 3 and 2 or i == 3 and 1 or 8
  local header = ('{"x":{"dtype":"%s","shape":[1],"data_offsets":[0,%d]}}'):format(dtype, bytes)
  write(safetensors .. dtype, ("<s8"):pack(header) .. ("\1"):rep(bytes))
end

-- ---- tables ----

local idx = folder "idx"
for _, code in ipairs { 8, 9, 0x0B, 0x0C, 0x0D, 0x0E } do
  local width = ({ [8] = 1, [9] = 1, [0x0B] = 2, [0x0E] = 8 })[code] or 4
  write(idx .. code, ("\0\0%s\2\0\0\0\2\0\0\0\1"):format(string.char(code)) .. ("\1"):rep(2 * width))
end
-- gzip of the first of them
write(idx .. "gz", from_hex [[
1f8b08000000000002ff6360e06062606000614646460031cc9a770e000000]])

local csv = folder "csv"
write(csv .. "plain", "a,b,c\n1,2.5,NA\r\n-3,4e2,\n")
write(csv .. "quoted", 'a,"b ""c""",d\n"1","2\n",3\n')
write(csv .. "blanks", "1  2 3\n4 5   6\n")
write(csv .. "numbers", "0x1p3,inf,-nan,1e999,1e-999,12345678901234567890\n\n\n")

-- ---- pictures ----

local image = folder "image"
for channels = 1, 4 do
  if channels ~= 2 then
    local pixels = cdl.random.randint { shape = { 5, 6, channels }, low = 0, high = 256 }
    cdl.io.write_png(image .. channels .. ".png", pixels:astype "uint8")
  end
end
-- 9 x 8 pixels, by libjpeg: RGB, and grey and progressive
write(image .. "rgb.jpg", from_hex [[
ffd8ffe000104a46494600010100000100010000ffdb004300281c1e231e19282321232d2b28303c64413c37373c7b585d4964918099
968f808c8aa0b4e6c3a0aadaad8a8cc8ffcbdaeef5ffffff9bc1fffffffaffe6fdfff8ffdb0043012b2d2d3c353c76414176f8a58ca5
f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8f8ffc00011
080008000903012200021101031101ffc4001500010100000000000000000000000000000001ffc40015100101000000000000000000
00000000000013ffc40014010100000000000000000000000000000003ffc40019110002030100000000000000000000000000010304
1251ffda000c03010002110311003f00944a00708555e3e1ffd9]])
write(image .. "grey.jpg", from_hex [[
ffd8ffe000104a46494600010100000100010000ffdb004300281c1e231e19282321232d2b28303c64413c37373c7b585d4964918099
968f808c8aa0b4e6c3a0aadaad8a8cc8ffcbdaeef5ffffff9bc1fffffffaffe6fdfff8ffc2000b080008000901011100ffc400140001
00000000000000000000000000000002ffda00080101000000010bffc4001510010100000000000000000000000000000013ffda0008
0101000105029a6fffc40014100100000000000000000000000000000010ffda0008010100063f023fffc40015100101000000000000
00000000000000000110ffda0008010100013f2121ffda0008010100000010bfffc40016100101010000000000000000000000000000
6171ffda0008010100013f10830fffd9]])

-- ---- TensorBoard ----

do
  local path = folder "event"
  local writer <close> = cdl.summary.create_file_writer(path)
  writer:scalar("loss", 0.25, 1)
  writer:histogram("kernel", cdl.tensor { 1, 2, 3 }, 2)
end

-- ---- models ----

local layers = cdl.layers

local function models()
  local x = cdl.Input { shape = { 4 }, name = "x" }
  local shared = layers.Dense { 3, activation = "relu", kernel_regularizer = "l2" }
  local y = layers.Add() { shared(x), layers.Dropout(0.5)(shared(x)) }
  local functional = cdl.Model { inputs = x, outputs = { y, layers.Flatten()(y) } }
  local small = cdl.Sequential { layers.Input { 2 }, layers.Dense(1) }
  local images = cdl.Sequential { layers.Input { 6, 6, 1 }, layers.Conv2D(2, 3), layers.BatchNormalization(),
    layers.MaxPooling2D(2), layers.Flatten(), layers.Dense { 2, activation = "softmax" } }
  small:compile { optimizer = "adam", loss = "mse", metrics = { "mae" } }
  return { functional = functional, small = small, images = images }
end

local config, h5, pickle = folder "config", folder "h5", folder "pickle"
for name, model in pairs(models()) do write(config .. name, model:to_json()) end
for _, dtype in ipairs(DTYPES) do
  local file = assert(core.h5_image({ "/layers/dense/vars/0", "/layers/dense/vars/1", "/vars/0" },
    { cdl.tensor({ { 0, 1 }, { 1, 0 } }, dtype), cdl.tensor(1, dtype), cdl.zeros({ 0 }, dtype) }))
  file:write(h5 .. dtype)
end
-- pickle.dumps({"data": numpy.arange(6, dtype="u1").reshape(2, 3), "labels": [1, 2]}, protocol=2)
write(pickle .. "array", from_hex [[
80027d7100285804000000646174617101636e756d70792e5f636f72652e6d756c746961727261790a5f7265636f6e7374727563740a
7102636e756d70790a6e6461727261790a71034b00857104635f636f646563730a656e636f64650a7105580100000062710658060000
006c6174696e31710786710852710987710a52710b284b014b024b0386710c636e756d70790a64747970650a710d5802000000753171
0e898887710f527110284b0358010000007c71114e4e4e4affffffff4affffffff4b00747112628968055806000000000102030405711
368078671145271157471166258060000006c6162656c7371175d7118284b014b0265752e]])
