--- RandomShear.
local ops = require "cdl.ops"
local RandomAffine = require "cdl.layers.base_random_affine"

local RandomShear = RandomAffine:extend "RandomShear"
RandomShear.doc = "While training, slants each image by numbers of its own, to the one side or to the other."
RandomShear.signature = {
  RandomAffine.factor_row("x_factor", "columns per row that rows are moved, from 0 to 1", 0),
  RandomAffine.factor_row("y_factor", "rows per column that columns are moved, from 0 to 1", 0),
  RandomAffine.interpolation_row, RandomAffine.fill_mode_row, RandomAffine.fill_value_row, RandomAffine.format_row,
  RandomAffine.seed_row,
}

-- A number stands for both sides here.
local function read(self, name)
  local low, high = self:read_factor(name, 0, 1)
  return type(self.args[name]) == "number" and -high or low, high
end

function RandomShear:init()
  self.low_x, self.high_x = read(self, "x_factor")
  self.low_y, self.high_y = read(self, "y_factor")
end

function RandomShear:transform(x)
  local side = ops.where(ops.gt(self:column(x, 0, 1), 0.5), -1, 1)
  local slant_y = self:column(x, self.low_y, self.high_y) * side
  local slant_x = self:column(x, self.low_x, self.high_x) * side
  return 1, slant_x, 0, slant_y, 1
end

return RandomShear
