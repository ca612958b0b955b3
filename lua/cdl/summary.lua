--- Files for TensorBoard (`cdl.summary`).
--
--     local writer <close> = cdl.summary.create_file_writer "logs/run1"
--     writer:scalar("loss", 0.25, step)
--     writer:histogram("kernel", layer.weights[1], step)
--
-- One folder is one run, and has one writer at a time. What is written is in the file at once,
-- whether or not the writer is closed. When the disk refuses a record there is a warning, and the
-- program goes on without it.
--
-- The messages are those of TensorFlow's summary.proto, event.proto and tensor.proto, and of
-- TensorBoard's plug-ins (tensorboard/plugins/*/plugin_data.proto).
local class = require "cdl.class"
local core = require "cdl.core"
local protobuf = require "cdl.protobuf"
local signature = require "cdl.signature"
local words = require "cdl.words"

local M = {}

local int, text, message = protobuf.int, protobuf.text, protobuf.message

local GRAPH, SUMMARY = 4, 5 -- fields of an Event
local FLOAT, STRING = 1, 7 -- dtypes of a TensorProto

local Writer = class "FileWriter"
M.FileWriter = Writer

function Writer:init(folder)
  local file, problem, taken = core.event_open(folder)
  if taken then
    -- A writer that nobody holds any more is as good as closed.
    collectgarbage()
    file, problem = core.event_open(folder)
  end
  if not file then core.raise("create_file_writer: " .. problem) end
  self.folder, self.file, self.warned = folder, file, {}
end

Writer.__tostring = function(self) return ("<FileWriter %s>"):format(words.literal(self.folder)) end

Writer.__close = function(self) self:close() end

--- A writer in place of one that could not be opened in the middle of a run: what it is given is lost.
function M.lost_writer(folder)
  return setmetatable({ folder = folder, lost = true, warned = {} }, Writer)
end

local function check_open(self)
  if not self.file and not self.lost then core.raise(("the writer of '%s' is closed"):format(self.folder)) end
end

--- Warns once of what would be worth a warning each time.
function Writer:warn_once(key, problem)
  if self.warned[key] then return end
  self.warned[key] = true
  core.warn(problem)
end

local function report(self, ok, problem)
  if ok then
    self.warned.write = nil
  else
    self:warn_once("write", ("TensorBoard: %s; the run goes on, what cannot be written is left out"):format(problem))
  end
end

local function write(self, step, field, body)
  check_open(self)
  if self.lost then return end
  report(self, core.event_write(self.file, step, field, body))
end

--- Numbers by name under tags that begin with the prefix, in one record: what callbacks write each
-- batch. A list is a number for each place ("name_1"); other values are passed over.
function Writer:scalars(prefix, values, step)
  check_open(self)
  if self.lost then return end
  report(self, core.event_scalars(self.file, step, prefix, values))
end

-- ---- messages ----

-- A SummaryMetadata: which plug-in shows the tag, and its settings.
local function metadata(plugin, content, description)
  return message(9, message(1, text(1, plugin), text(2, content or "")),
    description and text(3, description) or "")
end

local function shape_proto(shape)
  local sizes = {}
  for i, n in ipairs(shape) do sizes[i] = message(2, int(1, n)) end
  return message(2, table.concat(sizes))
end

--- A TensorProto of strings, a field of Summary.Value.
function M.string_tensor(strings, shape)
  local values = {}
  for i, value in ipairs(strings) do values[i] = text(8, value) end
  return message(8, int(1, STRING), shape_proto(shape), table.concat(values))
end

--- A TensorProto of a float32 tensor (nil: without elements), a field of Summary.Value.
function M.float_tensor(tensor)
  if not tensor then return message(8, int(1, FLOAT), shape_proto { 0 }) end
  return message(8, int(1, FLOAT), shape_proto(tensor.shape), text(4, core.tensor_content(tensor)))
end

--- Writes one value of a tag, given as the field of Summary.Value that holds it. plugin: the plug-in that shows it,
-- where the value does not tell.
function Writer:write_value(tag, value, step, plugin, content)
  write(self, step, SUMMARY, message(1, text(1, tag), value, plugin and metadata(plugin, content) or ""))
end

--- Writes a GraphDef.
function Writer:write_graph(definition) write(self, 0, GRAPH, definition) end

-- ---- reading arguments ----

--- Raises: "method 'name': ...".
local function fail(method, name, format, ...)
  return core.raise(("%s %s: %s"):format(method, words.literal(name), format:format(...)))
