--- Pictures: files, grids.
local cdl = require "cdl"
local folder = require "folder"

describe("pictures", function()
  local temporary
  setup(function() temporary = folder.new() end)
  teardown(function() temporary:remove() end)

  local function message_of(f, ...)
    local ok, message = pcall(f, ...)
    assert.is_false(ok)
    assert.matches("images_spec.lua:%d+: ", message)
    return message
  end

  it("are written and read again", function()
    local x = (cdl.arange(0, 59) * 4):reshape { 4, 5, 3 }:astype "uint8"
    cdl.io.write_png(temporary "x.png", x)
    local y = cdl.io.read_image(temporary "x.png")
    assert.equal("uint8", y.dtype)
    assert.same(x:totable(), y:totable())
    local grey = cdl.io.read_image(temporary "x.png", { color_mode = "grayscale", dtype = "float32" })
    assert.same({ 4, 5, 1 }, grey.shape)
    -- 0.299 * 12 + 0.587 * 16 + 0.114 * 20
    assert.equal(15, grey[{ 1, 2, 1 }])
    assert.same({ 4, 5, 4 }, cdl.io.read_image(temporary "x.png", { color_mode = "rgba" }).shape)
  end)

  it("are written from every dtype", function()
    local function written(x)
      cdl.io.write_png(temporary "x.png", x)
      return cdl.io.read_image(temporary "x.png", { color_mode = "grayscale" }):flatten():totable()
    end
    assert.same({ 0, 128, 255, 255 }, written(cdl.tensor { { -1, 0.5 }, { 1, 7 } }))
    assert.same({ 0, 5, 255, 255 }, written(cdl.tensor({ { -1, 5 }, { 255, 300 } }, "int32")))
    assert.same({ 0, 255 }, written(cdl.tensor { { false, true } }))
    assert.same({ 3, 4 }, written(cdl.tensor({ { { 3 }, { 4 } } }, "uint8")))
    -- A view: columns of a larger picture.
    local x = cdl.arange(0, 11):reshape { 3, 4 }:astype "uint8"
    assert.same({ 1, 3, 5, 7, 9, 11 }, written(x[{ {}, { 2, 4, 2 } }]))
  end)

  it("change their size", function()
    local x = cdl.arange(0, 15):reshape { 4, 4 }:astype "uint8"
    cdl.io.write_png(temporary "x.png", x)
    local function read(options)
      options.color_mode = "grayscale"
      return cdl.io.read_image(temporary "x.png", options):flatten():totable()
    end
    assert.same({ 5, 7, 13, 15 }, read { target_size = { 2, 2 } })
    -- Pillow's numbers: it, too, sees all pixels where a picture gets smaller.
    assert.same({ 4, 5, 10, 11 }, read { target_size = { 2, 2 }, interpolation = "bilinear" })
    assert.same({ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, read { target_size = 4 })
    assert.same({ 4, 5, 6, 7, 8, 9, 10, 11 }, read { target_size = { 2, 4 }, keep_aspect_ratio = true })
  end)

  it("stand in grids", function()
    local x = cdl.ones { 5, 2, 3, 1 } * cdl.arange(1, 5):reshape { 5, 1, 1, 1 }
    local grid = cdl.utils.image_grid(x, { padding = 1, value = 9 })
    assert.same({ 5, 11, 1 }, grid.shape)
    assert.same({ 1, 1, 1, 9, 2, 2, 2, 9, 3, 3, 3 }, grid[1]:flatten():totable())
    assert.same({ 4, 4, 4, 9, 5, 5, 5, 9, 9, 9, 9 }, grid[5]:flatten():totable())
    assert.same({ 14, 3, 1 }, cdl.utils.image_grid(x, { columns = 1, padding = 1 }).shape)
    cdl.io.write_png(temporary "grid.png", x / 5)
    assert.same({ 6, 13, 3 }, cdl.io.read_image(temporary "grid.png").shape)
  end)

  it("that are none are refused", function()
    temporary:write("x.txt", "hello")
    assert.matches("read_image: .*/x.txt: neither a PNG nor a JPEG file",
      message_of(cdl.io.read_image, temporary "x.txt"))
    assert.matches("read_image: .*/absent.png: No such file", message_of(cdl.io.read_image, temporary "absent.png"))
    cdl.io.write_png(temporary "whole.png", cdl.zeros { 8, 8, 3 })
    temporary:write("half.png", temporary:read "whole.png":sub(1, -20))
    assert.matches("half.png: damaged PNG file", message_of(cdl.io.read_image, temporary "half.png"))
    assert.matches("got {2, 2, 5}", message_of(cdl.io.write_png, temporary "y.png", cdl.zeros { 2, 2, 5 }))
    assert.matches("got {0, 2}", message_of(cdl.io.write_png, temporary "y.png", cdl.zeros { 0, 2 }))
    assert.matches("holds nan", message_of(cdl.io.write_png, temporary "y.png", cdl.full({ 1, 1 }, 0 / 0)))
    assert.matches("there is no folder", message_of(cdl.io.write_png, temporary "no/y.png", cdl.zeros { 1, 1 }))
    assert.matches("color_mode must be one of", message_of(cdl.io.read_image, temporary "whole.png", "grey"))
    assert.same({ "grid.png", "half.png", "whole.png", "x.png", "x.txt" }, temporary:names())
  end)
end)
