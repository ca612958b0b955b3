package.path = arg[0]:gsub("[^/]*$", "") .. "?.lua;" .. package.path
-- What the machine can do at most: float32 multiply-adds (two operations each), and copying at several
-- sizes from cache to memory.
local bench = require "common"
local core = require "cdl.core"

local limits = core.limits()
local sizes, copies = {}, {}
for i, level in ipairs(limits.levels) do sizes[i], copies[i] = level.bytes / 1e6, level.copy / 1e9 end
bench.emit("limits", "gflops_peak", limits.flops / 1e9, "copy_mb", sizes, "copy_gb_s", copies)
