--- Data that come batch by batch, for fit, evaluate and predict: generators (functions, callable
-- objects) and datasets.
--
--     local data = fit_stream.read("fit", model, { x = generator }, { first_pass = 1, key = key })
--     if data.stream then data:peek() end     -- draws the first batch, which stays the first
--
-- A stream has the fields of what fit_data.read gives, those of its first batch: n_x, n_y, n_w, x,
-- y, rows. Later batches must have the same structure, dtypes and numbers of axes; sizes may
-- change. Streams that restart begin each pass anew; others go on where they are.
local core = require "cdl.core"
local fit_data = require "cdl.fit_data"
local class = require "cdl.class"
local element = require "cdl.data.element"
local random = require "cdl.random"
local words = require "cdl.words"
local Dataset = require "cdl.data.dataset"

local M = {}

local Stream = {}
Stream.__index = Stream

local function is_callable_object(x)
  local meta = type(x) == "table" and not words.is_tensor(x) and not class.is_class(x) and getmetatable(x)
  return type(meta) == "table" and meta.__call ~= nil
end

--- True for what is drawn from rather than read: functions, callable objects, datasets.
function M.is_source(x)
  return type(x) == "function" or type(x) == "thread" or class.is(x, Dataset) or is_callable_object(x)
end

-- The coroutine behind a function that coroutine.wrap gave: calling that one after its end raises.
-- cdl's coroutine.wrap is a C function that keeps the coroutine as its second upvalue.
local function thread_of(f)
  if type(f) ~= "function" or debug.getinfo(f, "S").what ~= "C" then return nil end
  local _, thread = debug.getupvalue(f, 2)
  return type(thread) == "thread" and thread or nil
end

local function set_draw(self, f)
  self.next, self.thread = f, thread_of(f)
end

-- What a fit's data draw at random is a function of the pass, so that it can be drawn again. Data of
-- evaluate and predict draw as any other code does.
local function ask(self, f, ...)
  if self.random then return random.within(self.random, f, ...) end
  return f(...)
end

local function start_random(self, name) self.random = self.in_fit and random.new_stream("data/" .. name) or nil end

local function open_pass(self, pass)
  self.pass_name, self.drawn, self.pending = self.key(pass), 0, nil
  start_random(self, self.pass_name)
  set_draw(self, ask(self, self.open_source, self.pass_name))
end

-- ---- batches ----

local structures = { { "x", "n_x" }, { "y", "n_y" }, { "w", "n_w" } }

local shape_text = words.braces

