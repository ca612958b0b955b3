package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- Saving and loading 100 million float32 parameters, beside writing (with fsync) and reading as many
-- bytes by dd (a file that is in memory, copied and read). Each round does all of it; the ratios are of
-- the same round. What others have written goes to the disk first, so that nobody waits for it.
local cdl = require "cdl"
local core = require "cdl.core"
local bench = require "common"

local folder = arg[1] or "."
local SIDE, ROUNDS = 10000, 5

local function seconds(f)
  local start = core.clock()
  f()
  return core.clock() - start
end

-- What dd says it took, without its start.
local function dd(words)
  os.execute "sync"
  local pipe <close> = assert(io.popen("LC_ALL=C dd bs=4M iflag=fullblock " .. words .. " 2>&1"))
  return tonumber(pipe:read "a":match "copied, ([%d.e+-]+) s")
end

local model = cdl.Sequential { cdl.layers.Input { SIDE }, cdl.layers.Dense { SIDE, use_bias = false } }
local plain, source = folder .. "/plain", folder .. "/source"
local results, formats = {}, { ".safetensors", ".npz", ".keras" }

local function keep(name, value)
  results[name] = results[name] or {}
  table.insert(results[name], value)
end

-- Each file takes the place of the one before, so that its pages are there already.
cdl.io.save(source, model:get_weights()[1])
for round = 0, ROUNDS do -- the first one warms up
  local write = dd(("if=%s of=%s conv=fsync"):format(source, plain))
  local read = dd(("if=%s of=/dev/null bs=%d count=1"):format(plain, 4 * SIDE * SIDE))
  os.remove(plain)
  if round > 0 then
    keep("write_s", write)
    keep("read_s", read)
  end
  for _, suffix in ipairs(formats) do
    local path, name, whole = folder .. "/model" .. suffix, suffix:sub(2), suffix == ".keras"
    os.execute "sync"
    local save = seconds(function()
      if whole then model:save(path) else model:save_weights(path) end
    end)
    local load = seconds(function()
      if whole then cdl.models.load_model(path) else model:load_weights(path) end
    end)
    os.remove(path)
    if round > 0 then
      keep(name .. "_save_s", save)
      keep(name .. "_load_s", load)
      keep(name .. "_save_ratio", save / write)
      keep(name .. "_load_ratio", load / read)
    end
  end
end

local fields = {}
for name, values in cdl.utils.sorted_pairs(results) do
  local median, least = bench.middle(values)
  table.move({ name, median, name .. "_min", least }, 1, 4, #fields + 1, fields)
end
bench.emit("files", table.unpack(fields))
