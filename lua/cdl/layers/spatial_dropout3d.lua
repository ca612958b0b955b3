return require "cdl.layers.spatial_dropout"(3)
