--- Cropping1D.
return require "cdl.layers.base_cropping" ("Cropping1D", 1, 1)
