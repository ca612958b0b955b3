--- Cropping2D.
return require "cdl.layers.base_cropping" ("Cropping2D", 2, 0)
