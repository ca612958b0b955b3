--- The kinds of models (`cdl.models`), with the loops of fit.lua as methods.
local compile = require "cdl.compile"
local fit = require "cdl.fit"
local weights = require "cdl.weights"
local summary = require "cdl.model_summary"

local M = { Model = compile, Sequential = require "cdl.sequential" }

fit.install(M.Model)
weights.install(M.Model)
summary.install(M.Model)

return M
