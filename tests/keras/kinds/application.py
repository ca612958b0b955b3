"""Networks of keras.applications: with the same weights the same outputs, layers of the same names;
and what makes their images."""

import keras
import numpy

from kinds.case import Case, normal
from lua_text import lua_arguments

BASE = 1 << 16


def value_of(base, layer, weight):
    """The value of a weight, made from normal numbers; compare.lua makes the same."""
    name, shape = weight.path.split("/")[-1], weight.shape
    if weight.dtype != "float32":
        return numpy.zeros(shape, weight.dtype)
    size = int(numpy.prod(shape, initial=1))
    number = int.from_bytes(f"{layer}/{name}".encode(), "big") % 601
    values = numpy.resize(numpy.roll(base, -97 * number), size).reshape(shape)
    if "variance" in name:
        return abs(values) * 0.25 + 0.75
    if name == "gamma":
        return values * 0.1 + 1
    if len(shape) > 1:
        return values * float(numpy.float32(1.4 / max(1, size // shape[-1]) ** 0.5))
    return values * 0.05


class Application(Case):
    kind = "application"
    relative, absolute = 1e-4, 1e-5

    def __init__(self, name, size, arguments, batch=2):
        self.model, self.size, self.arguments, self.batch = name, size, arguments, batch
        super().__init__(f"{name} {arguments}")

    def description(self):
        return {"kind": self.kind, "make": f"applications.{self.model}{lua_arguments(self.arguments)}"}

    def allowed(self, expected):
        return self.absolute * abs(expected).max(initial=1e-3) + self.relative * abs(expected)

    def prepare(self, random):
        keras.utils.clear_session()
        model = getattr(keras.applications, self.model)(weights=None, **self.arguments)
        base = normal(random, BASE)
        images = normal(random, (self.batch, self.size, self.size, 3)) * 50 + 120
        if "Efficient" not in self.model:
            images = images / 128 - 1
        for layer in model.layers:
            layer.set_weights([value_of(base, layer.name, weight) for weight in layer.weights])
        names = "\n".join(sorted(layer.name for layer in model.layers if layer.__class__.__name__ != "InputLayer"))
        return ({"base": base, "images": images},
                {"output": model(images, training=False), "parameters": model.count_params(),
                 "names": numpy.frombuffer(f"{model.name}\n{names}".encode(), "uint8")})


class Preprocess(Case):
    """preprocess_input of images."""

    kind = "preprocess_input"

    def __init__(self, module, arguments=None, dtype="float32"):
        self.module, self.arguments, self.dtype = module, arguments or {}, dtype
        super().__init__(f"{module} {self.arguments} {dtype}")

    def description(self):
        return {"kind": self.kind, "make": f"applications.{self.module}.preprocess_input",
                "arguments": self.arguments}

    def prepare(self, random):
        images = random.integers(0, 256, (2, 3, 4, 3)).astype(self.dtype)
        function = getattr(keras.applications, self.module).preprocess_input
        return {"images": images}, {"output": function(images.copy(), **self.arguments)}


def _applications():
    small = {"VGG16": 32, "VGG19": 32, "ResNet50": 32, "MobileNetV2": 32, "InceptionV3": 75, "Xception": 71,
             "EfficientNetB0": 32}
    for name, size in small.items():
        shape = (size, size, 3)
        if name == "VGG19":
            yield Application(name, size, dict(input_shape=shape, include_top=False))
        else:
            yield Application(name, size, dict(input_shape=shape, classes=7, classifier_activation=None))
    yield Application("MobileNetV2", 37, dict(alpha=0.35, include_top=False, pooling="avg"))
    for module in ["vgg16", "vgg19", "resnet50", "mobilenet_v2", "inception_v3", "xception", "efficientnet"]:
        yield Preprocess(module)
    for mode in ["caffe", "tf", "torch"]:
        yield Preprocess("imagenet_utils", dict(mode=mode), "uint8")


APPLICATIONS = list(_applications())
