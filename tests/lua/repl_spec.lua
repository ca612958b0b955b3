local program = require "program"

-- Lines typed into `cdl -i` without a terminal: what it prints and what it complains about.
local function type_in(lines, arguments)
  local status, out, err = program.run(arguments or { "-i" }, table.concat(lines, "\n") .. "\n")
  return (out:gsub("^cdl [^\n]*\n", "")), err, status
end

describe("the prompt", function()
  it("prints the values of expressions and keeps the last", function()
    local out, err, status = type_in { "1 + 1", "_ * 2", "'a', nil, true", "x = 5", "x", "nil", "" }
    assert.equal("2\n4\na\tnil\ttrue\n5\nnil\n", out)
    assert.equal("", err)
    assert.equal(0, status)
  end)

  it("reads on while a piece is not finished", function()
    local out, err = type_in { "for i = 1, 2 do", "print(i)", "end", "{", "1,", "", "2}",
      "math.max(", "3, 4)", "[[a", "b]]" }
    assert.equal("1\n2\n{1, 2}\n4\na\nb\n", out)
    assert.equal("", err)
  end)

  it("tells errors and goes on", function()
    local out, err, status = type_in { "x =", "= 5", "error 'own'", "'still here'" }
    assert.matches("still here", out, 1, true)
    assert.matches("stdin:2: unexpected symbol near '='", err, 1, true)
    assert.equal(0, status)
  end)

  it("blames the user's line only", function()
    local _, err = type_in { "error 'own'", "nothing.at.all", "error {}",
      "error(setmetatable({}, {__tostring = function() return 'text' end}))" }
    assert.equal("stdin:1: own\nstdin:1: attempt to index a nil value (global 'nothing')\n"
      .. "(error object is a table value)\ntext\n", err)
  end)

  it("shows the functions of a script that an error came through", function()
    program.with_file("function inner() error 'deep' end\nfunction outer() inner() end\n", function(path)
      local _, err = type_in({ "outer()" }, { "-i", path })
      local frame = path .. ":1: in function 'inner'"
      assert.matches(path .. ":1: deep\nstack traceback:\n\t" .. frame, err, 1, true)
      assert.matches(path .. ":2: in function 'outer'", err, 1, true)
      assert.not_matches("repl.lua", err)
    end)
  end)

  it("opens after a script, with its globals, and after one that failed", function()
    program.with_file("answer = 42", function(path)
      assert.equal("42\n", (type_in({ "answer" }, { "-i", path })))
    end)
    program.with_file("answer = 42 error 'bad'", function(path)
      local out, err, status = type_in({ "answer" }, { "-i", path })
      assert.equal("42\n", out)
      assert.matches("bad", err, 1, true)
      assert.equal(1, status)
    end)
  end)

  it("has cdl, its modules and help as globals", function()
    local out = type_in { "type(cdl.tensor)", "layers == cdl.layers, optimizers == cdl.optimizers",
      "type(help)", "type(io.open)" }
    assert.equal("function\ntrue\ttrue\nfunction\nfunction\n", out)
  end)

  it("prints tables readably and bounded", function()
    local out = type_in {
      "{1, 'two', a = {b = true}, ['c d'] = 3.5, [7] = 7}",
      "t = {} t.self = t",
      "t",
      "{{{{{1}}}}}",
      "(function() local t = {} for i = 1, 100 do t[i] = i end return t end)()",
      "{a = ('x'):rep(60), b = ('y'):rep(60)}",
      "#('z'):rep(5000), ('z'):rep(5000)",
    }
    assert.matches("{1, \"two\", [7] = 7, a = {b = true}, [\"c d\"] = 3.5}\n", out, 1, true)
    assert.matches("{self = {... itself}}\n", out, 1, true)
    assert.matches("{{{{{...}}}}}\n", out, 1, true)
    assert.matches("{\n  1, 2, 3, 4, 5, ", out, 1, true)
    assert.matches(" 40,\n  ... (60 more)\n}\n", out, 1, true)
    assert.matches("{\n  a = \"xxx", out, 1, true)
    assert.matches("(3000 more bytes)\n", out, 1, true)
  end)

  it("prints tensors and classes", function()
    local out = type_in { "cdl.zeros{2}", "layers.Dense" }
    assert.matches("0", out, 1, true)
    assert.matches("class Dense", out, 1, true)
  end)
end)

