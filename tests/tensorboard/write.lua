-- Writes one of everything that TensorBoard shows, for read.py: cdl write.lua FOLDER
local cdl = require "cdl"
local layers = cdl.layers

local folder = arg[1]
cdl.random.seed(7)

-- ---- a fit, with all that the callback writes ----

local function words_model()
  local model = cdl.Sequential {
    layers.Input { 12, dtype = "int32", name = "words" },
    layers.Embedding { 20, 6, name = "embed" },
    layers.Conv1D { 4, 3, activation = "relu", name = "conv" },
    layers.GlobalMaxPooling1D { name = "pool" },
    layers.Dense { 1, name = "score" },
  }
  model:compile { optimizer = "rmsprop", loss = cdl.losses.BinaryCrossentropy { from_logits = true },
    metrics = { "accuracy" } }
  return model
end

local words = {}
for i = 0, 19 do words[i + 1] = "word " .. i end
local x = cdl.random.randint { shape = { 64, 12 }, low = 0, high = 20 }
local y = cdl.random.randint { shape = { 64, 1 }, low = 0, high = 2 }:astype "float32"
local board = cdl.callbacks.TensorBoard { folder .. "/fit", histogram_freq = 1, write_images = true,
  update_freq = "batch", write_steps_per_second = true, embeddings_freq = 1, embeddings_metadata = { embed = words },
  activation_freq = 1, gradient_freq = 1, hparams = { units = 6, optimizer = "rmsprop", shuffled = true } }
local model = words_model()
for _ = 1, 2 do
  model:fit(x, y, { epochs = 3, batch_size = 16, validation_split = 0.25, verbose = 0, callbacks = board })
end

-- ---- a writer, with all its methods ----

local writer = cdl.summary.create_file_writer(folder .. "/writer")
for step = 1, 5 do
  writer:scalar("plain", step / 2, step)
  writer:scalar("größe/mit leerzeichen", step, step)
  writer:scalar("not/finite", step == 2 and 0 / 0 or step == 3 and 1 / 0 or step, step)
  writer:histogram("normal", cdl.random.normal { shape = { 100, 100 } }, step)
  writer:histogram("some nan", cdl.tensor { 1, 2, 0 / 0, 3, -1 / 0 }, step)
  writer:histogram("constant", cdl.ones { 7 }, step)
  writer:histogram("empty", cdl.zeros { 0 }, step)
  writer:pr_curve("curve", { 0, 1, 1, 0, 1 }, { 0.1, 0.9, 0.4, 0.3, 0.8 }, step, { num_thresholds = 11 })
end
writer:histogram("huge", cdl.tensor({ -1e300, 1e300 }, "float64"), 1)
writer:image("one", cdl.linspace(0, 1, 35):reshape { 5, 7 }, 1)
writer:image("samples", cdl.random.uniform { 3, 5, 7, 3 }, 1)
writer:text("note", "# title\n*text*", 1)
writer:text("table", { { "name", "value" }, { "a", "1" } }, 1)
writer:graph(model)
writer:embedding("digits", cdl.random.normal { shape = { 10, 4 } }, {
  metadata = { { "0", "even" }, { "1", "odd" }, { "2", "even" }, { "3", "odd" }, { "4", "even" }, { "5", "odd" },
    { "6", "even" }, { "7", "odd" }, { "8", "even" }, { "9", "odd" } },
  header = { "digit", "kind" }, images = cdl.random.uniform { 10, 8, 8, 1 } })
writer:layout { { title = "Both", { title = "plain and not", "plain", "not/finite" },
  { title = "band", margin = { "plain", "not/finite", "plain" } } } }

-- ---- trials ----

local sweep = cdl.summary.create_file_writer(folder .. "/sweep")
sweep:hparams_config({ lr = { min = 0.001, max = 0.1 }, act = { "relu", "tanh" } }, { "accuracy" })
for trial = 1, 3 do
  local run <close> = cdl.summary.create_file_writer(("%s/sweep/trial%d"):format(folder, trial))
  run:hparams({ lr = 0.1 / trial, act = trial == 2 and "tanh" or "relu" }, { accuracy = trial / 4 })
end

print(("%.9g"):format(board.model.optimizer.learning_rate))
-- The first writer stays open: what it wrote must be there all the same.
