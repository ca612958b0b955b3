--- Sends each epoch's logs to a server.
--
-- The body is a form with one field, which holds the logs and the epoch as JSON; or, with
-- send_as_json, the JSON itself. A server that does not answer costs a warning, not the run.
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"
local json = require "cdl.json"
local signature = require "cdl.signature"
local words = require "cdl.words"

local RemoteMonitor = BuiltIn:extend "RemoteMonitor"

RemoteMonitor.signature = signature.new("RemoteMonitor", {
  { "root", "string", "http://localhost:9000", doc = "the server" },
  { "path", "string", "/publish/epoch/end/", doc = "where on the server" },
  { "field", "string", "data", doc = "name of the form's field" },
  { "headers", "table", doc = "more HTTP headers by name: {Authorization = \"Bearer ...\"}" },
  { "send_as_json", "boolean", false, doc = "send JSON in place of a form" },
  { "connect_timeout", "number", 2, above = 0, doc = "seconds to wait for the connection" },
  { "timeout", "number", 5, above = 0, doc = "seconds that sending and answering may take" },
}, { doc = "sends each epoch's logs to a server (keras.callbacks.RemoteMonitor)" })

-- Lines "Name: value"; the user's take the place of ours.
local function header_lines(headers, content_type)
  local lines, has_type = {}, false
  for name, value in pairs(headers or {}) do
    if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+.^_`|~-]+$" then
      core.raise(("RemoteMonitor: headers has the name %s, which no header can have"):format(words.literal(name)))
    elseif (type(value) ~= "string" and type(value) ~= "number") or tostring(value):find "[\r\n%z]" then
      core.raise(("RemoteMonitor: the header '%s' must be one line of text, got %s"):format(name,
        words.describe(value)))
    end
    has_type = has_type or name:lower() == "content-type"
    lines[#lines + 1] = ("%s: %s"):format(name, value)
  end
  if not has_type then lines[#lines + 1] = "Content-Type: " .. content_type end
  table.sort(lines)
  return lines
end

function RemoteMonitor:init(...)
  local args = RemoteMonitor.signature:read(...)
  for _, name in ipairs { "root", "path", "field", "headers", "send_as_json", "connect_timeout", "timeout" } do
    self[name] = args[name]
  end
  local ok, problem = core.http_available()
  if not ok then core.raise("RemoteMonitor: " .. problem) end
  if not self.root:find "^https?://[^/]" then
    core.raise(("RemoteMonitor: root must begin with http:// or https:// and name a server, got %q"):format(self.root))
  end
  self.lines = header_lines(self.headers,
    self.send_as_json and "application/json" or "application/x-www-form-urlencoded")
end

local function form_encode(text)
  return (text:gsub("[^%w%-._~ ]", function(c) return ("%%%02X"):format(c:byte()) end):gsub(" ", "+"))
end

-- What JSON has no form for is sent as text; a tensor or list of one number is that number.
local function plain(value)
  if core.is_tensor(value) then value = value.size == 1 and core.item(value) or value:totable() end
  if words.is_plain(value) and #value == 1 and type(value[1]) == "number" then return value[1] end
  local kind = type(value)
  if kind == "number" or kind == "string" or kind == "boolean" or words.is_plain(value) then return value end
  return tostring(value)
end

--- The body of a request.
function RemoteMonitor:body(epoch, logs)
  local values = { epoch = epoch }
  for name, value in pairs(logs) do values[name] = plain(value) end
  local text = json.encode(values)
  if self.send_as_json then return text end
  return form_encode(self.field) .. "=" .. form_encode(text)
end

function RemoteMonitor:on_epoch_end(epoch, logs)
  logs = logs or {}
  local status, problem = core.http_post(self.root .. self.path, self.lines, self:body(epoch, logs),
    self.connect_timeout, self.timeout)
  if not status then
    core.warn(("Could not reach RemoteMonitor root server at %s: %s"):format(self.root, problem))
  elseif status >= 400 then
    core.warn(("RemoteMonitor: the server at %s refused the logs of epoch %d with status %d"):format(self.root,
      epoch, status))
  end
end

return RemoteMonitor
