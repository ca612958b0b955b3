local program = require "program"

local run = program.run

describe("the command line", function()
  it("runs -e pieces in order with shared globals", function()
    local status, out = run { "-e", "x = 1", "-e", "x = x + 1", "-eprint(x)" }
    assert.equal(0, status)
    assert.equal("2\n", out)
  end)

  it("runs a script with arguments", function()
    local script = "print(arg[0] == ..., arg[1], arg[2], select('#', ...), (select(2, ...)))"
    program.with_file(script, function(path)
      local status, out = run { path, path, "-i" }
      assert.equal(0, status)
      assert.equal("true\t" .. path .. "\t-i\t2\t-i\n", out)
    end)
  end)

  it("runs a script with as many arguments as a shell's pattern gives", function()
    program.with_file("print(#arg, select('#', ...), (select(3000, ...)))", function(path)
      local arguments = { path }
      for i = 1, 3000 do arguments[i + 1] = "a" .. i end
      local status, out = run(arguments)
      assert.equal(0, status)
      assert.equal("3000\t3000\ta3000\n", out)
    end)
  end)

  it("keeps what stands before the script at negative indices", function()
    program.with_file("print(arg[-2], arg[-1])", function(path)
      local _, out = run { "-e", "y = 1", path }
      assert.equal("-e\ty = 1\n", out)
    end)
  end)

  it("reads a script from standard input", function()
    local status, out = run({}, "print('from stdin')")
    assert.equal(0, status)
    assert.equal("from stdin\n", out)
    status, out = run({ "-", "a", "b" }, "print(...)")
    assert.equal(0, status)
    assert.equal("a\tb\n", out)
  end)

  it("requires modules into globals", function()
    local status, out = run { "-l", "cdl.class", "-e", "print(class.is_class(class 'A'))" }
    assert.equal(0, status)
    assert.equal("true\n", out)
    local err
    status, out, err = run { "-l", "cdl.nosuch", "-e", "print 'not reached'" }
    assert.equal(1, status)
    assert.equal("", out)
    assert.matches("cdl.nosuch", err, 1, true)
  end)

  it("finds cdl in every script", function()
    local status, out = run { "-e", "print(type(require 'cdl'))" }
    assert.equal(0, status)
    assert.equal("table\n", out)
  end)

  it("has status 1 and a traceback for a script error", function()
    program.with_file("local function f() local t t.x = 1 end\nf()\n", function(path)
      local status, out, err = run { path }
      assert.equal(1, status)
      assert.equal("", out)
      assert.matches(path .. ":1: attempt to index a nil value", err, 1, true)
      assert.matches("stack traceback:", err, 1, true)
      assert.matches(path .. ":2: in main chunk", err, 1, true)
    end)
  end)

  it("reports errors that are no strings", function()
    local own = "setmetatable({}, {__tostring = function() return 'own text' end})"
    local status, _, err = run { "-e", "error(" .. own .. ")" }
    assert.equal(1, status)
    assert.matches("own text", err, 1, true)
    status, _, err = run { "-e", "error {}" }
    assert.equal(1, status)
    assert.matches("error object is a table value", err, 1, true)
  end)

  it("has status 1 for what it cannot compile or open", function()
    local status, _, err = run { "-e", "x =" }
    assert.equal(1, status)
    assert.matches("unexpected symbol", err, 1, true)
    status, _, err = run { "no/such/script.lua" }
    assert.equal(1, status)
    assert.matches("no/such/script.lua", err, 1, true)
  end)

  it("stops at the first piece that fails", function()
    local status, out = run { "-e", "error 'first'", "-e", "print 'second'" }
    assert.equal(1, status)
    assert.equal("", out)
  end)

  it("passes a script's own exit status on", function()
    assert.equal(7, (run { "-e", "os.exit(7)" }))
    assert.equal(0, (run { "-e", "os.exit(true)" }))
  end)

  it("has status 2 for bad usage, with the reason in one line", function()
    local cases = {
      { { "--threads", "0" }, "--threads: wanted a whole number from 1 to 256, got '0'" },
      { { "--threads", "-1" }, "got '-1'" },
      { { "--threads", "abc" }, "got 'abc'" },
      { { "--threads", "2x" }, "got '2x'" },
      { { "--threads", "" }, "got ''" },
      { { "--threads", "1000" }, "got '1000'" },
      { { "--threads=257" }, "got '257'" },
      { { "--threads" }, "--threads: a number is missing" },
      { { "--seed", "1.5" }, "--seed: wanted a whole number" },
      { { "--seed", "99999999999999999999" }, "--seed: wanted a whole number" },
      { { "-e" }, "-e: the code is missing" },
      { { "-l" }, "-l: the module is missing" },
      { { "-x" }, "-x: unknown option" },
      { { "--thread", "2" }, "--thread: unknown option" },
    }
    for _, case in ipairs(cases) do
      local status, out, err = run(case[1])
      assert.equal(2, status, case[2])
      assert.equal("", out)
      assert.matches(case[2], err, 1, true)
      assert.matches("\ntry cdl %-%-help\n$", err)
      assert.equal(2, select(2, err:gsub("\n", "")), case[2])
    end
  end)

  it("sets the number of threads", function()
    for _, option in ipairs { { "--threads", "3" }, { "--threads=3" } } do
      local _, out = run { option[1], option[2] or "-i", "-e", "print(require('cdl.core').threads())" }
      assert.matches("3\n", out, 1, true)
    end
    assert.equal(0, (run { "--threads", "256", "-e", "" }))
  end)

  it("makes runs repeat with --seed", function()
    local code = "print(require('cdl').random.normal{shape = {3}})"
    local _, first = run { "--seed", "7", "-e", code }
    local _, again = run { "--seed=7", "-e", code }
    local _, other = run { "--seed", "8", "-e", code }
    assert.matches("%d", first)
    assert.equal(first, again)
    assert.not_equal(first, other)
  end)

  it("prints help and version", function()
    local status, out = run { "--help" }
    assert.equal(0, status)
    for _, option in ipairs { "-e CODE", "-i", "-l MODULE", "--threads N", "--seed N", "--version", "CDL_ISA" } do
      assert.matches(option, out, 1, true)
    end
    status, out = run { "--version" }
    assert.equal(0, status)
    assert.matches("^cdl %d+%.%d+%.%d+\n", out)
    for _, row in ipairs { "Lua +5%.4%.%d", "kernels +%a", "OpenBLAS +%S", "threads +%d" } do
      assert.matches(row, out)
    end
  end)

  -- Starts cdl, waits until its script has said that it runs, sends a signal, gives the status.
  local function status_after(code, signals)
    local kills = {}
    for i, name in ipairs(signals) do kills[i] = ("kill -%s $! 2>/dev/null; sleep 0.2"):format(name) end
    -- The fifo keeps standard input open; a shell's background job ignores SIGINT otherwise.
    local command = ([[set -m; f=$(mktemp -u); mkfifo $f; %s -e %s >$f &
      read line <$f; rm $f; sleep 0.1; %s; wait $!]]):format(program.quote(program.path),
      program.quote("print 'ready' io.stdout:flush() " .. code), table.concat(kills, "; "))
    return program.shell("bash -c " .. program.quote(command))
  end

  it("is interrupted with status 130 by Ctrl-C", function()
    local status, _, err = status_after("while true do end", { "INT" })
    assert.equal(130, status)
    assert.matches("(command line):1: interrupted", err, 1, true)
  end)

  it("is interrupted in a coroutine as well", function()
    local code = [[
      local inner = coroutine.create(function() while true do end end)
      coroutine.wrap(function() coroutine.resume(inner) end)()
      while true do end]]
    local status, _, err = status_after(code, { "INT" })
    assert.equal(130, status)
    assert.matches("interrupted", err, 1, true)
  end)

  it("ends at once at the second Ctrl-C when the first was swallowed", function()
    local status = status_after("while true do pcall(function() while true do end end) end", { "INT", "INT" })
    assert.equal(130, status)
  end)

  it("has status 143 after SIGTERM, also when a pcall swallowed the error", function()
    local status, _, err = status_after("while true do end", { "TERM" })
    assert.equal(143, status)
    assert.matches("terminated", err, 1, true)
    assert.equal(143, (status_after("pcall(function() while true do end end)", { "TERM" })))
  end)
end)

