--- Callbacks: what a run of fit, evaluate or predict tells about its course (`cdl.callbacks`).
--
-- One more callback is one file in callbacks/ and one row here.
return require "cdl.lazy" {
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
  TensorBoard = "cdl.callbacks.tensorboard",
  TerminateOnNaN = "cdl.callbacks.terminate_on_nan",
  TimeLimit = "cdl.callbacks.time_limit",
}
