"""Whole runs: a model is compiled, trained, evaluated and asked for predictions in both programs,
from the same weights and in the same order of samples."""

import keras
import numpy

from kinds.case import Case, give_random_weights, numbered, single
from lua_text import Made, in_keras, lua


class Fit(Case):
    kind = "fit"
    relative, absolute = 1e-4, 1e-5

    def __init__(self, name, data, layers=None, model=None, compile=None, fit=None, weights=False,
                 validation=False, ordered=True, **more):
        """layers: of a Sequential, as (name, arguments); or model, a pair: Lua text that gives a
        model and a Python function that does. data(random, rows) gives lists of inputs and of
        labels. weights: samples are weighted; validation: rows of their own for validation_data.
        ordered: compare what evaluate gives without names, too; Keras gives a value twice when a
        metric and a weighted one have the same name."""
        super().__init__(name, **more)
        self.data, self.compile = data, compile
        self.fit = {"epochs": 2, "batch_size": 8, "shuffle": False, "verbose": 0, **(fit or {})}
        self.weights, self.validation, self.ordered = weights, validation, ordered
        self.layers, self.model = None, model
        if layers:
            rows = [entry if isinstance(entry, tuple) else (entry,) for entry in layers]
            self.layers = [Made("layers", *row) for row in rows]

    def description(self):
        if self.layers:
            text = f"cdl.Sequential{lua(self.layers)}"
        else:
            text = f"(function() {self.model[0]} end)()"
        options = dict(self.fit)
        if "initial_epoch" in options:
            options["initial_epoch"] += 1
        return {"kind": self.kind, "make": text, "compile": lua(self.compile), "fit": options,
                "validation": self.validation, "ordered": self.ordered,
                "batch_size": options["batch_size"]}

    def make_model(self):
        if not self.layers:
            return self.model[1]()
        return keras.Sequential([layer.keras() for layer in self.layers])

    def prepare(self, random):
        x, y = self.data(random, 30)
        model = self.make_model()
        model.build([numpy.shape(part) for part in x] if len(x) > 1 else x[0].shape)
        start = give_random_weights(model, random)
        given = numbered("x", x) | numbered("y", y) | numbered("weight", start)
        options, weights = dict(self.fit), None
        if self.weights:
            weights = random.uniform(0, 2, 30).astype("float32")
            given["sample_weight"] = options["sample_weight"] = weights
        if self.validation:
            held = self.data(random, 13)
            given |= numbered("validation x", held[0]) | numbered("validation y", held[1])
            options["validation_data"] = single(held[0]), single(held[1])
        model.compile(**in_keras(self.compile))
        history = model.fit(single(x), single(y), **options)
        expected = {f"history {key}": numpy.array(values) for key, values in history.history.items()}
        expected["epochs"] = numpy.array(history.epoch) + 1
        expected |= numbered("weight ", model.get_weights())
        expected["iterations"] = numpy.array(model.optimizer.iterations)
        how = {"batch_size": options["batch_size"], "verbose": 0, "sample_weight": weights}
        named = model.evaluate(single(x), single(y), return_dict=True, **how)
        expected |= {f"evaluate {key}": value for key, value in named.items()}
        if self.ordered:
            expected["evaluate"] = numpy.atleast_1d(model.evaluate(single(x), single(y), **how))
        predictions = model.predict(single(x), batch_size=options["batch_size"], verbose=0)
        expected |= numbered("predict ", predictions if len(y) > 1 else [predictions])
        return given, expected


fit = Fit
