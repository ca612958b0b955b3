-- RemoteMonitor against servers on this machine: one that answers, one that refuses, one that hangs.
local cdl = require "cdl"
local capture = require "capture"
local core = require "cdl.core"
local folders = require "folder"
local json = require "cdl.json"
local program = require "program"
local callbacks = cdl.callbacks
local warned, problem_of = capture.warned, capture.problem_of

local folder
before_each(function() folder = folders.new() end)
after_each(function() folder:remove() end)

-- Calls f with the address of a server of that mode.
local function with_server(mode, f)
  local server = assert(io.popen(("python3 tests/lua/support/server.py %s %s %s"):format(mode,
    program.quote(folder "log"), program.quote(folder "port")), "w"))
  while not core.path_kind(folder "port") do os.execute "sleep 0.02" end
  local ok, problem = pcall(f, "http://127.0.0.1:" .. folder:read "port")
  server:close()
  if not ok then error(problem, 0) end
end

local function fit(monitor, epochs)
  local x = cdl.ones { 8, 1 }
  local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = { 1 } } }
  model:compile { optimizer = "sgd", loss = "mse" }
  return model:fit(x, x, { epochs = epochs or 2, verbose = 0, callbacks = monitor })
end

local function lines_of_log()
  local lines = {}
  for line in folder:read "log":gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  return lines
end

local function decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end))
end

describe("RemoteMonitor", function()
  it("sends each epoch's logs as a form", function()
    with_server("answer", function(root)
      local history
      assert.equal("", warned(function()
        history = fit(callbacks.RemoteMonitor { root = root, field = "my data", headers = { ["X-Token"] = "secret" } })
      end))
      local lines = lines_of_log()
      assert.equal(8, #lines)
      assert.same({ "/publish/epoch/end/", "application/x-www-form-urlencoded", "secret" },
        table.move(lines, 1, 3, 1, {}))
      assert.matches("^my%+data=%%7B%%22epoch%%22%%3A%+1", lines[4])
      for epoch = 1, 2 do
        local loss = decode(lines[4 * epoch]):match('^my data={"epoch": ' .. epoch .. ', "loss": ([%d.e-]+)}$')
        assert.equal(history.history.loss[epoch], tonumber(loss))
      end
    end)
  end)

  it("sends JSON when asked to", function()
    with_server("answer", function(root)
      fit(callbacks.RemoteMonitor { root, "/other", send_as_json = true }, 1)
      local lines = lines_of_log()
      assert.same({ "/other", "application/json", "None" }, table.move(lines, 1, 3, 1, {}))
      assert.matches('^{"epoch": 1, "loss": [%d.e+-]+}$', lines[4])
    end)
  end)

  it("warns when the server refuses, and training goes on", function()
    with_server("refuse", function(root)
      local history
      local text = warned(function() history = fit(callbacks.RemoteMonitor { root = root }) end)
      assert.matches("refused the logs of epoch 1 with status 503", text, 1, true)
      assert.matches("refused the logs of epoch 2 with status 503", text, 1, true)
      assert.same({ 1, 2 }, history.epoch)
    end)
  end)

  it("gives up on a server that hangs, and training goes on", function()
    with_server("hang", function(root)
      local history
      local text = warned(function() history = fit(callbacks.RemoteMonitor { root = root, timeout = 0.2 }) end)
      assert.equal(2, select(2, text:gsub("Could not reach RemoteMonitor root server at " .. root:gsub("%p", "%%%0")
        .. ": [^\n]*timed out", "")))
      assert.same({ 1, 2 }, history.epoch)
    end)
  end)

  it("does not wait for a server when Ctrl-C comes", function()
    with_server("hang", function(root)
      local script = ([[
        local cdl = require "cdl"
        local x = cdl.ones { 8, 1 }
        local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = {1} } }
        model:compile { optimizer = "sgd", loss = "mse" }
        local history = model:fit(x, x, { epochs = 9, verbose = 0, callbacks = {
          { on_epoch_end = function() os.execute "(sleep 0.1; kill -INT $PPID) >/dev/null 2>&1 &" end },
          cdl.callbacks.RemoteMonitor { root = %q, timeout = 60 } } })
        print(history.stop_reason)
      ]]):format(root)
      local _, out, errors = program.run { folder:write("run.lua", script) }
      assert.equal("interrupted\n", out, errors)
    end)
  end)

  it("warns when nobody is there", function()
    local history
    local text = warned(function() history = fit(callbacks.RemoteMonitor { root = "http://127.0.0.1:1" }, 1) end)
    assert.matches("Could not reach RemoteMonitor root server at http://127.0.0.1:1: ", text, 1, true)
    assert.same({ 1 }, history.epoch)
  end)

  it("sends what is no plain number in some form", function()
    local monitor = callbacks.RemoteMonitor { send_as_json = true }
    assert.equal('{"a": null, "epoch": 1}', monitor:body(1, { a = 0 / 0 }))
    assert.equal('{"b": null, "c": [1.0, null], "d": 3.0, "e": [1.0, 2.0], "epoch": 2, "f": "text", "g": true}',
      monitor:body(2, { b = -math.huge, c = { 1.0, math.huge }, d = { 3.0 }, e = cdl.tensor { 1, 2 }, f = "text",
        g = true }))
  end)

  it("refuses wrong arguments", function()
    local new = callbacks.RemoteMonitor
    assert.matches("root must begin with http:// or https://", problem_of(new, { root = "localhost:9000" }), 1, true)
    assert.matches("the header 'A' must be one line of text", problem_of(new, { headers = { A = "x\r\ny" } }), 1, true)
    assert.matches("headers has the name \"a b\"", problem_of(new, { headers = { ["a b"] = "x" } }), 1, true)
    assert.matches("timeout must be greater than 0", problem_of(new, { timeout = 0 }), 1, true)
  end)

  it("says so when cdl was built without libcurl", function()
    capture.with_core("http_available", function() return nil, "this cdl was built without libcurl" end, function()
      assert.matches("RemoteMonitor: this cdl was built without libcurl", problem_of(callbacks.RemoteMonitor, {}), 1,
        true)
    end)
  end)
end)

describe("JSON", function()
  it("is written for numbers, texts, lists and tables by name", function()
    assert.equal('{"a": [1, 2.5, true], "b": {"c": null}, "d": "q\\"\\\\\\n\\u0001é"}',
      json.encode { d = 'q"\\\n\1é', a = { 1, 2.5, true }, b = { c = cdl.null } })
    assert.matches("has no form in JSON", problem_of(json.encode, print), 1, true)
  end)
end)