describe("output that nobody reads any more", function()
  local function status_before_head(code)
    local status, out, err
    program.with_file(code, function(path)
      local command = "{ %s %s; echo $? >&2; } | head -n 1"
      status, out, err = program.shell(command:format(program.quote(program.path), path))
    end)
    assert.equal(0, status)
    assert.equal("first\n", out)
    return err
  end

  it("ends the program, silently", function()
    assert.equal("141\n", status_before_head "print 'first' while true do print 'more' end")
  end)

  it("ends a fit in good order", function()
    assert.equal("saved\n141\n", status_before_head [[
      local cdl = require "cdl"
      local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = { 1 } } }
      model:compile { loss = "mse" }
      print "first"
      model:fit(cdl.ones { 64, 1 }, cdl.ones { 64, 1 }, { epochs = 1000000000, verbose = 2, callbacks = {
        on_exit = function() io.stderr:write "saved\n" end } })]])
  end)
end)

describe("coroutines", function()
  -- They are tracked for the sake of Ctrl-C and must not behave differently for it.
  it("give, take and raise as Lua's own", function()
    local generate = coroutine.wrap(function(a)
      local b = coroutine.yield(a + 1, nil)
      error { b }
    end)
    assert.same({ 2, nil, n = 2 }, table.pack(generate(1)))
    local ok, err = pcall(generate, 5)
    assert.is_false(ok)
    assert.same({ 5 }, err)
    assert.matches("dead coroutine", select(2, pcall(generate)))
    local co = coroutine.create(function(...) return coroutine.yield(...) end)
    assert.same({ true, 1, 2, n = 3 }, table.pack(coroutine.resume(co, 1, 2)))
    assert.same({ true, 3, n = 2 }, table.pack(coroutine.resume(co, 3)))
    assert.is_false((coroutine.resume(co)))
    assert.is_false((pcall(coroutine.wrap, 5)))
    assert.is_false((pcall(coroutine.resume, 5)))
  end)
end)
