"""Activation functions: values and gradients, on random numbers and at the edges."""

import jax
import keras
import numpy

from kinds.case import Case, normal
from lua_text import Made, lua_arguments

# Zeros, the places where pieces meet, far away, and where e^x leaves float32.
EDGES = [-1e4, -200, -100, -89, -30, -10, -6, -3, -2.5, -1, -0.5, -1e-3, -1e-8, 0, 1e-8, 1e-3, 0.5, 1,
         2.5, 3, 6, 10, 30, 89, 100, 200, 1e4, 0.25]


class Activation(Case):
    kind = "activation"
    relative, absolute = 1e-5, 1e-6

    def __init__(self, name, arguments=None, edges=True, **more):
        self.function, self.arguments, self.edges = name, arguments or {}, edges
        super().__init__(f"{name}{lua_arguments(self.arguments) if arguments else ''}",
                         Made("activations", name), **more)

    def description(self):
        call = f"activations.{self.function}(x, {lua_arguments(self.arguments)})"
        return {"kind": self.kind, "make": f"function(x) return {call} end"}

    def prepare(self, random):
        function = getattr(keras.activations, self.function)

        def weigh(x, weights):
            y = function(x, **self.arguments)
            return keras.ops.sum(y * weights), y

        given, expected = {}, {}
        inputs = {"random": normal(random, (5, 6), 2)}
        if self.edges:
            inputs["edges"] = numpy.array(EDGES, "float32").reshape(2, -1)
        for name, x in inputs.items():
            size = function(x, **self.arguments).shape
            weights = normal(random, size)
            (_, y), gradient = jax.value_and_grad(weigh, has_aux=True)(x, weights)
            given |= {name: x, f"{name} weights": weights}
            expected |= {f"{name} value": y, f"{name} gradient": gradient}
        return given, expected


activation = Activation
