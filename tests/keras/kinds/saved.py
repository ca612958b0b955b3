"""Whole models in files, both ways: cdl opens what Keras saved, Keras opens what cdl saved, and each
predicts and goes on training as the other would have. The files travel as arrays of bytes.

The family of models is generated: one around every layer that cases.py compares, compiled with the
optimizers in turn; and some of several layers, made by hand."""

import collections
import itertools
import pathlib
import re
import tempfile

import keras
import numpy

from kinds.case import Case, give_random_weights, normal, numbered, single
from kinds.layer import AssigningLayer, AttentionLayer, Layer, RandomLayer

OPTIMIZERS = ["Adam", "SGD", "RMSprop", "AdamW", "Adamax", "Nadam", "Adagrad", "Adadelta", "Ftrl", "Lion", "Lamb",
              "Adafactor"]
STEPS = 2


def written(save, name):
    """The bytes of the file that save(path) writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / name
        save(path)
        return numpy.frombuffer(path.read_bytes(), "uint8")


def read(load, data, name):
    """What load(path) makes of a file of these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / name
        path.write_bytes(data.tobytes())
        return load(path)


def leaves(outputs):
    """The outputs of a model as a list; of a dict in the order of the names."""
    if isinstance(outputs, dict):
        return [outputs[key] for key in sorted(outputs)]
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


class Saved(Case):
    kind = "saved"
    relative, absolute = 1e-4, 1e-5

    def __init__(self, name, trains=True, **more):
        """trains: whether two runs from the same point have the same losses."""
        super().__init__(name, **more)
        self.trains = trains

    def allowed(self, expected):
        return self.absolute * abs(expected).max(initial=1) + self.relative * abs(expected)

    def make_model(self):
        """A compiled model of Keras."""
        raise NotImplementedError

    def make_data(self, random):
        """Lists of inputs and of labels."""
        raise NotImplementedError

    names = label_names = None

    def pack(self, arrays, names):
        """Inputs or labels as the model takes them."""
        return single(arrays)

    def description(self):
        return {"kind": self.kind, "make": "nil", "trains": self.trains, "steps": STEPS}

    def write(self, model):
        """Files of a model, by name."""
        return {"file": written(model.save, "m.keras")}

    def outcomes(self, model, x, y):
        """What a model predicts and, after that, its losses in training."""
        x, y = self.pack(x, self.names), self.pack(y, self.label_names)
        result = numbered("prediction ", map(numpy.asarray, leaves(model(x, training=False))))
        if self.trains:
            losses = [model.train_on_batch(x, y) for _ in range(STEPS)]
            result["losses"] = numpy.array([numpy.atleast_1d(loss)[0] for loss in losses])
            result["iterations"] = numpy.array(model.optimizer.iterations)
        return result

    def prepare(self, random):
        x, y = self.make_data(random)
        model = self.make_model()
        give_random_weights(model, random)
        model.run_eagerly = True
        if self.trains:
            model.train_on_batch(self.pack(x, self.names), self.pack(y, self.label_names))
        given = numbered("x", x) | numbered("y", y) | self.write(model)
        outcomes = self.outcomes(model, x, y)
        return given, outcomes | {f"{name}, back": value for name, value in outcomes.items()}

    def read(self, results):
        results = dict(results)
        x, y = self.make_data(self.random())
        model = read(keras.saving.load_model, results.pop("file"), "m.keras")
        model.run_eagerly = True
        back = self.outcomes(model, x, y)
        return results | {f"{name}, back": numpy.asarray(value) for name, value in back.items()}


class SavedLayer(Saved):
    """A functional model around one layer."""

    def __init__(self, layer, optimizer, **more):
        trains = not isinstance(layer, (RandomLayer, AssigningLayer))
        super().__init__(f"{layer.name}, {optimizer}", trains=trains, **more)
        self.layer, self.optimizer = layer, optimizer

    def make_data(self, random):
        if self.layer.kind == "random_layer":
            x = [normal(random, (3, *self.layer.shapes[0][1:]))]
        else:
            x = self.layer.make_inputs(random)
        return x, [normal(random, (len(x[0]), 2))]

    def call(self, layer, inputs):
        """The layer's results; of attention's options those that a config can keep."""
        if isinstance(self.layer, AttentionLayer):
            y = layer(*(inputs if self.layer.apart else [inputs]), **self.layer.flags)
        else:
            y = layer(single(inputs))
        # Keras gets the shape of attention's scores wrong where there are more than three axes.
        return keras.tree.flatten(y)[:1 if isinstance(self.layer, AttentionLayer) else None]

    def make_model(self):
        shapes = self.layer.shapes
        dtype = "int32" if self.layer.low else "float32"
        inputs = [keras.Input(shape[1:], dtype=dtype) for shape in shapes]
        outputs = self.call(self.layer.made.keras(), inputs)
        parts = [keras.layers.Flatten()(y) if len(y.shape) > 1 else y for y in outputs]
        joined = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
        model = keras.Model(single(inputs), keras.layers.Dense(2)(joined))
        model.compile(getattr(keras.optimizers, self.optimizer)(), "mse")
        return model


class SavedModel(Saved):
    """A model that a function makes and compiles; data(random) gives lists of inputs and labels, which
    go by name where names and label_names are given."""

    def __init__(self, name, make, data, names=None, label_names=None, **more):
        super().__init__(f"model: {name}", relative=1e-3, **more)
        self.make_model, self.make_data, self.names, self.label_names = make, data, names, label_names

    def pack(self, arrays, names):
        return dict(zip(names, arrays)) if names else single(arrays)

    def write(self, model):
        """Besides, the older format of whole models and the file of weights alone."""
        return super().write(model) | {"weights": written(model.save_weights, "m.weights.h5"),
                                       "h5": written(model.save, "m.h5")}

    def prepare(self, random):
        given, expected = super().prepare(random)
        more = {}
        for name, value in expected.items():
            if "back" not in name:
                more[f"{name}, h5"] = value
            if name.startswith("prediction") and "back" not in name:
                more |= {f"{name}, weights": value, f"{name}, weights back": value}
        return given, expected | more

    def read(self, results):
        results = dict(results)
        weights = results.pop("weights")
        results = super().read(results)
        model = self.make_model()
        read(model.load_weights, weights, "m.weights.h5")
        outputs = model(self.pack(self.make_data(self.random())[0], self.names), training=False)
        back = numbered("prediction ", map(numpy.asarray, leaves(outputs)))
        return results | {f"{name}, weights back": value for name, value in back.items()}

    def description(self):
        return super().description() | {"names": self.names or False, "label_names": self.label_names or False}


def around(layers):
    """A model for each of the layers' cases, but no more than two around the same classes."""
    optimizers, count = itertools.cycle(OPTIMIZERS), collections.Counter()
    for layer in layers:
        classes = " ".join(re.findall(r"layers\.(\w+)", layer.made.lua()))
        count[classes] += len(layer.shapes[0]) > 1
        if len(layer.shapes[0]) > 1 and count[classes] <= 2:
            yield SavedLayer(layer, next(optimizers), relative=1e-3)
