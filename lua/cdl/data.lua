--- Data that come in pieces (`cdl.data`): datasets, and generators that begin anew.
--
--     local ds = cdl.data.Dataset.from_tensors(x, y):shuffle():batch(32)
--     model:fit(ds, { epochs = 5 })
--     for x, y in ds:iterate() do ... end
--
--     local pages = cdl.data.from_generator(function()      -- called once for every pass
--       local i = 0
--       return function()                                   -- called once for every batch
--         i = i + 1
--         if i <= 10 then return read_page(i) end           -- x, y; nil ends the pass
--       end
--     end)
--     local pets = cdl.data.image_folder("pets/train", { image_size = {150, 150} })
local Dataset = require "cdl.data.dataset"
require "cdl.data.transforms"
require "cdl.data.batches"

Dataset.from_image_folder = require "cdl.data.image_folder"

return { Dataset = Dataset, from_generator = Dataset.from_generator, image_folder = Dataset.from_image_folder,
  ImageDataGenerator = require "cdl.data.image_generator" }