describe("completion", function()
  local complete = require "cdl.complete".complete

  -- What Tab inserts, and the names it lists.
  local function tab(text)
    local insert, candidates = complete(text)
    return insert, table.concat(candidates, " ")
  end

  setup(function() rawset(_G, "probe", { alpha = 1, beta = { gamma = print }, _hidden = 2,
    dense = require "cdl".layers.Dense, text = "abc", tensor = require "cdl".zeros { 2 } }) end)
  teardown(function() rawset(_G, "probe", nil) end)

  it("finds globals and words of the language", function()
    assert.equal("be", (tab "pro"))
    assert.equal("ction", (tab "x = fun"))
    assert.same({ "", "" }, { tab "nosuchname" })
  end)

  it("finds fields of tables, strings, tensors and classes", function()
    assert.equal("lpha", (tab "print(probe.a"))
    assert.equal("mma", (tab "probe.beta.ga"))
    assert.same({ "", "alpha beta dense tensor text" }, { tab "probe." })
    assert.equal("hidden", (tab "probe._"))
    assert.equal("er", (tab "probe.text:upp"))
    assert.equal("pe", (tab "probe.tensor.sha"))
    assert.equal("ape", (tab "probe.tensor:resh"))
    assert.equal("ights", (tab "probe.dense.get_we"))
    assert.same({ "", "" }, { tab "probe.nothing.at" })
  end)

  it("offers only methods behind a colon", function()
    assert.equal("amma", (tab "probe.beta:g"))
    assert.same({ "", "" }, { tab "probe:a" })
  end)

  it("finds names of arguments where one can stand", function()
    assert.equal("its = ", (tab "probe.dense{un"))
    assert.equal("its = ", (tab "probe.dense{activation = 'relu', un"))
    assert.equal("its = ", (tab "y = probe.dense(3, {un"))
    assert.equal("its = ", (tab "f(probe.dense {\n  un"))
    assert.equal("eepdims = ", (tab "probe.tensor:sum{k"))
    assert.not_equal("its = ", (tab "probe.dense{units = un"))
    assert.not_equal("its = ", (tab "probe.dense{{un"))
    assert.not_equal("its = ", (tab "probe.dense{}, {un"))
    assert.matches("use_bias = ", select(2, tab "probe.dense{"), 1, true)
  end)

  it("finds files in strings", function()
    assert.equal("c/", (tab "open('/et"))
    assert.same({ "", "" }, { tab "open('/no/such/folder/x" })
    assert.equal("er", (tab "('closed'):len() probe.text:upp"))
  end)
end)

