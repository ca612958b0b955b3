--- Asserts that a tensor, variable or number has the expected values, a number or nested lists. The
-- tolerance is relative for values above 1.
--
--     close({ 0.5, -1 }, w, 1e-4)
local assert = require "luassert"

local function compare(expected, got, tolerance, place)
  if type(expected) == "table" then
    assert.equal("table", type(got), "at " .. place)
    assert.equal(#expected, #got, "length at " .. place)
    for i, value in ipairs(expected) do compare(value, got[i], tolerance, place .. "[" .. i .. "]") end
  elseif type(expected) == "number" then
    assert.equal("number", type(got), "at " .. place)
    if math.abs(expected) == math.huge then
      assert.equal(expected, got, "at " .. place)
    else
      assert.near(expected, got, tolerance * math.max(1, math.abs(expected)), "at " .. place)
    end
  else
    assert.equal(expected, got, "at " .. place)
  end
end

return function(expected, got, tolerance)
  if type(got) ~= "number" and type(got) ~= "boolean" then got = got:totable() end
  compare(expected, got, tolerance or 1e-5, "x")
end
