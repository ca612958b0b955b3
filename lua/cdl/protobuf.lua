--- Protobuf messages as strings: what TensorBoard's and ONNX's files are made of.
--
--     protobuf.text(1, "loss") .. protobuf.message(2, protobuf.int(1, 3), protobuf.double(2, 0.5))
--     for field, value in protobuf.fields(bytes) do ... end
--
-- A message is the concatenation of its fields, so there is nothing to build it with but `..`.
local M = {}

-- Wire types: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes.
local function varint(n)
  local bytes = {}
  while n < 0 or n > 127 do
    bytes[#bytes + 1] = string.char(n & 127 | 128)
    n = n >> 7
  end
  bytes[#bytes + 1] = string.char(n)
  return table.concat(bytes)
end

--- A field of an integer or a boolean.
function M.int(field, n)
  if type(n) == "boolean" then n = n and 1 or 0 end
  return varint(field << 3) .. varint(n)
end

--- The head of a field of text, bytes or a message: so many bytes follow.
function M.head(field, bytes) return varint(field << 3 | 2) .. varint(bytes) end

--- A field of text or bytes.
function M.text(field, text) return M.head(field, #text) .. text end

--- A field that is a message, given its fields.
function M.message(field, ...) return M.text(field, table.concat { ... }) end

function M.double(field, x) return varint(field << 3 | 1) .. ("<d"):pack(x) end

function M.float(field, x) return varint(field << 3 | 5) .. ("<f"):pack(x) end

local function read_varint(bytes, at)
  local n, shift = 0, 0
  while shift < 64 do
    local byte = bytes:byte(at)
    if not byte then return nil end
    n = n | (byte & 127) << shift
    at, shift = at + 1, shift + 7
    if byte < 128 then return n, at end
  end
end

local readers = {
  [0] = read_varint,
  [1] = function(bytes, at) if at + 7 <= #bytes then return ("<d"):unpack(bytes, at) end end,
  [2] = function(bytes, at)
    local size, start = read_varint(bytes, at)
    if not size or size < 0 or size > #bytes - start + 1 then return nil end
    return bytes:sub(start, start + size - 1), start + size
  end,
  [5] = function(bytes, at) if at + 3 <= #bytes then return ("<f"):unpack(bytes, at) end end,
}

--- Walks the fields of a message: number and value (integer, text, or a number of eight or four
-- bytes). It ends early where the bytes are no message.
function M.fields(bytes)
  local at = 1
  return function()
    local key, start = read_varint(bytes, at)
    local read = key and readers[key & 7]
    if not read then return nil end
    local value, next_at = read(bytes, start)
    if value == nil then return nil end
    at = next_at
    return key >> 3, value
  end
end

return M
