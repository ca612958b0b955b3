"""Metrics: values after one and two batches, with weights, with a mask, and after a reset."""

import keras
import numpy
from keras.src import backend

from kinds.case import Case, normal
from lua_text import Made


class Metric(Case):
    kind = "metric"
    relative, absolute = 1e-5, 1e-6

    def __init__(self, name, arguments=None, data=None, masked=False, early=True, whole_weights=False,
                 **more):
        """data(random) gives y_true and y_pred of a batch. masked: y_pred's mask counts. early:
        there is a result before the first batch. whole_weights: Keras rounds weights down."""
        made = Made("metrics", name, arguments)
        self.data, self.masked, self.early = data, masked, early
        self.whole_weights = whole_weights
        super().__init__(f"{made.lua()[8:]} on {data.__name__}", made, **more)

    def options(self):
        return {"masked": self.masked, "early": self.early}

    def prepare(self, random):
        metric = self.made.keras()
        batches = [self.data(random) for _ in range(2)]
        given, expected = {}, {}
        weights = [random.uniform(0, 2, len(t)).astype("float32") for t, _ in batches]
        if self.whole_weights:
            weights = [numpy.round(weight * 2) for weight in weights]
        masks = [random.random(len(t)) < 0.7 for t, _ in batches]
        for i, (y_true, y_pred) in enumerate(batches):
            given |= {f"y_true{i + 1}": y_true, f"y_pred{i + 1}": y_pred, f"weights{i + 1}": weights[i],
                      f"mask{i + 1}": masks[i]}
        if self.early:
            expected["nothing"] = metric.result()
        for i, batch in enumerate(batches):
            metric.update_state(*batch)
            expected[f"after {i + 1}"] = metric.result()
        metric.reset_state()
        expected["reset"] = metric.result()
        for i, batch in enumerate(batches):
            metric.update_state(*batch, sample_weight=weights[i])
            expected[f"weighted after {i + 1}"] = metric.result()
        if self.masked:
            metric.reset_state()
            for i, (y_true, y_pred) in enumerate(batches):
                y_pred = keras.ops.convert_to_tensor(y_pred)
                backend.set_keras_mask(y_pred, masks[i])
                metric.update_state(y_true, y_pred, sample_weight=weights[i])
            expected["masked"] = metric.result()
        return given, expected


class Accumulator(Case):
    """Mean and Sum: values of any shape with weights of any shape."""

    kind = "accumulator"

    def __init__(self, name, values, weights=None, **more):
        self.shape, self.weights = values, weights
        title = f"{name} of {values}" + (f" weighted by {weights}" if weights is not None else "")
        super().__init__(title, Made("metrics", name), **more)

    def prepare(self, random):
        metric = self.made.keras()
        given, expected = {}, {}
        for i in (1, 2):
            values = normal(random, self.shape)
            weights = None
            if self.weights is not None:
                weights = random.uniform(0, 2, self.weights).astype("float32")
                given[f"weights{i}"] = weights
            metric.update_state(values, sample_weight=weights)
            given[f"values{i}"], expected[f"after {i}"] = values, metric.result()
        return given, expected


metric, accumulator = Metric, Accumulator
