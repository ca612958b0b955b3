-- cdl plot and cdl board, as a user types them.
local cdl = require "cdl"
local core = require "cdl.core"
local curves = require "cdl.plot.curves"
local folders = require "folder"
local program = require "program"

describe("cdl plot", function()
  local folder
  before_each(function() folder = folders.new() end)
  after_each(function() folder:remove() end)

  local LOG = "epoch,loss,val_loss,\"a \"\"b\"\"\"\r\n1,1.0,0.75,2\r\n2,nan,0.5,NA\r\n3,0.25,0.25,4\r\n"

  local function run(...)
    return program.run { "plot", ... }
  end

  it("draws the columns of a CSVLogger's file, training and validation in one chart", function()
    local status, out = run(folder:write("log.csv", LOG), "--width", "40", "--height", "5")
    assert.equal(0, status)
    assert.matches("loss   ━━ training 0.25   ┅┅ validation 0.25", out, 1, true)
    assert.matches('a "b"   ━━ training 4', out, 1, true)
    local widest = 0
    for line in out:gmatch "[^\n]+" do
      if line:find "^ *└" then widest = math.max(widest, utf8.len(line)) end
    end
    assert.equal(40, widest)
    assert.is_nil(out:find "\27")
  end)

  it("chooses curves by name", function()
    local path = folder:write("log.csv", LOG)
    local _, out = run(path, "b")
    assert.is_nil(out:find "loss")
    local status, _, problem = run(path, "lss")
    assert.equal(1, status)
    assert.matches("no curve's name holds 'lss' (did you mean 'loss'?); there are loss, a \"b\"", problem, 1, true)
  end)

  it("draws the runs of a folder, epochs first", function()
    for _, name in ipairs { "train", "validation" } do
      local writer <close> = cdl.summary.create_file_writer(folder(name))
      for step = 1, 3 do
        writer:scalar("epoch_loss", 1 / step, step)
        writer:scalar("batch_loss", 1 / step, step)
      end
    end
    local _, out = run(folder.path)
    assert.matches("epoch_loss   ━━ train 0.3333   ┅┅ validation 0.3333", out, 1, true)
    assert.is_nil(out:find "batch_loss")
    local _, batches = run(folder.path, "batch")
    assert.matches("batch_loss   ━━ train", batches, 1, true)
  end)

  it("writes SVG and PNG", function()
    local path = folder:write("log.csv", LOG)
    assert.equal(0, (run(path, "--svg", folder "x.svg", "--png=" .. folder "x.png")))
    local svg = folder:read "x.svg"
    assert.matches('<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="400"', svg, 1, true)
    assert.matches(">a &quot;b&quot;</text>", svg, 1, true)
    local picture = cdl.io.read_image(folder "x.png")
    assert.same({ 400, 1280, 3 }, picture.shape)
    -- White, with the first line's blue somewhere.
    assert.same({ 255, 255, 255 }, picture[{ 1, 1, {} }]:totable())
    local blue = picture[{ {}, {}, 1 }]:eq(0) * picture[{ {}, {}, 3 }]:eq(0xb2)
    assert.is_true(blue:any():item())
  end)

  it("draws constants, single points, nothing finite and very many points", function()
    assert.equal(0, (run(folder:write("a.csv", "epoch,loss\n1,2\n"), "--png", folder "a.png")))
    local _, out = run(folder:write("b.csv", "epoch,loss\n1,nan\n2,inf\n"))
    assert.matches("(no finite value)", out, 1, true)
    assert.equal(0, (run(folder "b.csv", "--svg", folder "b.svg")))
    local rows = { "epoch,loss" }
    for i = 1, 20000 do rows[i + 1] = ("%d,%g"):format(i, math.sin(i / 1000)) end
    assert.equal(0, (run(folder:write("c.csv", table.concat(rows, "\n")), "--svg", folder "c.svg")))
    assert.is_true(#folder:read "c.svg" < 60000)
  end)

  it("says what is wrong", function()
    local function problem(status, text, ...)
      local got, _, err = run(...)
      assert.equal(status, got)
      assert.matches(text, err, 1, true)
    end
    problem(2, "the file or folder is missing")
    problem(1, "there is no file or folder", folder "none")
    problem(1, "there are no scalars of TensorBoard in it", folder.path)
    problem(1, "there are no rows", folder:write("empty.csv", ""))
    problem(1, "there is no column of numbers", folder:write("words.csv", "epoch,note\n1,good\n"))
    problem(2, "unknown option '--hight' (did you mean '--height'?)", "x", "--hight", "3")
    problem(2, "--width: wanted a whole number from 20 to 10000, got 'wide'", "x", "--width", "wide")
    problem(2, "--svg: the value is missing", "x", "--svg")
    problem(1, "cannot write", folder:write("log.csv", LOG), "--svg", folder "none/x.svg")
    local _, out = run "--help"
    assert.matches("usage: cdl plot", out, 1, true)
  end)

  it("finds round numbers for axes", function()
    assert.same({ 0, 2, 4, 6, 8, 10 }, curves.ticks(0, 10, 5))
    assert.same({ 0, 0.25, 0.5, 0.75, 1 }, curves.ticks(0, 1, 4))
    local texts = {}
    for i, x in ipairs { 0.5, 1000, 1.5e-7, 1234567890.1 } do texts[i] = curves.number(x) end
    assert.same({ "0.5", "1000", "1.5e-7", "1.235e9" }, texts)
  end)

  it("starts the TensorBoard that is installed, or says how to install it", function()
    local bin = folder "bin"
    core.make_folder(bin)
    local function board(path, ...)
      local words = { "PATH=" .. program.quote(path), program.quote(program.path), "board", ... }
      return program.shell(table.concat(words, " "))
    end
    folder:write("bin/tensorboard", "#!/bin/sh\necho \"$@\"\nexit 3\n")
    os.execute("chmod +x " .. program.quote(folder "bin/tensorboard"))
    local status, out = board(bin .. ":/usr/bin:/bin", program.quote(folder.path), "--port", "7")
    assert.same({ 3, ("--logdir %s --port 7\n"):format(folder.path) }, { status, out })
    local _, _, problem = board(bin, "none")
    assert.matches("there is no folder 'none'", problem, 1, true)
    os.remove(folder "bin/tensorboard")
    status, _, problem = board(bin, program.quote(folder.path))
    assert.equal(1, status)
    assert.matches("pip install tensorboard", problem, 1, true)
  end)
end)
