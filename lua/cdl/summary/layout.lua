--- writer:layout: which scalars share a chart in the Custom Scalars tab.
local core = require "cdl.core"
local protobuf = require "cdl.protobuf"
local words = require "cdl.words"

local text, message = protobuf.text, protobuf.message

local function check_text(what, value)
  if type(value) ~= "string" then
    core.raise(("layout: %s must be a string, got %s"):format(what, words.describe(value)))
  end
  return value
end

-- A Chart: several lines, or a line between a lower and an upper one.
local function encode_chart(chart)
  if not words.is_plain(chart) then
    core.raise(("layout: a chart is {title =, tag, tag ...} or {title =, margin = {value, lower, upper}}, got %s")
      :format(words.describe(chart)))
  end
  local title = text(1, check_text("a chart's title", chart.title))
  if chart.margin then
    local series = {}
    for i = 1, 3 do series[i] = text(i, check_text("a margin's entry", chart.margin[i])) end
    return message(2, title, message(3, message(1, table.concat(series))))
  end
  local tags = {}
  for i, tag in ipairs(chart) do tags[i] = text(1, check_text("a tag", tag)) end
  if #tags == 0 then core.raise(("layout: chart '%s' names no tags"):format(chart.title)) end
  return message(2, title, message(2, table.concat(tags)))
end

return function(summary)
  summary.define("layout", { summary.rows.self,
    { "categories", "list", required = true,
      doc = "{ {title = 'Losses', {title = 'both', 'epoch_.*loss'}}, ... }; tags are regular expressions" },
  }, "Arranges scalars in charts of the Custom Scalars tab.", function(self, categories)
    local parts = {}
    for i, category in ipairs(categories) do
      if not words.is_plain(category) then
        core.raise(("layout: category %d is %s; wanted {title =, chart, chart ...}"):format(i,
          words.describe(category)))
      end
      local charts = {}
      for k, chart in ipairs(category) do charts[k] = encode_chart(chart) end
      parts[i] = message(2, text(1, check_text("a category's title", category.title)), table.concat(charts))
    end
    self:write_value("custom_scalars__config__", summary.string_tensor({ table.concat(parts) }, {}), 0,
      "custom_scalars")
  end)
end
