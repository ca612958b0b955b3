local cdl = require "cdl"
local close = require "close"

local initializers = cdl.initializers

local function moments(x)
  return x:mean():item(), x:std():item(), x:min():item(), x:max():item()
end

describe("constant initializers", function()
  it("fill", function()
    close({ { 0, 0 } }, initializers.Zeros()({ 1, 2 }, "float32"))
    close({ 1, 1 }, initializers.get "ones"({ 2 }))
    close({ 0.5 }, initializers.Constant(0.5)({ 1 }))
    close({ { 2, 0, 0 }, { 0, 2, 0 } }, initializers.Identity(2)({ 2, 3 }))
    assert.equal("int64", initializers.Zeros()({ 2 }, "int64").dtype)
    assert.error_matches(function() initializers.Identity()({ 2 }) end, "shape {2}")
  end)
end)

describe("random initializers", function()
  before_each(function() cdl.random.seed(7) end)

  it("are distributed as they say", function()
    local mean, std, lowest, highest = moments(initializers.RandomNormal(1, 0.5)({ 200, 100 }))
    assert.near(1, mean, 0.02)
    assert.near(0.5, std, 0.02)
    assert.is_true(highest > 2.2 and lowest < -0.2)

    mean, std, lowest, highest = moments(initializers.TruncatedNormal(0, 1)({ 200, 100 }))
    assert.near(0, mean, 0.03)
    assert.near(0.8796, std, 0.02)
    assert.is_true(highest <= 2 and lowest >= -2 and highest > 1.9)

    mean, std, lowest, highest = moments(initializers.RandomUniform(-1, 3)({ 200, 100 }))
    assert.near(1, mean, 0.04)
    assert.near(4 / math.sqrt(12), std, 0.02)
    assert.is_true(lowest >= -1 and lowest < -0.99 and highest < 3 and highest > 2.99)
  end)

  -- name, shape, standard deviation
  local scaled = {
    { "glorot_uniform", { 60, 140 }, math.sqrt(2 / 200) }, { "glorot_normal", { 60, 140 }, math.sqrt(2 / 200) },
    { "he_uniform", { 60, 140 }, math.sqrt(2 / 60) }, { "he_normal", { 60, 140 }, math.sqrt(2 / 60) },
    { "lecun_uniform", { 60, 140 }, math.sqrt(1 / 60) }, { "lecun_normal", { 60, 140 }, math.sqrt(1 / 60) },
    { "he_normal", { 3, 3, 16, 64 }, math.sqrt(2 / 144) }, { "glorot_uniform", { 3, 3, 16, 64 }, math.sqrt(2 / 720) },
    { "lecun_normal", { 4000 }, math.sqrt(1 / 4000) },
  }
  for _, case in ipairs(scaled) do
    it(("scales %s to fans of {%s}"):format(case[1], table.concat(case[2], ", ")), function()
      local x = initializers.get(case[1])(case[2], "float32")
      assert.same(case[2], x.shape)
      local mean, std = moments(x)
      assert.near(0, mean, 0.05 * case[3])
      assert.near(case[3], std, 0.05 * case[3])
    end)
  end

  it("keeps glorot_uniform within its limit", function()
    local _, _, lowest, highest = moments(initializers.GlorotUniform()({ 60, 140 }))
    local limit = math.sqrt(6 / 200)
    assert.is_true(lowest >= -limit and highest <= limit and highest > 0.99 * limit)
  end)

  it("takes fans from named axes", function()
    local init = initializers.VarianceScaling { distribution = "uniform", input_axes = 1, output_axes = { 2, 3 } }
    local _, std = moments(init({ 100, 8, 16 }))
    assert.near(math.sqrt(1 / 100), std, 0.005)
    assert.error_matches(function() initializers.VarianceScaling { input_axes = 1 } end, "together")
  end)

  it("repeat by seed", function()
    local a = initializers.HeNormal(3)({ 4, 5 }):totable()
    initializers.HeNormal()({ 4, 5 })
    assert.same(a, initializers.HeNormal(3)({ 4, 5 }):totable())
    assert.are_not.same(a, initializers.HeNormal(4)({ 4, 5 }):totable())

    local one = initializers.HeNormal()
    local b = one({ 4, 5 }):totable()
    assert.same(b, one({ 4, 5 }):totable())
    assert.are_not.same(b, initializers.HeNormal()({ 4, 5 }):totable())
    cdl.random.seed(7)
    initializers.HeNormal()({ 4, 5 })
    assert.same(b, initializers.HeNormal()({ 4, 5 }):totable())
  end)

  it("makes orthogonal matrices", function()
    for _, shape in ipairs { { 20, 20 }, { 7, 30 }, { 30, 7 }, { 3, 4, 5 } } do
      local columns = shape[#shape]
      local q = initializers.Orthogonal { gain = 2, seed = 1 }(shape, "float32")
      assert.same(shape, q.shape)
      local matrix = q:reshape { -1, columns }
      local gram = #matrix <= columns and matrix:matmul(matrix:transpose()) or matrix:transpose():matmul(matrix)
      close((cdl.eye(#gram) * 4):totable(), gram, 1e-5)
    end
    assert.error_matches(function() initializers.Orthogonal()({ 3 }) end, "at least two axes")
  end)
end)

describe("initializers.get", function()
  it("takes names, aliases, classes, objects and functions", function()
    assert.equal("GlorotUniform", initializers.get "glorot_uniform".class_name)
    assert.equal("GlorotUniform", initializers.get "GlorotUniform".class_name)
    assert.equal("RandomNormal", initializers.get "normal".class_name)
    assert.equal("RandomUniform", initializers.get "uniform".class_name)
    assert.equal("Zeros", initializers.get "zero".class_name)
    assert.equal("Orthogonal", initializers.get "OrthogonalInitializer".class_name)
    assert.equal("HeNormal", initializers.get(initializers.HeNormal).class_name)
    local own = function(shape, dtype) return cdl.full(shape, 7, dtype) end
    assert.equal(own, initializers.get(own))
    local layer = cdl.layers.Dense { 2, bias_initializer = own }
    layer(cdl.ones { 1, 2 })
    close({ 7, 7 }, layer.bias)
  end)

  it("suggests", function()
    assert.error_matches(function() initializers.get "glorot_unifrm" end,
      "unknown initializer 'glorot_unifrm' %(did you mean 'glorot_uniform'%?%)")
    assert.error_matches(function() initializers.HeNormal { sed = 1 } end, "did you mean 'seed'")
  end)

  it("want a shape and a dtype", function()
    for _, initializer in ipairs { initializers.Zeros(), initializers.GlorotUniform(), initializers.Orthogonal() } do
      assert.error_matches(function() initializer(3) end,
        "^initializer: shape must be a list of sizes, got 3")
      assert.error_matches(function() initializer() end, "initializer: argument 'shape' is missing")
      assert.error_matches(function() initializer({ 2, 2 }, "flaot32") end, "did you mean 'float32'")
      assert.same({ 2, 3 }, initializer({ 2, 3 }).shape)
    end
  end)

  it("gives back a config that makes an equal one", function()
    local config = initializers.TruncatedNormal(1, 2, 3):get_config()
    assert.same({ mean = 1, stddev = 2, seed = 3 }, config)
    assert.same(initializers.TruncatedNormal(1, 2, 3)({ 5 }):totable(),
      initializers.TruncatedNormal:from_config(config)({ 5 }):totable())
  end)
end)
