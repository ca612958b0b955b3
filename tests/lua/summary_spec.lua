-- cdl.summary: what writers put into event files, read back by cdl's own reader. What the real TensorBoard makes of
-- it is in tests/tensorboard.
local cdl = require "cdl"
local capture = require "capture"
local core = require "cdl.core"
local events = require "cdl.event_reader"
local folders = require "folder"
local program = require "program"
local protobuf = require "cdl.protobuf"

describe("cdl.summary", function()
  local folder, writer
  before_each(function()
    folder = folders.new()
    writer = cdl.summary.create_file_writer(folder "run")
  end)
  after_each(function()
    writer:close()
    folder:remove()
  end)

  local function written(run)
    local list = {}
    for _, path in ipairs(events.find_runs(folder.path)[run or "run"] or {}) do
      for _, value in ipairs(assert(events.read_file(path))) do list[#list + 1] = value end
    end
    return list
  end

  -- The first field of each number of a message.
  local function fields(bytes)
    local found = {}
    for field, value in protobuf.fields(bytes) do
      if found[field] == nil then found[field] = value end
    end
    return found
  end

  local function problem(f, ...) return capture.problem_of(f, ...) end

  it("writes scalars that are in the file at once", function()
    writer:scalar("loss", 0.5, 3)
    writer:scalar("flag", true, 3)
    writer:scalar { "tensor", cdl.tensor { 2.5 }, step = 4 }
    writer:scalar("big", 2 ^ 40, -1)
    local list = written()
    assert.same({ "loss", 0.5, 3, "scalar" }, { list[1].tag, list[1].value, list[1].step, list[1].kind })
    assert.same({ 1.0, 2.5, 2.0 ^ 40 }, { list[2].value, list[3].value, list[4].value })
    assert.equal(-1, list[4].step)
    assert.is_true(math.abs(list[1].wall_time - os.time()) < 60)
  end)

  it("keeps any name and number", function()
    local name = "größe/ mit leerzeichen\n\"x\" / 層"
    writer:scalar(name, 0 / 0, 1)
    writer:scalar(name, 1 / 0, 2)
    local list = written()
    assert.equal(name, list[1].tag)
    assert.is_true(list[1].value ~= list[1].value)
    assert.equal(math.huge, list[2].value)
  end)

  it("writes histograms, and how many elements are not finite", function()
    writer:histogram("h", cdl.arange(0, 99):reshape { 10, 10 }, 1, { buckets = 10 })
    writer:histogram("n", { 1, 0 / 0, 3, 1 / 0 }, 2)
    writer:histogram("e", cdl.zeros { 0, 4 }, 3)
    writer:histogram("v", cdl.Variable(cdl.ones { 4 }), 4)
    local list = written()
    local h = fields(list[1].value)
    assert.same({ 0.0, 99.0, 100.0, 4950.0, 328350.0 }, { h[1], h[2], h[3], h[4], h[5] })
    assert.equal(("<d"):pack(10.0):rep(10), h[7])
    assert.equal(99.0, (("<d"):unpack(h[6], 73)))
    assert.same({ "n/nonfinite", 2.0, 2 }, { list[3].tag, list[3].value, list[3].step })
    assert.equal(2.0, fields(list[2].value)[3])
    assert.equal(0.0, fields(list[4].value)[3])
    assert.equal(4.0, fields(list[5].value)[3])
  end)

  it("writes one picture in the short form and several as samples of one tag", function()
    writer:image("one", cdl.random.uniform { 5, 7 }, 1)
    writer:image("rgb", (cdl.random.uniform { 5, 7, 3 } * 255):astype "uint8", 1)
    writer:image("four", cdl.ones { 4, 5, 7, 1 }:astype "uint8", 1)
    local list = written()
    local image = fields(list[1].value)
    assert.same({ 5, 7, 1 }, { image[1], image[2], image[3] })
    assert.equal("\137PNG", image[4]:sub(1, 4))
    assert.equal(3, fields(list[2].value)[3])
    assert.equal("images", list[3].plugin)
    local strings = {}
    for field, value in protobuf.fields(list[3].value) do
      if field == 8 then strings[#strings + 1] = value end
    end
    assert.same({ 5, "7", "5" }, { #strings, strings[1], strings[2] })
  end)

  it("warns once of a picture out of range, and refuses what is none", function()
    local text = capture.warned(function()
      writer:image("far", cdl.tensor { { 0, 300 } }, 1)
      writer:image("far", cdl.tensor { { 0, 300 } }, 2)
    end)
    assert.matches("image \"far\": values go from 0 to 300; a float picture's go from 0 to 1", text, 1, true)
    assert.is_nil(text:find "\n")
    assert.matches("image \"x\": wanted {height, width}", problem(writer.image, writer, "x", cdl.ones { 3 }, 1), 1,
      true)
    assert.matches("1 to 4 channels", problem(writer.image, writer, "x", cdl.ones { 3, 3, 5 }, 1), 1, true)
    assert.matches("there is no pixel", problem(writer.image, writer, "x", cdl.ones { 0, 3 }, 1), 1, true)
  end)

  it("writes text, lists and tables", function()
    writer:text("t", "# head")
    writer:text("list", { "a", "b" }, 1)
    writer:text("table", { { "x", "y" }, { 1, 2 } }, 1)
    local list = written()
    assert.same({ "text", "tensor" }, { list[1].plugin, list[1].kind })
    assert.equal("# head", fields(list[1].value)[8])
    local _, count = list[3].value:gsub("B\1", "")
    assert.equal(4, count)
    assert.matches("row 2 is", problem(writer.text, writer, "t", { { 1, 2 }, { 1 } }), 1, true)
  end)

  it("writes precision and recall", function()
    writer:pr_curve("pr", { 0, 1, 1, 0 }, { 0.1, 0.9, 0.6, 0.7 }, 1, { num_thresholds = 3 })
    local value = written()[1]
    assert.equal("pr_curves", value.plugin)
    local numbers = { ("<" .. ("f"):rep(18)):unpack(fields(value.value)[4]) }
    -- Thresholds 0, 0.5, 1: true and false positives, true and false negatives.
    assert.same({ 2.0, 2.0, 0.0, 2.0, 1.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 2.0 }, table.move(numbers, 1, 12, 1, {}))
    assert.same({ 0.5, 0.0, 1.0, 1.0, 0.0 }, { numbers[13], numbers[15], numbers[16], numbers[17], numbers[18] })
    assert.matches("2 labels but 1 predictions", problem(writer.pr_curve, writer, "p", { 0, 1 }, { 1 }, 1), 1, true)
    assert.matches("must be from 0 to 1", problem(writer.pr_curve, writer, "p", { 0, 1 }, { 0, 3 }, 1), 1, true)
  end)

  it("writes hyper-parameters, and ends the session when it is closed", function()
    writer:hparams({ lr = 0.1, act = "relu", bias = true }, { accuracy = 0.9 })
    writer:hparams_config({ lr = { min = 0, max = 1 }, act = { "relu", "tanh" } }, { "accuracy" })
    writer:close()
    local tags = {}
    for i, value in ipairs(written()) do tags[i] = value.tag end
    assert.same({ "_hparams_/session_start_info", "accuracy", "_hparams_/experiment", "_hparams_/session_end_info" },
      tags)
    assert.matches("closed", problem(writer.scalar, writer, "x", 1, 1), 1, true)
    local other <close> = cdl.summary.create_file_writer(folder "other")
    assert.matches("'a' must be a number, a string or a boolean, got", problem(other.hparams, other, { a = {} }), 1,
      true)
    assert.matches("must be a list of values", problem(other.hparams_config, other, { a = 1 }), 1, true)
  end)

  it("writes embeddings as files of the projector", function()
    writer:embedding("my words", { { 1, 2 }, { 3, 4 }, { 5, 6.5 } }, { metadata = { "a\tb", "c", "d" },
      images = cdl.ones { 3, 2, 2, 1 } })
    assert.equal("1\t2\n3\t4\n5\t6.5\n", folder:read "run/projector/my_words/tensors.tsv")
    assert.equal("a b\nc\nd\n", folder:read "run/projector/my_words/metadata.tsv")
    assert.equal("\137PNG", folder:read("run/projector/my_words/sprite.png"):sub(1, 4))
    local config = folder:read "run/projector_config.pbtxt"
    assert.matches('tensor_name: "my words"\n  metadata_path: "projector/my_words/metadata.tsv"', config, 1, true)
    assert.matches("single_image_dim: 2\n    single_image_dim: 2", config, 1, true)
    writer:embedding("two", { { 1, 2 } }, { metadata = { { "a", "b" } }, header = { "x", "y" } })
    assert.equal("x\ty\na\tb\n", folder:read "run/projector/two/metadata.tsv")
    assert.equal(2, select(2, folder:read("run/projector_config.pbtxt"):gsub("embeddings {", "")))
    assert.matches("3 rows but 1 labels", problem(writer.embedding, writer, "x", cdl.ones { 3, 2 },
      { metadata = { "a" } }), 1, true)
    assert.matches("an embedding is {rows, size}", problem(writer.embedding, writer, "x", cdl.ones { 3 }), 1, true)
    assert.matches("images must be {3, height", problem(writer.embedding, writer, "x", cdl.ones { 3, 2 },
      { images = cdl.ones { 2, 2, 2, 1 } }), 1, true)
  end)

  it("writes a model as nodes with their weights in scopes", function()
    local input = cdl.Input { shape = { -1, 4 }, name = "words" }
    local inner = cdl.Sequential { cdl.layers.Input { 3 }, cdl.layers.Dense { 2, name = "deep" }, name = "inside" }
    local flat = cdl.layers.GlobalMaxPooling1D { name = "pool" }(input)
    local dense = cdl.layers.Dense { 3, activation = "relu", name = "out" }
    local y = inner(dense(flat)) + inner(dense(flat * 2))
    writer:graph(cdl.Model { inputs = input, outputs = y })
    local graph = written()[1]
    assert.equal("graph", graph.kind)
    local nodes, order = {}, {}
    for field, bytes in protobuf.fields(graph.value) do
      if field == 1 then
        local node = { inputs = {}, bytes = bytes }
        for number, value in protobuf.fields(bytes) do
          if number == 1 then node.name = value elseif number == 2 then node.op = value
          elseif number == 3 then table.insert(node.inputs, value) end
        end
        nodes[node.name] = node
        order[#order + 1] = node.name
      end
    end
    assert.equal("words", order[1])
    assert.equal("Variable", nodes["out/kernel"].op)
    assert.same({ "out/kernel", "out/bias", "pool" }, nodes["out/Dense"].inputs)
    assert.same("Dense", nodes["out/Dense_1"].op)
    assert.same({ "inside/deep/kernel", "inside/deep/bias", nodes["inside/deep/Dense"].inputs[3] },
      nodes["inside/deep/Dense"].inputs)
    assert.matches("_output_shapes", nodes.pool.bytes, 1, true)
    for _, node in pairs(nodes) do
      for _, from in ipairs(node.inputs) do assert.is_table(nodes[from], from) end
    end
    assert.matches("wanted a model, got", problem(writer.graph, writer, {}), 1, true)
    assert.matches("is not built yet", problem(writer.graph, writer, cdl.Sequential { cdl.layers.Dense(1) }), 1, true)
  end)

  it("writes layouts of custom scalars", function()
    writer:layout { { title = "Losses", { title = "both", "epoch_loss", "val" },
      { title = "band", margin = { "a", "b", "c" } } } }
    assert.same({ "custom_scalars__config__", "custom_scalars" }, { written()[1].tag, written()[1].plugin })
    assert.matches("names no tags", problem(writer.layout, writer, { { title = "x", { title = "y" } } }), 1, true)
    assert.matches("a category's title must be a string", problem(writer.layout, writer, { {} }), 1, true)
    assert.matches("a chart is", problem(writer.layout, writer, { { title = "x", 5 } }), 1, true)
  end)

  it("refuses wrong arguments", function()
    assert.matches("'step'", problem(writer.scalar, writer, "x", 1), 1, true)
    assert.matches("wanted one number", problem(writer.scalar, writer, "x", cdl.ones { 2 }, 1), 1, true)
    assert.matches("wanted a tensor, got", problem(writer.scalar, writer, "x", "high", 1), 1, true)
    assert.matches("name is empty", problem(cdl.summary.create_file_writer, ""), 1, true)
    assert.matches("cannot make the folder", problem(cdl.summary.create_file_writer, "/dev/null/x"), 1, true)
  end)

  it("gives a folder one writer, and takes one that nobody holds as closed", function()
    assert.matches("has a writer already", problem(cdl.summary.create_file_writer, folder "run"), 1, true)
    do cdl.summary.create_file_writer(folder "lost"):scalar("x", 1, 1) end
    local again = cdl.summary.create_file_writer(folder "lost")
    again:scalar("x", 2, 2)
    again:close()
    local list = written "lost"
    assert.same({ 1.0, 2.0 }, { list[1].value, list[2].value })
    local status, _, text = program.run { "-e", ("require 'cdl'.summary.create_file_writer(%q)"):format(folder "run") }
    assert.equal(1, status)
    assert.matches("has a writer already", text, 1, true)
  end)

  it("has everything on disk however the script ends", function()
    for name, ending in pairs { normal = "", exit = "os.exit(0)", raised = "error 'x'", killed = [[
        local pid = io.open("/proc/self/stat"):read "n"; os.execute("kill -9 " .. pid)]] } do
      program.run { "-e", ([[w = require 'cdl'.summary.create_file_writer(%q)
        for i = 1, 50 do w:scalar('x', i, i) end %s]]):format(folder(name), ending) }
      assert.equal(50, #written(name), name)
    end
  end)

  it("warns once when the disk refuses, and goes on", function()
    local refused = 0
    local text = capture.warned(function()
      capture.with_core("event_scalars", function()
        refused = refused + 1
        return nil, "cannot write 'f': No space left on device"
      end, function()
        for i = 1, 3 do writer:scalar("x", i, i) end
      end)
    end)
    assert.equal(3, refused)
    assert.equal("TensorBoard: cannot write 'f': No space left on device; the run goes on, what cannot be written is "
      .. "left out", text)
    writer:scalar("x", 4, 4)
    assert.equal(4.0, written()[1].value)
  end)
end)

describe("the reader of event files", function()
  local folder
  before_each(function() folder = folders.new() end)
  after_each(function() folder:remove() end)

  it("takes steps that come again as TensorBoard does", function()
    for _, steps in ipairs { { 1, 2, 3 }, { 2, 3, 4 } } do
      local writer <close> = cdl.summary.create_file_writer(folder "a/train")
      for _, step in ipairs(steps) do writer:scalar("x", step * 10 * #steps, step) end
    end
    assert.same({ ["a/train"] = { x = { steps = { 1, 2, 3, 4 }, values = { 30.0, 60.0, 90.0, 120.0 } } } },
      events.scalars(folder.path))
  end)

  it("reads scalars as TensorFlow 2 writes them", function()
    local writer <close> = cdl.summary.create_file_writer(folder.path)
    writer:write_value("t", cdl.summary.float_tensor(cdl.tensor { 2.5 }:reshape {}), 1, "scalars")
    assert.same({ 2.5 }, events.scalars(folder.path)["."].t.values)
  end)

  it("survives any bytes", function()
    local writer = cdl.summary.create_file_writer(folder.path)
    writer:scalar("x", 1, 1)
    writer:text("y", "text")
    local path = writer:place()
    writer:close()
    local records = core.event_read(path)
    for _, record in ipairs(records) do
      for cut = 0, #record do
        for field, value in protobuf.fields(record:sub(1, cut)) do assert.is_true(field ~= nil and value ~= nil) end
      end
    end
    local file = assert(io.open(path, "r+b"))
    file:seek("set", 60)
    file:write "\255\255"
    file:close()
    local text = capture.warned(function() assert.is_table(events.read_file(path)) end)
    assert.matches("is damaged; what follows is not read", text, 1, true)
    assert.is_nil((events.read_file(folder "none")))
  end)
end)
