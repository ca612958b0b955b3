local class = require "cdl.class"
local core = require "cdl.core"
local tree = require "cdl.tree"

-- Leaves are told by not being plain tables; an instance of anything is one.
local Leaf = class "Leaf"
local a, b, c = Leaf(), Leaf(), Leaf()

describe("structures", function()
  it("are leaves, lists or dicts", function()
    assert.equal("leaf", tree.kind(a))
    assert.equal("leaf", tree.kind(5))
    assert.equal("leaf", tree.kind { 1, 2, 3 })
    assert.equal("leaf", tree.kind { { 1, 2 }, { 3, 4 } })
    assert.equal("leaf", tree.kind { true, false })
    assert.equal("list", tree.kind { a })
    assert.equal("list", tree.kind { a, { 1, 2 } })
    assert.equal("list", tree.kind { { 1, 2 }, a })
    assert.equal("dict", tree.kind { x = a })
    assert.is_true(tree.is_leaf(a))
    assert.is_true(tree.is_leaf { 1, 2 })
    assert.is_false(tree.is_leaf { a })
    assert.is_false(tree.is_leaf { x = { 1 } })
  end)

  it("flatten and pack again", function()
    for _, x in ipairs { a, { a, b, c }, { p = c, q = a } } do
      local leaves, spec = tree.flatten(x)
      assert.same(x, tree.pack(spec, leaves))
    end
    local leaves, spec = tree.flatten { q = a, p = b, r = c }
    assert.equal(b, leaves[1])
    assert.equal(a, leaves[2])
    assert.equal(c, leaves[3])
    assert.same({ p = 1, q = 2, r = 3 }, tree.pack(spec, { 1, 2, 3 }))
  end)

  it("read a dict in the order of the names", function()
    local leaves, spec = tree.flatten({ x = a, y = b }, { "y", "x" })
    assert.equal(b, leaves[1])
    assert.equal(a, leaves[2])
    assert.same({ x = 2, y = 1 }, tree.pack(spec, { 1, 2 }))
    assert.equal(1, #tree.flatten(a, { "x" }))
    assert.equal(2, #tree.flatten({ a, b }, { "x", "y" }))
  end)

  it("make tensors of number tables", function()
    local leaves = tree.flatten { { 1, 2, 3 }, a }
    assert.is_true(core.is_tensor(leaves[1]))
    assert.same({ 3 }, leaves[1].shape)
    assert.equal("float32", leaves[1].dtype)
    leaves = tree.flatten { { 1, 2 }, { 3, 4 }, { 5, 6 } }
    assert.equal(1, #leaves)
    assert.same({ 3, 2 }, leaves[1].shape)
    leaves = tree.flatten { x = { { true, false } } }
    assert.equal("bool", leaves[1].dtype)
  end)

  it("map", function()
    assert.equal("f1", tree.map(function(_, i) return "f" .. i end, a))
    assert.same({ "f1", "f2" }, tree.map(function(_, i) return "f" .. i end, { a, b }))
    local seen = {}
    tree.map(function(leaf, i)
      seen[i] = leaf
      return leaf
    end, { x = a, y = b }, { "y", "x" })
    assert.equal(b, seen[1])
  end)

  it("are refused when mixed, empty, holed or nested, with the place", function()
    local cases = {
      { { a, x = b }, "fit: x: a table of data has both list entries and names %('x'%)" },
      { {}, "fit: x: an empty table is no data" },
      { { a, nil, c }, "fit: x: entry 2 of a list of data is nil but entry 3 is not" },
      { { [2] = a }, "fit: x: entry 1 of a list of data is nil but entry 2 is not" },
      { { [0] = a }, "fit: x: a table of data has the key 0" },
      { { [1.5] = a }, "fit: x: a table of data has the key 1.5" },
      { { a, { b, c } }, "fit: x%[2%]: structures are one level deep" },
      { { x = { y = a } }, "fit: x%['x'%]: structures are one level deep" },
      { { a, {} }, "fit: x%[2%]: structures are one level deep" },
      { nil, "fit: x: wanted a tensor, a list or a dict of tensors, got nil" },
    }
    for i = 1, #cases + 1 do
      local case = cases[i] or { nil, "got nil" }
      assert.error_matches(function() tree.flatten(case[1], nil, "fit: x") end, case[2])
    end
  end)

  it("must fit the names", function()
    local names = { "images", "words" }
    local function refused(x, message)
      assert.error_matches(function() tree.flatten(x, names, "fit: x") end, message)
    end
    refused({ images = a, word = b },
      "there is no 'word' %(did you mean 'words'%?%); wanted 'images', 'words'")
    refused({ images = a }, "fit: x: 'words' is missing")
    refused({ a }, "fit: x: wanted 2 %('images', 'words'%), got 1")
    refused(a, "wanted 2 %('images', 'words'%), got 1")
    refused({ a, b, c }, "wanted 2 %('images', 'words'%), got 3")
  end)
end)
