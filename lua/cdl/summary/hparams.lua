--- writer:hparams and writer:hparams_config: the HParams plug-in's table of runs.
--
-- A session is a run with its hyper-parameters; the metrics that the table shows are scalars of that
-- run and of those in folders below it.
local core = require "cdl.core"
local protobuf = require "cdl.protobuf"
local words = require "cdl.words"

local int, text, message, double = protobuf.int, protobuf.text, protobuf.message, protobuf.double

local STATUS = { success = 1, failure = 2, running = 3 }
local TYPES = { string = 1, boolean = 2, number = 3 }

-- A google.protobuf.Value.
local function encode_value(value)
  if type(value) == "number" then return double(2, value) end
  if type(value) == "boolean" then return int(4, value) end
  return text(3, value)
end

local function check_values(what, values)
  if not words.is_plain(values) then
    core.raise(("%s: wanted values by name, got %s"):format(what, words.describe(values)))
  end
  for name, value in pairs(values) do
    if type(name) ~= "string" then
      core.raise(("%s: wanted values by name, got the key %s"):format(what, words.literal(name)))
    elseif not TYPES[type(value)] then
      core.raise(("%s: '%s' must be a number, a string or a boolean, got %s"):format(what, name, words.describe(value)))
    end
  end
end

-- A HParamInfo. space: a list of the values, or {min =, max =}.
local function encode_info(name, space)
  local first = space[1] == nil and 0.0 or space[1]
  local domain
  if space.min and space.max then
    domain = message(6, double(1, space.min), double(2, space.max))
  else
    local values = {}
    for i, value in ipairs(space) do values[i] = message(1, encode_value(value)) end
    domain = message(5, table.concat(values))
  end
  return message(4, text(1, name), int(4, TYPES[type(first)]), domain)
end

-- A MetricInfo. metric: a tag, or {tag =, group = folder below the session, title =}.
local function encode_metric(metric)
  if type(metric) == "string" then metric = { tag = metric } end
  if type(metric) ~= "table" or type(metric.tag) ~= "string" then
    core.raise(("hparams_config: a metric is a tag or {tag =, group =, title =}, got %s"):format(
      words.describe(metric)))
  end
  return message(5, message(1, metric.group and text(1, metric.group) or "", text(2, metric.tag)),
    metric.title and text(3, metric.title) or "")
end

local function check_space(name, space)
  local bounded = type(space) == "table" and type(space.min) == "number" and type(space.max) == "number"
  if not bounded and (not words.is_plain(space) or #space == 0) then
    core.raise(("hparams_config: '%s' must be a list of values or {min =, max =}, got %s"):format(name,
      words.describe(space)))
  end
  for _, value in ipairs(space) do check_values("hparams_config", { [name] = value }) end
  for _, value in ipairs(space) do
    if type(value) ~= type(space[1]) then
      core.raise(("hparams_config: the values of '%s' must be of one type"):format(name))
    end
  end
end

return function(summary)
  -- The record itself is in the plug-in's settings; the value is an empty tensor.
  local function write(self, tag, field, ...)
    self:write_value("_hparams_/" .. tag, summary.float_tensor(nil), 0, "hparams", message(field, ...))
  end

  summary.define("hparams", { summary.rows.self,
    { "values", "data", required = true, doc = "numbers, strings and booleans by name" },
    { "metrics", "data", doc = "results by tag, written as scalars: {accuracy = 0.9}" },
    { "step", "integer", 0, doc = "of the metrics" },
    { "group", "string", doc = "runs of one group are averaged: repetitions with other seeds" },
  }, "Says with which hyper-parameters this run is made. It counts as finished when the writer is closed.",
    function(self, values, metrics, step, group)
      check_values("hparams", values)
      local infos = {}
      for i, name in ipairs(words.sorted_keys(values)) do
        infos[i] = message(1, text(1, name), message(2, encode_value(values[name])))
      end
      write(self, "session_start_info", 3, table.concat(infos), group and text(4, group) or "", double(5, os.time()))
      self.in_session = true
      if metrics then
        check_values("hparams: metrics", metrics)
        for name, value in pairs(metrics) do self:scalar(name, value, step) end
      end
    end)

  summary.define("hparams_config", { summary.rows.self,
    { "space", "data", required = true, doc = "by name a list of all values, or {min =, max =}" },
    { "metrics", "list", doc = "tags, or {tag =, group = 'validation', title =}" },
  }, "Says once, in the folder above the runs, which hyper-parameters and metrics the table has.",
    function(self, space, metrics)
      local infos, shown = {}, {}
      if not words.is_plain(space) then
        core.raise(("hparams_config: wanted lists of values by name, got %s"):format(words.describe(space)))
      end
      for i, name in ipairs(words.sorted_keys(space)) do
        check_space(name, space[name])
        infos[i] = encode_info(name, space[name])
      end
      for i, metric in ipairs(metrics or {}) do shown[i] = encode_metric(metric) end
      write(self, "experiment", 2, double(3, os.time()), table.concat(infos), table.concat(shown))
    end)

  --- Ends the session that hparams began: "success" or "failure".
  function summary.FileWriter:end_session(status)
    if not self.in_session then return end
    self.in_session = nil
    write(self, "session_end_info", 4, int(1, STATUS[status]), double(2, os.time()))
  end
end
