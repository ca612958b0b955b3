--- Data sets (`cdl.datasets`).
--
--     local x_train, y_train, x_test, y_test = cdl.datasets.fashion_mnist.load_data()
--     local x, y = cdl.datasets.synthetic.moons { n_samples = 500, seed = 1 }
--
-- Those that are files are looked for in $CDL_DATA, ~/.cdl/datasets and the system's dataset
-- folders; where they are absent the error says which files belong where and how to get them.
-- The synthetic ones are computed and need no file.
return {
  fashion_mnist = require "cdl.datasets.fashion_mnist",
  mnist = require "cdl.datasets.mnist",
  synthetic = require "cdl.datasets.synthetic",
}
