--- Writes each epoch's logs as a row of a CSV file.
--
-- The columns are fixed at the first epoch: epoch and the logs' names in alphabetical order;
-- where that epoch had no validation, val_ columns are added for all of them. Rows end with
-- CR LF and fields are quoted as Excel does it; a value that is missing is written NA. A run that
-- goes on from a snapshot drops rows behind those of the snapshot, so that the file is as if the
-- run had never been cut short.
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"
local signature = require "cdl.signature"
local template = require "cdl.template"

local CSVLogger = BuiltIn:extend "CSVLogger"

CSVLogger.signature = signature.new("CSVLogger", {
  { "filename", "string", required = true, doc = "the file; its folder must exist" },
  { "separator", "string", ",", doc = "between the fields" },
  { "append", "boolean", false, doc = "add to a file that exists" },
}, { doc = "writes each epoch's logs as a row of a CSV file (keras.callbacks.CSVLogger)" })

function CSVLogger:init(...)
  local args = CSVLogger.signature:read(...)
  if utf8.len(args.separator) ~= 1 then
    core.raise(('CSVLogger: separator must be one character, got "%s"'):format(args.separator))
  end
  self.filename, self.separator, self.append = args.filename, args.separator, args.append
end

local function close(self)
  if self.file then self.file:close() end
  self.file = nil
end

local function has_header(filename)
  local file = io.open(filename, "rb")
  local line = file and file:read "L"
  if file then file:close() end
  return line ~= nil and line:find "[^\r\n]" ~= nil
end

-- A file that is begun anew takes the old one's place, which stays when that fails.
local function open(self, mode)
  local kind = mode == "wb" and core.path_kind(self.filename)
  local problem, file
  if kind == "file" then
    mode, file, problem = "ab", core.write_text(self.filename, "")
    if not file then core.raise("CSVLogger: " .. problem) end
  end
  file, problem = io.open(self.filename, mode)
  if not file then core.raise(("CSVLogger: cannot write %s"):format(problem)) end
  self.file, self.position = file, file:seek "end"
end

function CSVLogger:on_train_begin()
  close(self)
  self.columns = nil
  -- A file that load_state will cut to its length of then must not be emptied here.
  local list = self.model and self.model.callbacks
  local keep = self.append or (list and list:will_restore(self))
  self.write_header = not (keep and has_header(self.filename))
  open(self, keep and "ab" or "wb")
end

local function find_columns(logs)
  local names, validated = {}, false
  for name in pairs(logs) do
    names[#names + 1] = name
    validated = validated or name:find "^val_" ~= nil
  end
  table.sort(names)
  if not validated then
    for i = 1, #names do names[#names + 1] = "val_" .. names[i] end
  end
  return names
end

local function cell(value)
  if value == nil then return "NA" end
  if type(value) == "number" then return template.number(value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for i, entry in ipairs(value) do parts[i] = cell(entry) end
  return "[" .. table.concat(parts, ", ") .. "]"
end

local function quote(self, text, always)
  if always or text:find('["\r\n]') or text:find(self.separator, 1, true) then
    return '"' .. text:gsub('"', '""') .. '"'
  end
  return text
end

-- A row that could not be written whole is taken away again.
local function write_row(self, cells)
  local row = table.concat(cells, self.separator) .. "\r\n"
  local file, problem = self.file:write(row)
  if file then file, problem = self.file:flush() end
  if not file then
    close(self)
    core.truncate_file(self.filename, self.position)
    core.raise(("CSVLogger: cannot write %s: %s"):format(self.filename, problem))
  end
  self.position = self.position + #row
end

function CSVLogger:on_epoch_end(epoch, logs)
  logs = logs or {}
  if not self.columns then
    self.columns = find_columns(logs)
    if self.write_header then
      local header = { "epoch" }
      for i, name in ipairs(self.columns) do header[i + 1] = quote(self, name) end
      write_row(self, header)
    end
  end
  local cells = { ("%d"):format(epoch) }
  for i, name in ipairs(self.columns) do
    cells[i + 1] = quote(self, cell(logs[name]), type(logs[name]) == "table")
  end
  write_row(self, cells)
end

function CSVLogger:on_train_end() close(self) end

function CSVLogger:on_exit() close(self) end

--- The header and the last rows of the file.
function CSVLogger:last_rows(count)
  local file = io.open(self.filename, "rb")
  local rows = {}
  for line in file and file:lines "L" or function() end do rows[#rows + 1] = line end
  if file then file:close() end
  return { header = rows[1], rows = table.move(rows, math.max(2, #rows - count + 1), #rows, 1, {}) }
end

function CSVLogger:state() return { position = self.position, columns = self.columns } end

-- Cuts the file to its length of then. One that is shorter has lost rows; the rest still goes on.
local function cut(self, length)
  if self.position < length then
    core.warn(("CSVLogger: %s has %d bytes; it had %d when the run was saved, so rows are missing"):format(
      self.filename, self.position, length))
  elseif self.position > length then
    close(self)
    local ok, problem = core.truncate_file(self.filename, length)
    if not ok then core.raise("CSVLogger: " .. problem) end
    open(self, "ab")
  end
end

function CSVLogger:load_state(state)
  self.columns = state.columns
  if not self.file then -- a run that has ended
    self.position = state.position
    return
  end
  cut(self, state.position)
  self.write_header = not has_header(self.filename)
  -- Columns that are known would go without a header.
  if self.write_header then self.columns = nil end
end

return CSVLogger
