--- Puts the optimizer's averaged weights into the model while it is evaluated or predicts, and
-- between two epochs if asked to. The weights that are trained are kept meanwhile.
--
-- The averages stay in the optimizer, so that fit ends with them whoever stops it.
local BuiltIn = require "cdl.callbacks.built_in"
local core = require "cdl.core"
local signature = require "cdl.signature"

local SwapEMAWeights = BuiltIn:extend "SwapEMAWeights"

SwapEMAWeights.signature = signature.new("SwapEMAWeights", {
  { "swap_on_epoch", "boolean", false,
    doc = "also from an epoch's end to the next one's begin: a ModelCheckpoint after this saves the averages" },
}, { doc = "evaluates with the averaged weights (keras.callbacks.SwapEMAWeights)" })

function SwapEMAWeights:init(...)
  self.swap_on_epoch = SwapEMAWeights.signature:read(...).swap_on_epoch
end

local function need_averages(self)
  local optimizer = self:need_model().optimizer
  if not (optimizer and optimizer.use_ema) then
    core.raise "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer (use_ema = true)"
  end
  return optimizer
end

--- Puts the averages into the model, if there are any yet and they are not there already.
function SwapEMAWeights:swap_in()
  local optimizer = need_averages(self)
  if self.kept or not optimizer.is_built or optimizer.iterations == 0 then return end
  self.kept = {}
  for i, variable in ipairs(optimizer.trained) do self.kept[i] = core.value(variable) end
  optimizer:finalize()
end

--- Puts the trained weights back, if the averages are in their place.
function SwapEMAWeights:swap_out()
  local kept = self.kept
  self.kept = nil
  if not kept then return end
  for i, variable in ipairs(self.model.optimizer.trained) do core.assign(variable, kept[i]) end
end

function SwapEMAWeights:on_train_begin()
  need_averages(self)
  self.kept = nil
end

function SwapEMAWeights:on_epoch_begin() self:swap_out() end

function SwapEMAWeights:on_epoch_end()
  if self.swap_on_epoch then self:swap_in() end
end

-- fit has put the averages in their place for good.
function SwapEMAWeights:on_train_end() self.kept = nil end

-- An evaluation between an epoch's end and the next begin finds the averages in place, and they stay.
local function enter(self)
  self.stays = self.kept ~= nil
  self:swap_in()
end

local function leave(self)
  if not self.stays then self:swap_out() end
end

function SwapEMAWeights:on_test_begin() enter(self) end

function SwapEMAWeights:on_test_end() leave(self) end

function SwapEMAWeights:on_predict_begin() enter(self) end

function SwapEMAWeights:on_predict_end() leave(self) end

function SwapEMAWeights:on_exception() self:swap_out() end

function SwapEMAWeights:state() return { kept = self.kept } end

function SwapEMAWeights:load_state(state) self.kept = state.kept end

return SwapEMAWeights
