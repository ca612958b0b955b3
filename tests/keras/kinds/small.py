"""Schedules, initializers, regularizers and constraints."""

import jax
import numpy

from kinds.case import Case, normal
from lua_text import Made

STEPS = [0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 14, 15, 16, 20, 25, 30, 31, 50, 69, 70, 71, 100, 1000]


class Schedule(Case):
    kind = "schedule"
    relative, absolute = 1e-5, 1e-7

    def __init__(self, name, arguments, steps=None, **more):
        made = Made("schedules", name, arguments)
        self.steps = steps or STEPS
        super().__init__(made.lua()[10:], made, **more)

    def prepare(self, random):
        schedule = self.made.keras()
        values = [float(schedule(step)) for step in self.steps]
        return {"steps": numpy.array(self.steps, "int64")}, {"values": numpy.array(values)}


class Initializer(Case):
    """Random numbers are not Keras's, their distribution is: quantiles are compared, in units of
    the standard deviation, and for orthogonal matrices the products of rows."""

    kind = "initializer"
    absolute, relative = 0.05, 0

    def __init__(self, name, arguments=None, shape=(200, 300), exact=False, **more):
        made = Made("initializers", name, arguments)
        self.shape, self.exact = shape, exact
        if exact:
            self.absolute, self.relative = 1e-6, 1e-5
        super().__init__(f"{made.lua()[13:]} for {shape}", made, **more)

    def options(self):
        return {"shape": list(self.shape)}

    def prepare(self, random):
        return {}, self.judge(numpy.asarray(self.made.keras()(self.shape)))

    def read(self, results):
        return self.judge(results["values"])

    def judge(self, values):
        """What is compared of a tensor of these numbers."""
        if self.exact:
            return {"values": values}
        values = values.astype("float64")
        result = {"mean": values.mean() / values.std(), "log of deviation": numpy.log(values.std())}
        ordered = numpy.sort(values.ravel()) / values.std()
        for part in (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99):
            result[f"quantile {part}"] = ordered[int(part * ordered.size)]
        if ordered[-1] < 2.5:
            result |= {"least": ordered[0], "largest": ordered[-1]}
        if self.made.name == "Orthogonal":
            matrix = values.reshape(-1, values.shape[-1])
            result["products"] = matrix @ matrix.T if len(matrix) < matrix.shape[1] else matrix.T @ matrix
        return result


class Penalty(Case):
    """Regularizers and constraints: functions of a weight."""

    def __init__(self, module, name, arguments=None, shape=(5, 4), **more):
        made = Made(module, name, arguments)
        self.shape = shape
        super().__init__(f"{made.lua()[len(module) + 1:]} of {shape}", made, **more)



class Regularizer(Penalty):
    kind = "regularizer"

    def __init__(self, name, arguments=None, **more):
        super().__init__("regularizers", name, arguments, **more)

    def prepare(self, random):
        weight = normal(random, self.shape, 1.5)
        value, gradient = jax.value_and_grad(self.made.keras())(weight)
        return {"weight": weight}, {"value": value, "gradient": gradient}


class Constraint(Penalty):
    kind = "constraint"

    def __init__(self, name, arguments=None, **more):
        super().__init__("constraints", name, arguments, **more)

    def prepare(self, random):
        weight = normal(random, self.shape, 1.5)
        weight[..., 0] = 0
        return {"weight": weight}, {"value": self.made.keras()(weight)}


schedule, initializer, regularizer, constraint = Schedule, Initializer, Regularizer, Constraint
