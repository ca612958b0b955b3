--- ConvLSTM2D.
return require "cdl.layers.base_conv_lstm" ("ConvLSTM2D", 2)