-- Raises unless a batch is like the first one.
local function check_like_first(self, batch, where)
  for i, names in ipairs(structures) do
    local now, first = batch[names[1]], self[names[1]]
    local is, was = element.difference(now and now.spec, first and first.spec)
    if is then
      core.raise(("%s: %s is %s; in the first batch it was %s"):format(where,
        i == 3 and "sample_weight" or names[1], is, was))
    end
  end
  for i, leaf in ipairs(batch.leaves) do
    local first = self.types[i]
    if leaf.dtype ~= first.dtype then
      core.raise(("%s is %s; in the first batch it was %s"):format(batch.labels[i], leaf.dtype, first.dtype))
    elseif leaf.ndim ~= #first.shape then
      core.raise(("%s has shape %s; in the first batch it had %d axes: %s"):format(batch.labels[i],
        shape_text(leaf.shape), #first.shape, shape_text(first.shape)))
    end
  end
end

local function keep_first(self, batch)
  for _, name in ipairs { "n_x", "n_y", "n_w", "x", "y", "w", "rows", "labels" } do self[name] = batch[name] end
  self.types = {}
  for i, leaf in ipairs(batch.leaves) do self.types[i] = { dtype = leaf.dtype, shape = leaf.shape } end
end

-- Python's habit, and what it means here.
local function check_not_packed(self, where, x, y)
  local names = self.model.input_names
  if y == nil and not self.only_x and names and words.is_plain(x) and #x > #names and #x <= 3
    and words.is_tensor(x[1]) then
    core.raise(("%s: x is a list of %d, the model has %d input%s; return x, y as two values, not in a table"):format(
      where, #x, #names, #names == 1 and "" or "s"))
  end
end

-- A scalar is a sample's label: the dataset has not been made into batches.
local function check_batched(where, ...)
  for _, value in ipairs { ... } do
    if words.is_tensor(value) and value.ndim == 0 then
      core.raise(where .. ": a scalar has no samples; the elements must be batches, which :batch(n) makes")
    end
  end
end

local function read_batch(self, where, x, y, w)
  check_not_packed(self, where, x, y)
  if self.noun == "dataset" then check_batched(where, x, y, w) end
  if self.only_x then y, w = nil, nil end
  local batch = fit_data.read(where, self.model, x, y, w)
  if self.class_weight then batch = fit_data.weigh_classes(where, batch, self.class_weight) end
  return batch
end

-- A whole pass has been seen: its length is known from here on.
local function end_pass(self)
  if self.params and self.params.steps == nil and self.drawn > 0 then self.params.steps = self.drawn end
  self.drawn = 0
end

local function check_end(where, y, w)
  if y ~= nil or w ~= nil then core.raise(where .. ": x is nil, but there is a y; nil alone ends the pass") end
end

-- Draws a batch; nil at the end of the pass.
local function draw(self)
  if self.thread and coroutine.status(self.thread) == "dead" then return end_pass(self) end
  local x, y, w, more = ask(self, self.next)
  if x == nil and self.loaded then x, y, w, more = ask(self, self.next) end
  self.loaded = nil
  local where = ("%s: batch %d of the %s"):format(self.where, self.drawn + 1, self.noun)
  if x == nil then
    check_end(where, y, w)
    return end_pass(self)
  elseif more ~= nil then
    core.raise(where .. ": wanted x, y and sample_weight at most, got four values or more")
  end
  local batch = read_batch(self, where, x, y, w)
  if self.types then check_like_first(self, batch, where) else keep_first(self, batch) end
  self.drawn = self.drawn + 1
  return batch
end

-- ---- for fit ----

-- An object that generates may tell where it is, for runs that are continued: by state(), and
-- load_state(state), after which the next batch is the one that came after that state.
local function has_state(self)
  return self.object ~= nil and self.object.state ~= nil and self.object.load_state ~= nil
end

local function copy_state(state)
  if not words.is_plain(state) then return state end
  local copy = {}
  for key, value in next, state do copy[key] = copy_state(value) end
  return copy
end

-- Where the run is: the batch that peek has drawn is still to come.
local function state_of(self)
  if self.pending then return self.state_before end
  return { object = copy_state(self.object:state()), draws = self.random and self.random.draws or 0 }
end

-- The state may be that of the end of a pass whose nil the run had not met yet.
local function load_state(self, state)
  self.pending, self.drawn, self.loaded = nil, 0, true
  if self.random then self.random.draws = state.draws end
  self.object:load_state(state.object)
end

--- Draws the first batch, which the run will get as its first. Its tensors are copied where the
-- generator may refill them.
function Stream:peek()
  if has_state(self) then self.state_before = state_of(self) end
  local batch = draw(self)
  if not batch then
    core.raise(("%s: the %s has no batch: its first call gave nil"):format(self.where, self.noun))
  end
  for i, leaf in ipairs(self.copy and batch.leaves or {}) do batch.leaves[i] = core.tensor(leaf) end
  self.pending, self.leaves = batch, batch.leaves
  return self
end

-- The loop begins a pass, unless it is the one that peek has begun. Generators go on.
local function start(self, pass)
  if not self.open_source or (self.pending and self.pass_name == self.key(pass)) then return end
  open_pass(self, pass)
end

--- The loop's part: see script/fit.c. Where the generator has a state there are functions state()
-- and load_state(state) for it.
function Stream:part(steps)
  return {
    state = has_state(self) and function() return state_of(self) end or nil,
    load_state = has_state(self) and function(state) load_state(self, state) end or nil,
    steps = steps, copy = self.copy, batches = self.count,
    start = function(pass) start(self, pass) end,
    draw = function()
      local batch = self.pending or draw(self)
      self.pending, self.leaves = nil, nil
      return batch and batch.leaves
    end,
  }
end

local function open_generator(self, given)
  self.noun, self.copy = "generator", true
  self.object = type(given) == "table" and given or nil
  start_random(self, self.key(0))
  set_draw(self, self.object and function() return given() end or given)
end

local function open_dataset(self, given)
  self.noun = "dataset"
  local count, make = given:cardinality(), given.parts.make
  self.count = count ~= math.huge and count or nil
  self.copy = make ~= nil
  -- What a generator gives the loop copies better than the dataset does.
  self.open_source = make or function(name) return given:open(name) end
end

local function new_stream(where, model, given, options)
  local self = setmetatable({ stream = true, where = where, model = model, only_x = options.only_x,
    key = options.key, in_fit = options.in_fit, class_weight = options.class_weight, drawn = 0 }, Stream)
  if class.is(given, Dataset) then open_dataset(self, given) else open_generator(self, given) end
  if self.open_source and options.first_pass then open_pass(self, options.first_pass) end
  return self
end

-- Batches of rows of tensors: the loop reads them in place, as it reads tensors, in the dataset's
-- order.
local function place(where, model, given, options)
  local batched = given.parts.batched
  local rows = batched.rows
  local x, y, w = element.pack(rows.specs, rows.leaves)
  if options.only_x then y, w = nil, nil end
  local data = fit_data.read(where, model, x, y, w)
  if options.class_weight then data = fit_data.weigh_classes(where, data, options.class_weight) end
  data.placed = { batch = batched.size, drop_remainder = batched.drop_remainder, rows = rows.count,
    count = given:cardinality(),
    order = rows.order and function(pass) return rows.order(options.key(pass)) end }
  return data
end

local function check_alone(where, given, args, options)
  local noun = class.is(given, Dataset) and "dataset" or "generator"
  if type(given) == "thread" then
    core.raise(where .. ": a coroutine cannot be called; make the generator with coroutine.wrap")
  end
  for _, name in ipairs { "y", "sample_weight" } do
    if args[name] ~= nil then
      core.raise(("%s: %s is given beside a %s, which gives x, y and sample_weight itself"):format(where, name, noun))
    end
  end
  if args.validation_split and args.validation_split > 0 then
    core.raise(("%s: validation_split takes the last samples of tensors; a %s has none"):format(where, noun))
  elseif options.class_weight ~= nil and noun == "generator" then
    core.raise(where .. ": class_weight is for tensors and datasets; a generator gives sample weights as its third "
      .. "value")
  end
  for _, name in ipairs { "batch_size", "shuffle" } do
    if args[name] then core.warn(("%s: %s is ignored: the %s makes the batches"):format(where, name, noun)) end
  end
  if class.is(given, Dataset) and given:cardinality() == 0 then core.raise(where .. ": the dataset has no elements") end
end

--- The data of a run: args.x, args.y and args.sample_weight as fit_data.read reads them, or a
-- stream where args.x is a source. options: first_pass, its number, opened at once; key(pass), the
-- name of a dataset's pass (0: of all that a generator gives); in_fit; only_x: targets are passed over;
-- class_weight, for a source's samples.
function M.read(where, model, args, options)
  local given = args.x
  if M.is_source(given) then
    check_alone(where, given, args, options)
    return (class.is(given, Dataset) and given.parts.batched and place or new_stream)(where, model, given, options)
  end
  return fit_data.read(where, model, given, args.y, args.sample_weight)
end

return M
