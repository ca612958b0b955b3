--- VGG16.
return require "cdl.applications.vgg" ("VGG16", "vgg16", { 2, 2, 3, 3, 3 })
