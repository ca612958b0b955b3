--- The base class of the callbacks that come with cdl. They answer to every hook, so that one may drive
-- them by hand and a subclass may call its parent's; the loop passes over the hooks that are idle.
local core = require "cdl.core"
local Callback = require "cdl.callbacks.callback"

local BuiltIn = Callback:extend "BuiltIn"

for _, name in ipairs(core.hook_names()) do BuiltIn[name] = core.idle_hook end
BuiltIn.on_batch_begin, BuiltIn.on_batch_end = core.idle_hook, core.idle_hook

return BuiltIn
