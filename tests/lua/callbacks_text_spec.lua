-- What callbacks print and write: file name templates, numbers, the progress bar.
local program = require "program"
local progbar = require "cdl.progbar"
local template = require "cdl.template"
local ProgbarLogger = require "cdl.callbacks.progbar_logger"

describe("templates", function()
  local values = { epoch = 3, val_loss = 0.123456, accuracy = 0.9, big = 1234.5, zero = 0.0,
    negative = -1.5, name = "abc", nan = 0 / 0, vector = { 1, 2 } }

  local function check(want, text)
    local got, problem = template.format(text, values)
    assert.equal(want, got, problem)
  end

  it("fill in fields as Python does", function()
    check("weights.03-0.12.npz", "weights.{epoch:02d}-{val_loss:.2f}.npz")
    check("3", "{epoch}")
    check("   3|003|+3", "{epoch:4d}|{epoch:03d}|{epoch:+d}")
    check("0.123456", "{val_loss}")
    check("1.2e-01|1.23e+03", "{val_loss:.1e}|{big:.2e}")
    check("0.123|1.23e+03", "{val_loss:.3g}|{big:.3g}")
    check("3.00", "{epoch:.2f}")
    check("90.0%|90.000000%", "{accuracy:.1%}|{accuracy:%}")
    check("0.0|-1.5", "{zero}|{negative}")
    check("-01.5|   -1.5", "{negative:05.1f}|{negative:7.1f}")
    check("abc|abc  |  abc|ab", "{name}|{name:5s}|{name:>5}|{name:.2s}")
    check("*3**|..3", "{epoch:*^4}|{epoch:.>3}")
    check("nan", "{nan:.2f}")
    check("a{3}b", "a{{{epoch}}}b")
    check("", "")
  end)

  it("say what is wrong", function()
    local function problem(text, pattern)
      local got, why = template.format(text, values)
      assert.is_nil(got)
      assert.matches(pattern, why, 1, true)
    end
    problem("{los}", "there is no 'los'; there are accuracy, big, epoch")
    problem("{val_loss:02d}", "0.123456 is not an integer, which 'd' wants")
    problem("{epoch:x}", "cannot read the format 'x'")
    problem("{epoch:.}", "cannot read the format '.'")
    problem("{name:d}", "wants a number, got the string \"abc\"")
    problem("{vector}", "wants a number, got a table")
    problem("{epoch", "'{' without its '}'")
    problem("epoch}", "a single '}'")
  end)

  it("write numbers with the fewest digits that read back", function()
    for _, row in ipairs {
      { 0.1, "0.1" }, { 1.0, "1.0" }, { -2.5, "-2.5" }, { 1e-5, "1e-05" }, { 1e-4, "0.0001" },
      { 1e15, "1000000000000000.0" },
      { 1e16, "1e+16" }, { 123456789.0, "123456789.0" }, { 1 / 3, "0.3333333333333333" }, { 5e-324, "5e-324" },
      { 0.10000000149011612, "0.10000000149011612" }, { 12345678901234568.0, "1.2345678901234568e+16" },
      { 100000.0, "100000.0" }, { math.huge, "inf" }, { -math.huge, "-inf" },
    } do
      assert.equal(row[2], template.number(row[1]))
    end
    assert.equal("7", template.number(7))
    assert.equal("nan", template.number(0 / 0))
  end)
end)

