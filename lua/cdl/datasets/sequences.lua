--- Texts as lists of the ranks of their words: what the IMDB and the Reuters data have in common.
--
-- The texts come as lists of ranks from 1 (the most frequent word). They are shuffled, begun with
-- a mark, shifted so that the first numbers stay free for marks, and cut to the frequent words.
local core = require "cdl.core"
local order = require "cdl.datasets.order"

local M = {}

--- The rows of arguments of load_data, behind the first one, which names the file.
M.rows = {
  { "num_words", "integer", min = 1, doc = "words numbered so or above become oov_char; left out: only the largest" },
  { "skip_top", "integer", 0, min = 0, doc = "words numbered below become oov_char" },
  { "maxlen", "integer", min = 1, doc = "only texts that are shorter, the mark counted" },
}

M.mark_rows = {
  { "seed", "integer", 113, min = 0, max = 0xffffffff, doc = "decides the order, which is that of Keras" },
  { "start_char", "integer", 1, null = true, doc = "begins every text; cdl.null: nothing does" },
  { "oov_char", "integer", 2, null = true, doc = "stands for words left out; cdl.null: they are dropped" },
  { "index_from", "integer", 3, doc = "what is added to the ranks" },
}

--- The texts in flat arrays: `tokens` holds all of them, the i-th begins after offsets[i] entries.
-- Their marks are those of Keras's defaults, and are taken away.
function M.unflatten(tokens, offsets)
  local all, ends, rows = tokens:totable(), offsets:totable(), {}
  for i = 1, #ends - 1 do
    local row = {}
    for k = ends[i] + 2, ends[i + 1] do row[#row + 1] = all[k] - 3 end
    rows[i] = row
  end
  return rows
end

--- rows[places[1] + 1], rows[places[2] + 1] ...
function M.permute(rows, places)
  local result = {}
  for i, place in ipairs(places) do result[i] = rows[place + 1] end
  return result
end

-- The mark in front, the ranks shifted.
local function mark(rows, start_char, index_from)
  for i, row in ipairs(rows) do
    local marked = { start_char }
    local before = #marked
    for k = 1, #row do marked[k + before] = row[k] + index_from end
    rows[i] = marked
  end
end

local function keep_short(rows, labels, maxlen)
  local kept, kept_labels = {}, {}
  for i, row in ipairs(rows) do
    if #row < maxlen then
      kept[#kept + 1] = row
      kept_labels[#kept] = labels[i]
    end
  end
  return kept, kept_labels
end

local function largest(rows, most)
  for _, row in ipairs(rows) do
    for k = 1, #row do
      if row[k] > most then most = row[k] end
    end
  end
  return most
end

-- Words outside low .. below - 1 are replaced, or dropped.
local function cut(rows, low, below, oov_char)
  for _, row in ipairs(rows) do
    local to = 0
    for k = 1, #row do
      local word = row[k]
      if word < low or word >= below then word = oov_char end
      if word then
        to = to + 1
        row[to] = word
      end
    end
    for k = to + 1, #row do row[k] = nil end
  end
end

--- Prepares parts, a list of { rows =, labels = } in their final order, as the arguments say; the
-- rows are changed in place. name begins the messages.
function M.prepare(name, parts, args)
  local most = 0
  for _, part in ipairs(parts) do
    mark(part.rows, args.start_char, args.index_from)
    if args.maxlen then
      part.rows, part.labels = keep_short(part.rows, part.labels, args.maxlen)
      if #part.rows == 0 then
        core.raise(("%s: no text is shorter than maxlen = %d"):format(name, args.maxlen))
      end
    end
    if not args.num_words then most = largest(part.rows, most) end
  end
  for _, part in ipairs(parts) do
    cut(part.rows, args.skip_top, args.num_words or most, args.oov_char)
    part.labels = core.tensor(part.labels, "int64")
  end
end

-- The lists in a pickled array, checked to be lists of numbers.
local function read_objects(name, path, entry)
  local array, message = core.pickle_load(path, entry)
  if array == nil then core.raise(("%s: %s"):format(name, message)) end
  local rows = type(array) == "table" and array.data
  local fits = type(rows) == "table"
  for i = 1, fits and #rows or 0 do
    local row = rows[i]
    fits = fits and type(row) == "table"
    for k = 1, fits and #row or 0 do fits = fits and math.type(row[k]) == "integer" end
  end
  if not fits then core.raise(("%s: %s: %s is not an array of lists of integers"):format(name, path, entry)) end
  return rows
end

local function read_labels(name, path, entry)
  local labels, message = core.npz_entry(path, entry)
  if labels == nil then core.raise(("%s: %s"):format(name, message)) end
  return labels:totable()
end

--- Texts and labels from two entries of Keras's own .npz file.
function M.read_keras(name, path, x, y)
  local part = { rows = read_objects(name, path, x .. ".npy"), labels = read_labels(name, path, y .. ".npy") }
  if #part.rows ~= #part.labels then
    core.raise(("%s: %s holds %d texts, but %d labels"):format(name, path, #part.rows, #part.labels))
  end
  return part
end

--- Texts and labels of one half ("train", "test") of a file of flat arrays.
function M.read_flat(name, path, half)
  local arrays, message = core.npz_load(path)
  if arrays == nil then core.raise(("%s: %s"):format(name, message)) end
  local tokens, offsets = arrays[half .. "_tokens"], arrays[half .. "_offsets"]
  local labels = arrays[half .. "_labels"]
  if not (tokens and offsets and labels) or offsets[-1] ~= #tokens or #offsets ~= #labels + 1 then
    core.raise(("%s: %s: %s_tokens, %s_offsets and %s_labels do not fit together"):format(name, path, half, half,
      half))
  end
  return { rows = M.unflatten(tokens, offsets), labels = labels:totable() }
end

--- Brings rows and labels into the order that draw, a generator, gives; with undo out of it.
function M.shuffle(part, draw, undo)
  local places = order.shuffled(draw, #part.rows)
  if undo then places = order.inverse(places) end
  part.rows, part.labels = M.permute(part.rows, places), M.permute(part.labels, places)
end

return M
