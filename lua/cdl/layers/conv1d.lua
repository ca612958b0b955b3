--- Conv1D.
return require "cdl.layers.base_conv" ("Conv1D", 1)
