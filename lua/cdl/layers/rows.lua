--- Rows of arguments that several layers take in the same order.
local M = {}

--- What layers with a kernel and a bias take behind their own arguments.
M.kernel_and_bias = {
  { "activation", "any", doc = "name or function; none if left out" },
  { "use_bias", "boolean", true, doc = "whether a bias is added" },
  { "kernel_initializer", "any", "glorot_uniform", doc = "first values of the kernel" },
  { "bias_initializer", "any", "zeros", doc = "first values of the bias" },
  { "kernel_regularizer", "any", doc = "penalty on the kernel" },
  { "bias_regularizer", "any", doc = "penalty on the bias" },
  { "activity_regularizer", "any", doc = "penalty on the output" },
  { "kernel_constraint", "any", doc = "applied to the kernel after each update" },
  { "bias_constraint", "any", doc = "applied to the bias after each update" },
}

--- What layers take that normalise each sample and then scale and shift it.
M.gamma_and_beta = {
  { "epsilon", "number", 1e-3, min = 0, doc = "added to the variance" },
  { "center", "boolean", true, doc = "whether beta is added" },
  { "scale", "boolean", true, doc = "whether gamma multiplies" },
  { "beta_initializer", "any", "zeros", doc = "first values of beta" },
  { "gamma_initializer", "any", "ones", doc = "first values of gamma" },
  { "beta_regularizer", "any", doc = "penalty on beta" },
  { "gamma_regularizer", "any", doc = "penalty on gamma" },
  { "beta_constraint", "any", doc = "applied to beta after each update" },
  { "gamma_constraint", "any", doc = "applied to gamma after each update" },
}

--- A layer's rows about its kernels and biases, behind activation and use_bias.
M.weights = table.move(M.kernel_and_bias, 3, #M.kernel_and_bias, 1, {})

--- The last rows of attention with several heads.
M.heads = table.move(M.weights, 1, #M.weights, 2, {
  { "flash_attention", "boolean", doc = "a hint, which changes nothing here" },
})
table.move({
  { "use_gate", "boolean", false, doc = "whether a sigmoid of the query scales what is read" },
  { "seed", "integer", doc = "for dropout with numbers of its own" },
}, 1, 2, #M.heads + 1, M.heads)

--- One list: the layer's own rows, then shared ones.
function M.join(own, shared)
  return table.move(shared, 1, #shared, #own + 1, table.move(own, 1, #own, 1, {}))
end

return M
