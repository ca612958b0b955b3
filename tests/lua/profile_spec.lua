-- Where a step's time goes, and plans as text.
local cdl = require "cdl"
local core = require "cdl.core"
local layers = cdl.layers
local program = require "program"

local x, y = cdl.ones { 24, 6, 6, 1 }, cdl.ones { 24, 1 }

local function new_model()
  local model = cdl.Sequential {
    layers.Input { 6, 6, 1 }, layers.Conv2D(4, 3, { activation = "relu", name = "eyes" }), layers.Flatten(),
    layers.Dense { 1, name = "head" },
  }
  model:compile { optimizer = "adam", loss = "mse" }
  return model
end

-- What f prints, as one text, and what it returns.
local function printed(f)
  local lines, keep = {}, print
  _G.print = function(text) lines[#lines + 1] = text end -- luacheck: ignore
  local results = table.pack(pcall(f))
  _G.print = keep -- luacheck: ignore
  assert(results[1], results[2])
  return table.concat(lines, "\n"), table.unpack(results, 2, results.n)
end

describe("fit's profile", function()
  it("says how long each operation takes and how fast it is", function()
    local model = new_model()
    local text, history = printed(function()
      return model:fit(x, y, { batch_size = 8, epochs = 2, validation_split = 1 / 3, verbose = 0, profile = true })
    end)
    assert.matches("train: 4 steps of %d+%.%d+ ms with %d+ threads", text)
    assert.matches("test: 2 steps of ", text)
    assert.matches("%d %% +conv_bias  sequential[_%d]*/eyes", text)
    assert.matches("GFLOP/s", text)
    assert.matches("GB/s", text)
    assert.matches("adam_update", text)
    assert.matches("barriers; %d+%.%d+ MB hold values of", text)
    assert.matches("the limits of this machine: %d+ GFLOP/s", text)
    assert.matches("outside of steps: hooks, logs, tracing", text)
    local steps = history.steps
    assert.are.equal(2, #steps)
    for _, found in ipairs(steps) do
      local sum = found.copying
      for _, step in ipairs(found.steps) do sum = sum + step.seconds end
      assert.is_true(sum <= found.seconds)
      assert.are.equal(found.mode == "train" and 4 or 2, found.runs)
      -- Values share memory almost as well as they could.
      assert.is_true(found.info.scratch_bytes <= 1.3 * found.info.lower_bound + 4096)
    end
  end)

  it("is there for evaluate and predict, too, which give what they give without", function()
    local model = new_model()
    local text, loss = printed(function()
      return model:evaluate(x, y, { verbose = 0, batch_size = 8, profile = true })
    end)
    assert.matches("^test: 3 steps of ", text)
    assert.are.equal(model:evaluate(x, y, { verbose = 0, batch_size = 8 }), loss)
    local rows
    text, rows = printed(function() return model:predict(x, { verbose = 0, batch_size = 8, profile = true }) end)
    assert.matches("^predict: 3 steps of ", text)
    assert.are.same(model:predict(x, { verbose = 0, batch_size = 8 }):totable(), rows:totable())
  end)

  it("takes a run inside a run as a part of that", function()
    local model, inner = new_model(), nil
    local text, history = printed(function()
      return model:fit(x, y, { verbose = 0, profile = true, callbacks = { on_epoch_end = function()
        inner = model:evaluate(x, y, { verbose = 0, profile = true })
      end } })
    end)
    assert.is_number(inner)
    assert.matches("train: 1 steps", text)
    assert.are.equal(2, #history.steps)
  end)

  it("changes no result, and is over with the fit", function()
    local function trained(profile)
      cdl.random.seed(3)
      local model = new_model()
      local _, history = printed(function() return model:fit(x, y, { epochs = 3, verbose = 0, profile = profile }) end)
      assert.are.equal("", (printed(function() model:fit(x, y, { verbose = 0 }) end)))
      return history.history.loss
    end
    assert.are.same(trained(false), trained(true))
  end)

  it("writes a trace for Chrome", function()
    local path = os.tmpname()
    local model = new_model()
    printed(function() model:fit(x, y, { batch_size = 8, verbose = 0, profile = path }) end)
    local file = assert(io.open(path))
    local text = file:read "a"
    file:close()
    os.remove(path)
    assert.matches('^{"displayTimeUnit":%s?"ms",%s?"traceEvents":', text)
    for _, word in ipairs { '"ph":%s?"X"', '"name":%s?"conv_bias"', '"layer":%s?"sequential[_%d]*/eyes"',
      "profile_spec.lua:%d+", '"tid":%s?1' } do
      assert.matches(word, text)
    end
    local status, _, err = program.shell(("%s -e %s"):format(program.quote(program.path), program.quote [[
      local cdl = require "cdl"
      local model = cdl.Sequential { cdl.layers.Dense(1) }
      model:compile { loss = "mse" }
      model:fit(cdl.ones { 4, 2 }, cdl.ones { 4, 1 }, { verbose = 0, profile = "/no/such/folder/trace.json" })]]))
    assert.are.equal(0, status)
    assert.matches("no trace is written: .*/no/such/folder", err)
  end)

  it("ends with a fit that fails", function()
    local model = new_model()
    assert.has_error(function()
      model:fit(x, y, { verbose = 0, profile = true, callbacks = { { on_epoch_end = function() error "stop" end } } })
    end)
    assert.are.equal("", (printed(function() model:fit(x, y, { verbose = 0 }) end)))
  end)
end)

describe("cdl.graph.dump", function()
  it("shows the plan of prediction, and of training once there is one", function()
    local model = new_model()
    local text = cdl.graph.dump(model, "predict", 5)
    assert.matches("^plan: %d+ steps from %d+ nodes, %d+ chained, %d+ barriers, scratch %d+ bytes", text)
    assert.matches("float32{5, 4, 4, 4} scratch%+0 = conv_bias%(float32{5, 6, 6, 1} input 0", text)
    assert.is_nil(text:find("adam_update", 1, true))
    model:fit(x, y, { verbose = 0 })
    assert.matches("adam_update", cdl.graph.dump(model))
    assert.matches("conv_bias", cdl.graph.dump { model, mode = "predict" })
  end)

  it("explains what it cannot show", function()
    assert.error_matches(function() cdl.graph.dump(new_model(), "train") end,
      "graph.dump: model 'sequential[_%d]*' has no step for 'train' yet")
    assert.error_matches(function() cdl.graph.dump(new_model(), "fit") end, "mode must be 'train'")
    assert.error_matches(function() cdl.graph.dump(3) end, "expected a model, got")
    assert.error_matches(function() cdl.graph.dump(cdl.Sequential { layers.Dense(1) }) end, "build")
  end)
end)

describe("the machine's limits", function()
  it("are measured", function()
    local limits = core.limits()
    assert.is_true(limits.flops > 0)
    for _, level in ipairs(limits.levels) do assert.is_true(level.copy > 0) end
  end)
end)
