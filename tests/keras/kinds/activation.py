"""Activation functions: values and gradients, on random numbers and at the edges."""

import jax
import keras
import numpy

from kinds.case import Case, normal
from lua_text import Made, lua_arguments

# Zero, the places where pieces meet, far away, and where e^x leaves float32.
EDGES = [-1e4, -200, -100, -89, -30, -10, -6, -3, -2.5, -1, -0.5, -1e-3, -1e-5, -1e-8, 0, 1e-8, 1e-3, 0.25,
         0.5, 1, 2, 2.5, 3, 6, 10, 30, 89, 100, 200, 1e4]


class Activation(Case):
    kind = "activation"
    relative, absolute = 1e-5, 1e-6

    def __init__(self, name, arguments=None, edges=True, kinks=(), **more):
        """kinks: where the slope jumps; the gradient there is a matter of taste (JAX's own
        functions differ from those that it derives), so it is not compared."""
        self.function, self.arguments = name, arguments or {}
        self.edges, self.kinks = edges, kinks
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
            inputs["edges"] = numpy.array(EDGES, "float32").reshape(5, 6)
        for name, x in inputs.items():
            size = function(x, **self.arguments).shape
            weights = normal(random, size)
            if size == x.shape:
                weights[numpy.isin(x, numpy.array(self.kinks, "float32"))] = 0
            (_, y), gradient = jax.value_and_grad(weigh, has_aux=True)(x, weights)
            given |= {name: x, f"{name} weights": weights}
            expected |= {f"{name} value": y, f"{name} gradient": gradient}
        return given, expected


activation = Activation
