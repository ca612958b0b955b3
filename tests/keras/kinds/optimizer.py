"""Optimizers: the variables after each of some steps, and the whole state after the last."""

import keras
import numpy

from kinds.case import Case, normal
from lua_text import Made

SHAPES = [(3, 4), (5,)]


class Optimizer(Case):
    kind = "optimizer"
    # 1 - 0.999^t in float32, as Keras computes it, is right to four digits.
    relative, absolute = 2e-5, 5e-6

    def __init__(self, name, arguments=None, steps=4, assign=None, finalize=False, shapes=None,
                 state=True, **more):
        """shapes: of the variables. state: the optimizer's own variables are compared too, in the
        order in which files keep them. assign: arguments that are set between the second and the
        third step. finalize: what fit does at its end is done after the last step."""
        made = Made("optimizers", name, arguments)
        self.steps, self.assign, self.finalize = steps, assign or {}, finalize
        self.shapes, self.state = shapes or SHAPES, state
        title = made.lua()[11:] + (f" then {assign}" if assign else "")
        super().__init__(title, made, **more)

    def options(self):
        return {"steps": self.steps, "assign": self.assign, "finalize": self.finalize,
                "state": self.state}

    def prepare(self, random):
        optimizer = self.made.keras()
        start = [normal(random, shape) for shape in self.shapes]
        variables = [keras.Variable(value, name=f"v{i}") for i, value in enumerate(start, 1)]
        optimizer.build(variables)
        given = {f"v{i}": value for i, value in enumerate(start, 1)}
        expected = {}
        for step in range(1, self.steps + 1):
            if step == 3:
                for key, value in self.assign.items():
                    setattr(optimizer, key, value)
            gradients = [normal(random, shape, 2) for shape in self.shapes]
            if step == 2:
                gradients[-1][:3] = 0
            optimizer.apply(gradients, variables)
            for i, gradient in enumerate(gradients, 1):
                given[f"g{i} of step {step}"] = gradient
                expected[f"v{i} after step {step}"] = numpy.array(variables[i - 1])
        if self.state:
            for i, variable in enumerate(optimizer.variables, 1):
                expected[f"state {i}"] = numpy.array(variable)
        expected["iterations"] = numpy.array(optimizer.iterations)
        if self.finalize:
            optimizer.finalize_variable_values(variables)
            for i, variable in enumerate(variables, 1):
                expected[f"v{i} at the end"] = numpy.array(variable)
        return given, expected


optimizer = Optimizer
