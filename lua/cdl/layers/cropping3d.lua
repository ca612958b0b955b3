--- Cropping3D.
return require "cdl.layers.base_cropping" ("Cropping3D", 3, 1)
