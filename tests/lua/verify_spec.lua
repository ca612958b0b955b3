-- cdl verify-resume: kills a script at random places and compares. CDL_KILLS=200 makes a long test of it.
local folders = require "folder"
local program = require "program"

local folder
before_each(function() folder = folders.new() end)
after_each(function() folder:remove() end)

local KILLS = os.getenv "CDL_KILLS" or "8"

local script = [[
  local cdl = require "cdl"
  local layers, callbacks, out = cdl.layers, cdl.callbacks, arg[1]
  local x = cdl.random.normal { shape = { 96, 6, 6, 1 } }
  local y = x:reshape { 96, -1 }:sum(2):gt(0):astype "int64"
  local flip = layers.RandomFlip "horizontal"
  local data = cdl.data.Dataset(x, y):shuffle(40):map(function(image, label)
    return flip(image, true) + cdl.random.normal { shape = { 6, 6, 1 }, stddev = 0.1 }, label
  end):batch(8):prefetch(2)
  local model = cdl.Sequential { cdl.Input { shape = { 6, 6, 1 } }, layers.GaussianNoise(0.1), layers.Flatten(),
    layers.Dense { 12, activation = "relu" }, layers.BatchNormalization(), layers.Dropout(0.3),
    layers.Dense { 2, activation = "softmax" } }
  model:compile { optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = { "acc" } }
  local rates = { name = "rates", list = {} }
  function rates:on_train_batch_end(batch, logs)
    if batch % 5 == 0 then self.list[#self.list + 1] = logs.loss + cdl.random.uniform({ 1 }):item() end
  end
  function rates:state() return { list = self.list } end
  function rates:load_state(state) self.list = state.list end
  model:fit(data, { epochs = 8, verbose = 0, validation_data = { x, y }, callbacks = {
    callbacks.CSVLogger(out .. "/log.csv"), callbacks.EarlyStopping { patience = 6, restore_best_weights = true },
    callbacks.ReduceLROnPlateau { patience = 1 }, callbacks.TensorBoard { log_dir = out .. "/logs", update_freq = 4 },
    rates, DIFFERENT } })
  model:fit(x, y, { epochs = 3, verbose = 0, batch_size = 16, steps_per_epoch = 4 })
  print("ends with", model:evaluate(x, y, { verbose = 0 }), #rates.list)
]]

-- Runs the command on the script, in which `different` is one callback more.
local function verify(different, kills)
  local path = folder:write("train.lua", (script:gsub("DIFFERENT", different)))
  return program.run { "verify-resume", "--seed", "3", "--kills", kills, path, folder.path }
end

describe("verify-resume", function()
  it("finds no difference after kills in random places", function()
    local status, output, errors = verify("false", KILLS)
    assert.equal("", errors)
    assert.equal(0, status)
    assert.matches("the script runs for %d+%.%d+ s, with 2 fits %(seed 3%)", output)
    assert.matches("\nkilled " .. KILLS .. " times in %d+ runs?: no difference\n$", output)
    assert.equal(tonumber(KILLS), select(2, output:gsub("kill %d+ of", "")))
  end)

  it("names what differs first", function()
    local status, _, errors = verify([[{ on_train_batch_end = function(self)
      self.batches = (self.batches or 0) + 1
      self.model.optimizer.learning_rate = 0.001 + 0.00001 * self.batches
    end }]], "20")
    assert.equal(1, status)
    assert.matches("differs when it is killed: fit 1: the logs of epoch %d: [%w_]+: was [%d.e-]+, is [%d.e-]+", errors)
  end)

  it("tells why, where the run knows", function()
    local path = folder:write("train.lua", [[
      local cdl = require "cdl"
      local model = cdl.Sequential { cdl.layers.Dense { 1, input_shape = { 2 } } }
      model:compile { optimizer = "sgd", loss = "mse" }
      local turn = 0
      model:fit(function()
        turn = turn + 1
        return cdl.full({ 2, 2 }, turn), cdl.ones { 2, 1 }
      end, { steps_per_epoch = 200, epochs = 8, verbose = 0 })]])
    local status, _, errors = program.run { "verify-resume", "--kills", "20", path }
    assert.equal(1, status)
    assert.matches("its generator cannot tell where it was", errors, 1, true)
  end)

  local function refused(text, pattern)
    local status, _, errors = program.run { "verify-resume", folder:write("train.lua", text) }
    assert.equal(1, status)
    assert.matches(pattern, errors, 1, true)
  end

  it("tells of scripts that it cannot prove anything of", function()
    refused("print(1)", "it calls no fit that could be continued")
    refused("error 'mine'", "it ends with status 1, without being killed")
    refused("error 'mine'", "mine")
  end)

  it("says how it is called", function()
    local status, output = program.run { "verify-resume", "--help" }
    assert.equal(0, status)
    assert.matches("usage: cdl verify-resume [--kills N] [--seed N] script.lua [args]", output, 1, true)
    local function wrong(arguments, pattern)
      local code, _, errors = program.run { "verify-resume", table.unpack(arguments) }
      assert.equal(2, code)
      assert.matches(pattern, errors, 1, true)
    end
    wrong({}, "a script is missing")
    wrong({ folder "none.lua" }, "there is no script '" .. folder "none.lua" .. "'")
    wrong({ "--kill", "3", "x.lua" }, "--kill: unknown option")
    wrong({ "--kills", "some", "x.lua" }, "--kills: wanted a whole number, not negative, got 'some'")
  end)
end)
