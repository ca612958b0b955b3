--- The progress bar: one line on a terminal, drawn over and over; or one line at the end, as in files
-- and pipes and on terminals that cannot draw (TERM=dumb). NO_COLOR leaves out the colours.
--
--     local bar = progbar.new { target = 469, title = "Epoch 1/5", verbose = 1 }
--     bar:update(120, {loss = 0.5})
--     bar:finish(469, {loss = 0.4, val_loss = 0.45})
--
--     Epoch 1/5  120/469 ━━━━━━━━━━━━━━━━━━━━  ETA 1s  3ms/step - loss: 0.5000
local core = require "cdl.core"

local M = {}

local Bar = {}
Bar.__index = Bar

local CELLS = 20

--- Seconds as 12s, 3:07 or 1:02:45.
function M.duration(seconds)
  local whole = math.floor(seconds + 0.5)
  if whole >= 3600 then
    return ("%d:%02d:%02d"):format(whole // 3600, whole // 60 % 60, whole % 60)
  elseif whole >= 60 then
    return ("%d:%02d"):format(whole // 60, whole % 60)
  end
  return ("%ds"):format(whole)
end

--- The time of one step: 2s/step, 15ms/step, 800us/step.
function M.step_time(seconds)
  if seconds >= 1 then return ("%.0fs/step"):format(seconds) end
  if seconds >= 1e-3 then return ("%.0fms/step"):format(seconds * 1e3) end
  return ("%.0fus/step"):format(seconds * 1e6)
end

local function value_text(value)
  if type(value) == "table" then
    local parts = {}
    for i, entry in ipairs(value) do parts[i] = value_text(entry) end
    return "[" .. table.concat(parts, ", ") .. "]"
  elseif type(value) ~= "number" then
    return tostring(value)
  elseif value == 0 or math.abs(value) > 1e-3 then
    return ("%.4f"):format(value)
  end
  return ("%.4e"):format(value)
end

--- " - loss: 0.5000 - val_loss: 0.6000", names in alphabetical order.
function M.metrics(logs)
  local names, parts = {}, {}
  for name in pairs(logs or {}) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = (" - %s: %s"):format(name, value_text(logs[name])) end
  return table.concat(parts)
end

--- options: target (steps, nil when unknown), title, verbose (1 or 2), output (a file), width (in columns;
-- else the terminal's).
function M.new(options)
  local width = options.width or (os.getenv "TERM" ~= "dumb" and core.terminal_width()) or nil
  return setmetatable({
    target = options.target, title = options.title, output = options.output or io.stdout,
    started = core.clock(), width = width, is_drawn = options.verbose == 1 and width ~= nil,
  }, Bar)
end

local function gauge(done, target, cells)
  local full = math.min(cells, done * cells // math.max(target, 1))
  if (os.getenv "NO_COLOR" or "") ~= "" then return ("━"):rep(full) .. ("─"):rep(cells - full) end
  return ("\27[32m%s\27[37m%s\27[0m"):format(("━"):rep(full), ("━"):rep(cells - full))
end

-- Cuts the text to so many columns, so that the line never wraps and can be drawn over.
local function cut(text, columns)
  local last = utf8.offset(text, columns + 1)
  return last and text:sub(1, last - 1) or text
end

-- The first step holds the making of the plan; it does not count once there are others.
local function rate(self, done)
  local now = core.clock()
  if not self.first and done > 0 then self.first, self.first_done = now, done end
  if self.first_done and done > self.first_done then
    return (now - self.first) / (done - self.first_done), now - self.started
  end
  return done > 0 and (now - self.started) / done or 0, now - self.started
end

-- front, the bar, back; the bar gives way where the line is too short for all. The last state
-- is written whole, for it is not drawn over.
local function draw(self, front, part, back, is_last)
  local room = self.width - 1 - (utf8.len(front) or #front)
  local cells = math.max(0, math.min(CELLS, room - (utf8.len(back) or #back)))
  local bar = part and cells >= 5 and gauge(part, self.target or part, cells) or ""
  if bar ~= "" then room = room - cells end
  self.output:write("\r", front, bar, is_last and back or cut(back, math.max(room, 10)), "\27[K")
  self.output:flush()
  self.drawn = true
end

local function head(self)
  return self.title and self.title .. "  " or ""
end

--- Draws the bar with `done` steps done.
function Bar:update(done, logs)
  if not self.is_drawn then return end
  local step, elapsed = rate(self, done)
  if self.target then
    local eta = M.duration(step * math.max(self.target - done, 0))
    draw(self, ("%s%d/%d "):format(head(self), done, self.target), done,
      ("  ETA %s  %s%s"):format(eta, M.step_time(step), M.metrics(logs)))
  else
    draw(self, ("%s%d/Unknown "):format(head(self), done), nil,
      (" %s  %s%s"):format(M.duration(elapsed), M.step_time(step), M.metrics(logs)))
  end
end

--- The last state of the bar, or the one line of verbose 2.
function Bar:finish(done, logs)
  local elapsed = core.clock() - self.started
  local step = done > 0 and elapsed / done or 0
  local count = ("%d/%d"):format(done, self.target or done)
  if self.is_drawn then
    draw(self, head(self) .. count .. " ", done,
      ("  %s  %s%s"):format(M.duration(elapsed), M.step_time(step), M.metrics(logs)), true)
    self.output:write "\n"
  else
    self.output:write(self.title and self.title .. " - " or "", count, " - ", M.duration(elapsed),
      " - ", M.step_time(step), M.metrics(logs), "\n")
  end
  self.output:flush()
end

--- Leaves the bar as it is, and its line.
function Bar:abandon()
  if self.drawn then
    self.output:write "\n"
    self.output:flush()
  end
end

return M
