--- Fashion-MNIST: 70,000 pictures of clothes in ten classes, 28 x 28 grey levels (Xiao, Rasul,
-- Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017).
local images = require "cdl.datasets.images"

local set = {
  name = "fashion_mnist",
  forms = { { files = images.files } },
  folders = { "fashion-mnist", "fashion_mnist", "FashionMNIST/raw" },
  -- The digits have the same names of files: a folder must say that it is this set.
  flat = function(folder) return folder:find "fashion" ~= nil end,
  get = "on Debian and Ubuntu `apt install dataset-fashion-mnist`; elsewhere "
    .. "https://github.com/zalandoresearch/fashion-mnist has them in data/fashion",
}

return {
  load_data = images.loader(set, "60,000 + 10,000 pictures of clothes."),
  --- What the labels 0 to 9 stand for: label y is class_names[y + 1].
  class_names = { "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot" },
}
