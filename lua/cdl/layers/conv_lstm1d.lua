--- ConvLSTM1D.
return require "cdl.layers.base_conv_lstm" ("ConvLSTM1D", 1)
