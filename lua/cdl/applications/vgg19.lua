--- VGG19.
return require "cdl.applications.vgg" ("VGG19", "vgg19", { 2, 2, 4, 4, 4 })
