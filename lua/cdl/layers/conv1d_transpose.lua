--- Conv1DTranspose.
return require "cdl.layers.base_conv_transpose" ("Conv1DTranspose", 1)
