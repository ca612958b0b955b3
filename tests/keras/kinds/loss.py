"""Losses: all reductions with all forms of weights, masks, gradients, and corner cases."""

import jax
import keras
import numpy
from keras.src import backend

from kinds.case import Case, normal
from lua_text import Made

REDUCTIONS = ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none"]


class Loss(Case):
    kind = "loss"
    relative, absolute = 1e-5, 1e-6

    def __init__(self, name, arguments=None, data=None, corners=None, after=None, **more):
        """data(random) gives y_true and y_pred; corners is such a pair, of which the unreduced
        values are compared. after is an activation whose result is y_pred: then data gives its
        input, and gradients are with respect to that."""
        made = Made("losses", name, arguments)
        self.data, self.corners, self.after = data, corners, after
        title = f"{made.lua()[7:]} on {data.__name__}" + (f" after {after}" if after else "")
        super().__init__(title, made, **more)

    def description(self):
        make = f"function(reduction) return {self.made.lua(reduction='reduction')} end"
        return {"kind": self.kind, "make": make} | ({"after": self.after} if self.after else {})

    def values(self, y_true, y_pred, weights=None, mask=None, **arguments):
        loss = self.made.keras(**arguments)
        if self.after:
            y_pred = keras.activations.get(self.after)(y_pred)
        if mask is not None:
            y_pred = keras.ops.convert_to_tensor(y_pred)
            backend.set_keras_mask(y_pred, mask)
        return loss(y_true, y_pred, sample_weight=weights)

    def prepare(self, random):
        y_true, y_pred = self.data(random)
        plain = numpy.asarray(self.values(y_true, y_pred, reduction="none"))
        given = {"y_true": y_true, "y_pred": y_pred}
        expected = {}
        weights = {"none": None}
        if plain.ndim > 0:
            weights["full"] = random.uniform(0, 2, plain.shape).astype("float32")
            weights["column"] = random.uniform(0, 2, (len(plain), 1)).astype("float32")
            weights["zero"] = numpy.zeros_like(plain)
        for form, weight in weights.items():
            if weight is not None:
                given[f"weights {form}"] = weight
            for reduction in REDUCTIONS:
                values = self.values(y_true, y_pred, weight, reduction=reduction)
                # Keras's unreduced values take on the last axis of 1 that the weights have.
                expected[f"{reduction}, weights {form}"] = (
                    numpy.reshape(values, plain.shape) if reduction == "none" else values)
        if plain.ndim > 0:
            mask = random.random(plain.shape) < 0.6
            given |= {"mask": mask, "no mask": numpy.zeros_like(mask)}
            for reduction in REDUCTIONS:
                expected[f"{reduction}, masked"] = self.values(
                    y_true, y_pred, None, mask, reduction=reduction)
                expected[f"{reduction}, masked and weighted"] = self.values(
                    y_true, y_pred, weights["full"], mask, reduction=reduction)
            expected["all masked"] = self.values(y_true, y_pred, None, numpy.zeros_like(mask))
        for form in ("none", "full"):
            if form in weights:
                expected[f"gradient, weights {form}"] = jax.grad(
                    lambda p: self.values(y_true, p, weights[form]))(y_pred)
        if self.corners:
            given |= {"corner y_true": self.corners[0], "corner y_pred": self.corners[1]}
            expected["corners"] = self.values(*self.corners, reduction="none")
        return given, expected


loss = Loss