describe("the progress bar", function()
  -- An output that keeps what is written.
  local function new_output()
    return { text = "", flushes = 0,
      write = function(self, ...)
        self.text = self.text .. table.concat({ ... })
        return self
      end,
      flush = function(self) self.flushes = self.flushes + 1 end }
  end

  local function plain(text) return (text:gsub("\27%[%d*%a", "")) end

  it("draws one line over and over", function()
    local output = new_output()
    local bar = progbar.new { target = 10, title = "Epoch 1/2", verbose = 1, output = output, width = 100 }
    bar:update(5, { loss = 0.5, acc = 1e-4 })
    local text = plain(output.text)
    assert.matches("^\rEpoch 1/2  5/10 [^ ]+  ETA %d+s  %d+%a+/step %- acc: 1.0000e%-04 %- loss: 0.5000$", text)
    assert.is_nil(output.text:find("\n", 1, true))
    assert.equal(20, select(2, text:gsub("━", "")))
    assert.equal(10, select(2, output.text:match "\27%[32m(.-)\27%[37m":gsub("━", "")))
    output.text = ""
    bar:finish(10, { loss = 0.25, val_loss = -3 })
    assert.matches("^\rEpoch 1/2  10/10 [^ ]+  %d+s  %d+%a+/step %- loss: 0.2500 %- val_loss: %-3.0000\n$",
      plain(output.text))
  end)

  it("never grows beyond the terminal's width", function()
    local output = new_output()
    local bar = progbar.new { target = 10, title = "Epoch 1/2", verbose = 1, output = output, width = 60 }
    bar:update(5, { a_metric_with_a_long_name = 0.5, another_metric_with_a_long_name = 0.5 })
    assert.equal(59, utf8.len(plain(output.text)) - 1)
    output.text = ""
    bar:update(5, { short = 0.5 })
    assert.equal(59, utf8.len(plain(output.text)) - 1)
    assert.matches("5/10 ━", output.text:gsub("\27%[%d*m", ""), 1, true) -- a shorter bar
    assert.matches("short: 0.5000", output.text, 1, true)
    output.text = ""
    bar:finish(10, { a_metric_with_a_long_name = 0.5, another_metric_with_a_long_name = 0.25 })
    assert.matches("another_metric_with_a_long_name: 0.2500", output.text, 1, true)
  end)

  it("is one plain line where it cannot be drawn, and without colour where none is wanted", function()
    local code = [[
      local bar = require "cdl.progbar".new { target = 2, verbose = 1, width = tonumber(arg[1]) }
      bar:update(1, { loss = 0.5 })
      bar:finish(2, { loss = 0.25 })]]
    program.with_file(code, function(path)
      local _, out = program.run { path }
      assert.matches("^2/2 %- %d+s %- %d+%a+/step %- loss: 0.2500\n$", out)
      _, out = program.shell(("NO_COLOR=1 %s %s 60"):format(program.quote(program.path), path))
      assert.matches("^\r1/2 ━━━━━━━━━━──────────  ETA", out)
      assert.is_nil(out:find("\27%[%d*m"))
    end)
  end)

  it("does without a known length", function()
    local output = new_output()
    local bar = progbar.new { verbose = 1, output = output, width = 100 }
    bar:update(7, {})
    assert.matches("^\r7/Unknown  %d+s  %d+%a+/step$", plain(output.text))
    bar:finish(9, {})
    assert.matches("\r9/9 ", plain(output.text))
  end)

  it("writes one plain line with verbose 2", function()
    local output = new_output()
    local bar = progbar.new { target = 10, title = "Epoch 2/5", verbose = 2, output = output }
    assert.equal("", output.text)
    bar:finish(10, { loss = 0.5, vector = { 1, 0.5 } })
    assert.matches("^Epoch 2/5 %- 10/10 %- %d+s %- %d+%a+/step %- loss: 0.5000 %- vector: %[1.0000, 0.5000%]\n$",
      output.text)
  end)

  it("has its words for times", function()
    assert.equal("0s", progbar.duration(0.2))
    assert.equal("59s", progbar.duration(59.2))
    assert.equal("1:05", progbar.duration(65))
    assert.equal("1:02:03", progbar.duration(3723))
    assert.equal("2s/step", progbar.step_time(2.2))
    assert.equal("15ms/step", progbar.step_time(0.015))
    assert.equal("800us/step", progbar.step_time(8e-4))
  end)

  it("is a bar on a terminal and a line elsewhere", function()
    assert.equal(2, ProgbarLogger.resolve_verbose(2))
    local logger = ProgbarLogger()
    logger:set_params { verbose = 0, epochs = 1, steps = 3 }
    logger:on_train_begin {}
    logger:on_epoch_begin(1, {})
    assert.is_nil(logger.bar)
    logger:set_params { verbose = 2, epochs = 2, steps = 3 }
    logger:on_epoch_begin(2, {})
    assert.equal("Epoch 2/2", logger.bar.title)
    logger.bar = nil
    logger:on_test_begin {} -- validation inside fit shows nothing
    assert.is_nil(logger.bar)
    logger:on_exit "completed"
    logger:on_test_begin {}
    assert.is_table(logger.bar)
  end)
end)