end

--- A tensor with values: eager, a variable's, or written out.
local function values_of(method, name, x)
  if core.is_variable(x) then return x:value() end
  if words.is_plain(x) or type(x) == "number" then return core.tensor(x) end
  if core.is_tensor(x) and x.kind == "eager" then return x end
  if words.is_tensor(x) then fail(method, name, "a %s tensor has no values yet", x.kind) end
  return fail(method, name, "wanted a tensor, got %s", words.describe(x))
end
M.values_of, M.fail = values_of, fail

local function number_of(method, name, x)
  if type(x) == "boolean" then return x and 1 or 0 end
  local tensor = values_of(method, name, x)
  if tensor.size ~= 1 then fail(method, name, "wanted one number, got %s", words.describe(x)) end
  return tensor:astype("float64"):item()
end

local self_row = { "self", "any", required = true }

--- The rows that methods of writers share.
M.rows = {
  self = self_row,
  name = { "name", "string", required = true, doc = "tag; slashes make groups: 'dense/kernel'" },
  step = { "step", "integer", required = true, doc = "where it stands on the horizontal axis" },
}

--- Defines a method of writers.
function M.define(name, rows, doc, body) Writer[name] = signature.method(name, rows, doc, body) end
local define = M.define

define("scalar", { self_row, M.rows.name,
  { "value", "any", required = true, doc = "a number, or a tensor of one element" }, M.rows.step,
}, "Writes a number.", function(self, name, value, step)
  if type(value) ~= "number" then value = number_of("scalar", name, value) end
  self:scalars("", { [name] = value }, step)
end)

define("histogram", { self_row, M.rows.name,
  { "data", "data", required = true, doc = "a tensor of any shape" }, M.rows.step,
  { "buckets", "integer", 30, min = 1, max = 1000, doc = "of equal width, from the least to the greatest element" },
}, "Writes the distribution of a tensor's elements. Those that are not finite are left out; how many there are is "
  .. "written as a scalar beside it, 'name/nonfinite'.", function(self, name, data, step, buckets)
  local histogram, dropped = core.histogram(
    core.is_variable(data) and data or values_of("histogram", name, data), buckets)
  self:write_value(name, text(5, histogram), step)
  if dropped > 0 then self:scalar(name .. "/nonfinite", dropped, step) end
end)

-- Cells in rows of one length, as one list; nil for the length where the rows are no tables.
local function read_cells(name, value)
  local cells, columns = {}, nil
  for i, row in ipairs(value) do
    local width = type(row) == "table" and #row or nil
    if i > 1 and width ~= columns then
      fail("text", name, "the rows of a table must be of one length; row %d is %s", i, words.describe(row))
    end
    columns = width
    for _, cell in ipairs(width and row or { row }) do cells[#cells + 1] = tostring(cell) end
  end
  return cells, columns
end

define("text", { self_row, M.rows.name,
  { "value", "string|table", required = true, doc = "Markdown; or a list of texts; or a list of rows: a table" },
  { "step", "integer", 0, doc = "where it stands among the texts of this name" },
}, "Writes text, which TensorBoard reads as Markdown.", function(self, name, value, step)
  local cells, shape = { value }, {}
  if type(value) == "table" then
    local columns
    cells, columns = read_cells(name, value)
    shape = { #value, columns }
  end
  self:write_value(name, M.string_tensor(cells, shape), step, "text")
end)

define("flush", { self_row }, "Waits until the disk has all that was written. The file itself has it at once.",
  function(self)
    check_open(self)
    if not self.lost then report(self, core.event_sync(self.file)) end
  end)

define("close", { self_row }, "Ends the run's file; the folder is free for another writer.", function(self)
  if not self.file then return end
  self:end_session "success"
  core.event_close(self.file)
  self.file = nil
end)

--- Name of the file and its length, nil when it is closed.
function Writer:place()
  if self.file then return core.event_place(self.file) end
end

M.create_file_writer = signature.fn("create_file_writer", {
  { "logdir", "string", required = true, doc = "folder of the run; it is made when there is none" },
}, "A writer of what TensorBoard shows, with the methods scalar histogram image text hparams graph pr_curve "
  .. "embedding layout flush close.", function(folder)
  if folder == "" then core.raise "create_file_writer: the folder's name is empty" end
  return Writer(folder)
end)

for _, part in ipairs { "image", "pr_curve", "hparams", "graph", "embedding", "layout" } do
  require("cdl.summary." .. part)(M)
end

return M
