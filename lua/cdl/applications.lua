--- Networks that are known by name (`cdl.applications`), as Keras builds them: the same layers, names
-- and weights, so that Keras's own files of weights fit.
--
--     local model = cdl.applications.ResNet50 { include_top = false, input_shape = {96, 96, 3}, pooling = "avg" }
--     local x = cdl.applications.resnet50.preprocess_input(images)      -- as this network was trained
--     local best = cdl.applications.resnet50.decode_predictions(model:predict(x), { top = 3 })[1]
--
-- One more network is one file in applications/ and its rows here.
return require "cdl.lazy" {
  EfficientNetB0 = { "cdl.applications.efficientnet", "EfficientNetB0" },
  InceptionV3 = { "cdl.applications.inception_v3", "InceptionV3" },
  MobileNetV2 = { "cdl.applications.mobilenet_v2", "MobileNetV2" },
  ResNet50 = { "cdl.applications.resnet50", "ResNet50" },
  VGG16 = { "cdl.applications.vgg16", "VGG16" },
  VGG19 = { "cdl.applications.vgg19", "VGG19" },
  Xception = { "cdl.applications.xception", "Xception" },
  efficientnet = "cdl.applications.efficientnet",
  imagenet_utils = "cdl.applications.imagenet_utils",
  inception_v3 = "cdl.applications.inception_v3",
  mobilenet_v2 = "cdl.applications.mobilenet_v2",
  resnet50 = "cdl.applications.resnet50",
  vgg16 = "cdl.applications.vgg16",
  vgg19 = "cdl.applications.vgg19",
  xception = "cdl.applications.xception",
}
