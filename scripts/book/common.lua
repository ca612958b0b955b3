--- What the book's experiments share: the quick mode, and a line for the result.
--
--     cdl scripts/book/NAME.lua [--quick] [FOLDER]
--
-- trains on the data that the script names (cdl.datasets says where they belong); with --quick for a step
-- or two on a small stand-in, to see that it works. Pictures go into FOLDER, or into the current one.
local cdl = require "cdl"

local M = { quick = arg[1] == "--quick" }
local folder = arg[M.quick and 2 or 1] or "."

--- The path of a file that a script makes.
function M.file(name) return folder .. "/" .. name end

--- The full number, or the small one in quick mode.
function M.size(full, quick)
  if M.quick then return quick end
  return full
end

--- Data as load() gives them, or stand_in() in quick mode.
function M.data(load, stand_in)
  if M.quick then return stand_in() end
  return load()
end

--- A text data set in quick mode: lists of word numbers whose first tells the class.
function M.texts(samples, words, classes)
  local rows, labels = {}, {}
  for i = 1, samples do
    local row = { 1, 4 + i % classes }
    for k = 3, 10 + i % 7 do row[k] = 4 + (i * 31 + k * 17) % (words - 4) end
    rows[i], labels[i] = row, i % classes
  end
  local y = cdl.tensor(labels, "int64")
  return rows, y, rows, y
end

--- Pictures of handwritten digits, float32 {n, 28, 28, 1} from 0 to 1, and their labels.
function M.digits()
  local x, y, x_test, y_test = M.data(cdl.datasets.mnist.load_data, function()
    local x, y = cdl.datasets.synthetic.digits { n_samples = 128, size = 28 }
    return x, y, x, y
  end)
  local function scale(pictures) return pictures:reshape { #pictures, 28, 28, 1 }:astype "float32" / 255 end
  return scale(x), y, scale(x_test), y_test
end

--- Rows that are 1 in the columns of the words in a text, uint8 {texts, words}.
function M.multi_hot(rows, words)
  local tokenizer, slice = cdl.utils.Tokenizer { num_words = words }, 1000
  local x = cdl.zeros({ #rows, words }, "uint8")
  for first = 1, #rows, slice do
    local last = math.min(first + slice - 1, #rows)
    x[{ { first, last } }] = tokenizer:sequences_to_matrix(table.move(rows, first, last, 1, {}))
  end
  return x
end

--- Prints a result beside another one: the book's, or that of guessing.
function M.report(what, value, other)
  print(("%s: %.4f (%s)%s"):format(what, value, other, M.quick and ", in quick mode" or ""))
end

return M
