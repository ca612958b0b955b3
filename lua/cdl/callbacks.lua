--- Callbacks: what a run of fit, evaluate or predict tells about its course (`cdl.callbacks`).
--
-- One more callback is one file in callbacks/ and one row here. A file is loaded when its class
-- is first used.
local rows = {
  BackupAndRestore = "cdl.callbacks.backup_and_restore",
  Callback = "cdl.callbacks.callback",
  CSVLogger = "cdl.callbacks.csv_logger",
  EarlyStopping = "cdl.callbacks.early_stopping",
  History = "cdl.callbacks.history",
  LambdaCallback = "cdl.callbacks.lambda_callback",
  LearningRateScheduler = "cdl.callbacks.learning_rate_scheduler",
  ModelCheckpoint = "cdl.callbacks.model_checkpoint",
  ProgbarLogger = "cdl.callbacks.progbar_logger",
  ReduceLROnPlateau = "cdl.callbacks.reduce_lr_on_plateau",
  RemoteMonitor = "cdl.callbacks.remote_monitor",
  SwapEMAWeights = "cdl.callbacks.swap_ema_weights",
  TerminateOnNaN = "cdl.callbacks.terminate_on_nan",
  TimeLimit = "cdl.callbacks.time_limit",
}

return setmetatable({}, {
  __index = function(M, name)
    local module = rows[name]
    if not module then return nil end
    local callback = require(module)
    rawset(M, name, callback)
    return callback
  end,
  -- pairs loads all of them, in alphabetical order.
  __pairs = function(M)
    local names = {}
    for name in pairs(rows) do names[#names + 1] = name end
    table.sort(names)
    local i = 0
    return function()
      i = i + 1
      return names[i], M[names[i]]
    end
  end,
})
