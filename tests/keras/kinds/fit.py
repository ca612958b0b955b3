"""Whole runs: a model is compiled, trained, evaluated and asked for predictions in both programs,
from the same weights and in the same order of samples."""

import keras
import numpy

from kinds.case import Case, normal, numbered
from lua_text import Made, in_keras, lua


class Fit(Case):
    kind = "fit"
    relative, absolute = 1e-4, 1e-5

    def __init__(self, name, data, layers=None, model=None, compile=None, fit=None, weights=False,
                 validation=False, **more):
        """layers: of a Sequential, as (name, arguments); or model, a pair: Lua text that gives a
        model and a Python function that does. data(random, rows) gives lists of inputs and of
        labels. weights: samples are weighted; validation: rows of their own for validation_data."""
        super().__init__(name, **more)
        self.data, self.compile, self.fit = data, compile, fit or {}
        self.weights, self.validation = weights, validation
        if layers:
            self.layers = [Made("layers", *(entry if isinstance(entry, tuple) else (entry,))) for entry in layers]
        else:
            self.layers, (self.text, self.function) = None, model

    def description(self):
        text = f"cdl.Sequential{lua(self.layers)}" if self.layers else f"(function() {self.text} end)()"
        options = {"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0, **self.fit}
        if "initial_epoch" in options:
            options["initial_epoch"] += 1
        return {"kind": self.kind, "make": text, "compile": lua(self.compile), "fit": options,
                "validation": self.validation, "batch_size": options["batch_size"]}

    def make_model(self):
        if not self.layers:
            return self.function()
        return keras.Sequential([layer.keras() for layer in self.layers])

    def prepare(self, random):
        x, y = self.data(random, 30)
        model = self.make_model()
        model.build([numpy.shape(part) for part in x] if len(x) > 1 else x[0].shape)
        start = []
        for variable in model.weights:
            value = normal(random, variable.shape, 0.4)
            start.append(abs(value) + 0.5 if "variance" in variable.path else value)
        model.set_weights(start)
        given = numbered("x", x) | numbered("y", y) | numbered("weight", start)
        options = {"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0, **self.fit}
        weights = None
        if self.weights:
            weights = random.uniform(0, 2, 30).astype("float32")
            given["sample_weight"] = options["sample_weight"] = weights

        def single(parts):
            return parts[0] if len(parts) == 1 else parts

        if self.validation:
            held = self.data(random, 13)
            given |= numbered("validation x", held[0]) | numbered("validation y", held[1])
            options["validation_data"] = single(held[0]), single(held[1])
        compile_arguments = in_keras(self.compile)
        model.compile(**compile_arguments)
        history = model.fit(single(x), single(y), **options)
        expected = {f"history {key}": numpy.array(values) for key, values in history.history.items()}
        expected["epochs"] = numpy.array(history.epoch) + 1
        expected |= numbered("weight ", model.get_weights())
        expected["iterations"] = numpy.array(model.optimizer.iterations)
        evaluation = model.evaluate(single(x), single(y), batch_size=options["batch_size"], verbose=0,
                                    sample_weight=weights)
        expected["evaluate"] = numpy.atleast_1d(evaluation)
        predictions = model.predict(single(x), batch_size=options["batch_size"], verbose=0)
        expected |= numbered("predict ", predictions if len(y) > 1 else [predictions])
        return given, expected


fit = Fit
