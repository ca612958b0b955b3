--- MNIST: 70,000 handwritten digits, 28 x 28 grey levels (LeCun, Cortes, Burges).
local images = require "cdl.datasets.images"

local set = {
  name = "mnist",
  forms = { { files = images.files }, { npz = true, files = { "mnist.npz" } } },
  folders = { "mnist", "MNIST/raw" },
  -- Other sets of the family use the same names of files.
  flat = function(folder) return not folder:find "fashion" and not folder:find "[a-z]mnist" end,
  get = "https://ossci-datasets.s3.amazonaws.com/mnist/ has the four files",
}

return { load_data = images.loader(set, "60,000 + 10,000 handwritten digits.") }
