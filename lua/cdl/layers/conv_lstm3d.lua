--- ConvLSTM3D.
return require "cdl.layers.base_conv_lstm" ("ConvLSTM3D", 3)