-- Keys typed at a real terminal; see support/terminal.py.
local function at_terminal(steps, environment)
  return program.shell(("XDG_STATE_HOME=%s python3 %s %s"):format(program.quote(environment),
    program.quote(debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" .. "/support/terminal.py"),
    program.quote(program.path)), table.concat(steps, "\n") .. "\n")
end

describe("the prompt on a terminal", function()
  local state

  before_each(function()
    state = os.tmpname()
    os.remove(state)
  end)

  after_each(function() os.execute("rm -rf " .. program.quote(state)) end)

  it("edits lines, completes names and ends with Ctrl-D", function()
    local status, out, err = at_terminal({
      "expect > ",
      [[send print("got", #lay\t]], "expect ers",
      [[send , layers.Dens\t]], "expect e",
      [[send )\r]], "expect got",
      "expect class Dense",
      [[send layers.Dense{activat\t]], "expect ion = ",
      [[send \x03]], "expect ^C",
      [[send s = "abc"\r]],
      [[send s:upp\t]], "expect er",
      [[send ()\r]], "expect ABC",
      [[send \x04]],
    }, state)
    assert.equal("", err)
    assert.matches("exit 0\n$", out)
    assert.equal(0, status)
  end)

  it("completes file names in strings and lists what is possible", function()
    local _, out, err = at_terminal({
      "expect > ",
      [[send "/et\t]], "expect c/",
      [[send \x03]], "expect ^C",
      [[send string.re\t]], "expect p",
      [[send \t]], "expect rep      reverse",
      [[send \x03]], "expect ^C", "expect > ",
      [[send \x04]],
    }, state)
    assert.equal("", err)
    assert.matches("exit 0\n$", out)
  end)

  it("drops a line at Ctrl-C, also an unfinished piece", function()
    local _, out, err = at_terminal({
      "expect > ",
      [[send error "not run"\x03]], "expect ^C", "expect > ",
      [[send x = {\r]], "expect >> ",
      [[send \x03]], "expect ^C", "expect > ",
      [[send "all " .. "right"\r]], "expect all right",
      [[send \x04]],
    }, state)
    assert.equal("", err)
    assert.not_matches("stdin:1: not run", out, 1, true)
    assert.matches("exit 0\n$", out)
  end)

  it("interrupts running code at Ctrl-C and stays", function()
    local _, out, err = at_terminal({
      "expect > ",
      [[send print("star" .. "ted") while true do end\r]], "expect started",
      [[send \x03]], "expect stdin:1: interrupted", "expect > ",
      [[send f = coroutine.wrap(function() print("once" .. "more") while true do end end)\r]],
      [[send f()\r]], "expect oncemore",
      [[send \x03]], "expect interrupted", "expect > ",
      [[send 40 + 2\r]], "expect 42",
      [[send \x04]],
    }, state)
    assert.equal("", err)
    assert.matches("exit 0\n$", out)
  end)

  it("ends with 143 at SIGTERM", function()
    local _, out, err = at_terminal({ "expect > ", "signal SIGTERM" }, state)
    assert.equal("", err)
    assert.matches("exit 143\n$", out)
  end)

  it("keeps its history in a file of the user's own", function()
    at_terminal({ "expect > ", [[send a = 1\r]], "expect > ", [[send b = 2\r]], "expect > ",
      [[send \x04]] }, state)
    local file = assert(io.open(state .. "/cdl/history"))
    assert.equal("a = 1\nb = 2\n", file:read "a")
    file:close()
    local _, mode = program.shell("stat -c %a " .. program.quote(state .. "/cdl/history"))
    assert.equal("600\n", mode)
    -- The line before the last one of the session before, and run again.
    local _, out, err = at_terminal({
      "expect > ", [[send \x1b[A\x1b[A\r]], "expect a = 1", "expect > ",
      [[send "a is " .. a\r]], "expect a is 1", [[send \x04]],
    }, state)
    assert.equal("", err)
    assert.matches("exit 0\n$", out)
  end)
end)

describe("a long history", function()
  it("is shortened to its last 2000 lines", function()
    local state = os.tmpname()
    os.remove(state)
    os.execute("mkdir -p " .. program.quote(state .. "/cdl"))
    local lines = {}
    for i = 1, 4001 do lines[i] = "line_" .. i end
    local file = assert(io.open(state .. "/cdl/history", "w"))
    file:write(table.concat(lines, "\n"), "\n")
    file:close()
    local _, _, err = at_terminal({ "expect > ", [[send \x04]] }, state)
    assert.equal("", err)
    local kept = {}
    for line in io.lines(state .. "/cdl/history") do kept[#kept + 1] = line end
    os.execute("rm -rf " .. program.quote(state))
    assert.equal(2000, #kept)
    assert.equal("line_2002", kept[1])
    assert.equal("line_4001", kept[2000])
  end)
end)

describe("help", function()
  local function help(code) return (type_in { "help(" .. code .. ")" }) end

  it("says how to ask", function() assert.matches('help "conv"', help "", 1, true) end)

  it("prints signature, doc and parameters", function()
    local out = help "layers.Dense"
    assert.matches("^Dense%(units, activation=nil, use_bias=true", out)
    assert.matches("\n  units %(an integer; min 1; required%)\n", out)
    for line in out:gmatch "[^\n]+" do assert.is_true(#line <= 90, line) end
    assert.matches("methods: ", out, 1, true)
    assert.matches("^zeros%(shape", (help "cdl.zeros"))
    assert.matches("^x:sum%(axis=nil, keepdims=false%)", (help "cdl.ops.sum"))
  end)

  it("lists modules", function()
    assert.matches("Dense", help "layers", 1, true)
    assert.matches("logsumexp", help "cdl.ops", 1, true)
  end)

  it("searches names and docs", function()
    local out = help '"logsumexp"'
    assert.matches("^x:logsumexp%(axis=nil, keepdims=false%)\n", out)
    out = help '"overflow"'
    assert.matches("cdl.softplus", out, 1, true)
    assert.matches("cdl.logsumexp", out, 1, true)
    assert.not_matches("cdl.relu", out, 1, true)
    out = help '"dropout"'
    assert.matches("^Dropout%(rate", out)
    assert.matches("nothing is named 'qqq'", help '"qqq"', 1, true)
  end)

  it("has an answer for anything", function()
    assert.matches("no help for 5", help "5", 1, true)
    assert.matches("a float32 tensor {2}", help "cdl.zeros{2}", 1, true)
  end)
end)
