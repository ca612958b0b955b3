-- Every example in scripts/, in a tiny form: it runs, and shows what it says it shows.
local folder = require "folder"
local program = require "program"

-- The examples: arguments (FOLDER is a temporary one), and a pattern that the output has.
local examples = {
  activation_logger = { { 1, "FOLDER" }, "arr_2%s+{1, 10}" },
  custom_callbacks = { { 2 }, "epoch  2  loss .*ended: completed" },
  fashion_mnist = { { 1, "FOLDER" }, "test loss [%d.]+, test accuracy 0%.8" },
  functional = { { 1 }, "val_group_accuracy.*first post: age" },
  gan = { { 2 }, "d_loss: .* after" },
  generator = { { 1 }, "loss" },
  tensorboard_images = { { 1, "FOLDER", 200 }, "validation accuracy [%d.]+; look at it with: cdl board" },
  tensorboard_imdb = { { 1, "FOLDER", 200 }, "validation accuracy [%d.]+; look at it with: cdl board" },
  vae = { { 1, 300 }, "divergence: .*\n" },
}

local scripts_folder = arg[0]:gsub("[^/]*$", "") .. "../scripts/"

describe("the example", function()
  local temporary
  setup(function() temporary = folder.new() end)
  teardown(function() temporary:remove() end)

  for name, case in pairs(examples) do
    it(name .. ".lua runs", function()
      local words = { scripts_folder .. name .. ".lua" }
      for i, argument in ipairs(case[1]) do
        words[i + 1] = argument == "FOLDER" and temporary.path or tostring(argument)
      end
      local status, out, err = program.run(words)
      assert.are.equal(0, status, err)
      assert.matches(case[2], out)
    end)
  end

  -- The book's experiments, on a small stand-in for their data.
  local _, names = program.shell("ls " .. program.quote(scripts_folder .. "book"))
  for name in names:gmatch "([^\n]+)%.lua\n" do
    if name ~= "common" then
      it("book/" .. name .. ".lua runs", function()
        local status, out, err = program.run { scripts_folder .. "book/" .. name .. ".lua", "--quick", temporary.path }
        assert.are.equal(0, status, err)
        assert.matches("%(%l+[^\n]*%), in quick mode\n$", out)
      end)
    end
  end

  it("has a case here", function()
    local _, text = program.shell("ls " .. program.quote(scripts_folder))
    local missing = {}
    for name in text:gmatch "([^\n]+)%.lua\n" do
      if not examples[name] then missing[#missing + 1] = name end
    end
    assert.are.same({}, missing)
  end)
end)
