--- Data sets (`cdl.datasets`).
--
--     local x_train, y_train, x_test, y_test = cdl.datasets.fashion_mnist.load_data()
--     local x, y = cdl.datasets.synthetic.moons { n_samples = 500, seed = 1 }
--
-- Those that are files are looked for in $CDL_DATA, ~/.cdl/datasets, ~/.keras/datasets (where Keras
-- keeps its downloads) and the system's dataset folders; where they are absent the error says
-- which files belong where and how to get them. Samples come in Keras's order. The synthetic ones
-- are computed and need no file.
local lazy = require "cdl.lazy"

return lazy {
  boston_housing = "cdl.datasets.boston_housing",
  cifar10 = "cdl.datasets.cifar10",
  fashion_mnist = "cdl.datasets.fashion_mnist",
  imdb = "cdl.datasets.imdb",
  mnist = "cdl.datasets.mnist",
  reuters = "cdl.datasets.reuters",
  synthetic = "cdl.datasets.synthetic",
}
