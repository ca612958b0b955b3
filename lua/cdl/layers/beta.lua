--- Draws from the gamma and beta distributions, made of uniform and normal ones: whole tensors at once, with the
-- same number of draws in each step.
local ops = require "cdl.ops"
local random = require "cdl.random"

local M = {}

-- A proposal is refused with a probability of at most 0.05: none of so many is taken once in 4e10 draws.
local PROPOSALS = 8

-- The shape with one more axis.
local function with_axis(shape, size) return table.move(shape, 1, #shape, 1, { [#shape + 1] = size }) end

--- The logarithm of numbers drawn from the gamma distribution with that alpha (a number or a tensor that
-- broadcasts), of a shape (Marsaglia and Tsang 2000, for alpha + 1; then u^(1 / alpha) times that).
function M.log_gamma(shape, alpha, seed)
  local d = alpha + 1 - 1 / 3
  local c = 1 / (9 * d) ^ 0.5
  local proposals = with_axis(shape, PROPOSALS)
  local x = random.of_shape("normal", proposals, { 0, 1, 0 }, seed)
  local root = x * c + 1
  local log_v = ops.log(ops.maximum(root, 1e-30)) * 3
  local log_u = ops.log(random.of_shape("uniform", proposals, { 1e-30, 1 }, seed))
  local bound = x * x * 0.5 + d * (log_v + 1 - ops.exp(log_v))
  local taken = ops.logical_and(ops.gt(root, 0), ops.lt(log_u, bound))
  local first = ops.expand_dims(ops.argmax(ops.astype(taken, "float32"), -1), -1)
  local log_gamma = ops.squeeze(ops.take_along_axis(log_v, first, -1), -1) + ops.log(d)
  return log_gamma + ops.log(random.of_shape("uniform", shape, { 1e-30, 1 }, seed)) / alpha
end

--- Numbers drawn from the beta distribution with both parameters alpha, of a shape.
function M.draw(shape, alpha, seed)
  return ops.sigmoid(M.log_gamma(shape, alpha, seed) - M.log_gamma(shape, alpha, seed))
end

--- n numbers that add up to 1, drawn from the Dirichlet distribution with all parameters alpha.
function M.shares(n, alpha, seed) return ops.softmax(M.log_gamma({ n }, alpha, seed)) end

return M
