"""Case: one line of the table. It knows what to give to both programs and what Keras makes of it.

A kind of case is a subclass with

    kind                 the name of its function in compare.lua
    relative, absolute   what is allowed: |cdl - Keras| <= absolute + relative |Keras|
    prepare(random)      runs Keras; returns the arrays that cdl is given and those it must
                         arrive at, by name
    options()            what compare.lua has to know besides: a dict
    read(results)        what cdl has given, where it is not compared as it is
"""

import zlib

import numpy


class Case:
    kind = None
    relative, absolute = 1e-5, 1e-6

    def __init__(self, name, made=None, relative=None, absolute=None, differs=None):
        """differs: why cdl's numbers are not Keras's; then the case fails when they are."""
        self.name, self.made, self.differs = name, made, differs
        self.relative = self.relative if relative is None else relative
        self.absolute = self.absolute if absolute is None else absolute

    def prepare(self, random):
        raise NotImplementedError

    def options(self):
        return {}

    def allowed(self, expected):
        """How far from each number of an expected array cdl's may be."""
        return self.absolute + self.relative * abs(expected)

    def random(self):
        """A generator whose numbers depend on the case's name alone."""
        return numpy.random.default_rng(zlib.crc32(f"{self.kind} {self.name}".encode()))

    def run_keras(self):
        """(given, expected)."""
        given, expected = self.prepare(self.random())
        return ({key: numpy.asarray(value) for key, value in given.items()},
                {key: numpy.asarray(value) for key, value in expected.items()})

    def description(self):
        """What compare.lua reads of this case; "make" is a Lua expression."""
        return {"kind": self.kind, "make": self.made.lua(), **self.options()}

    def read(self, results):
        """cdl's results in the form of the expected ones."""
        return results


def normal(random, shape, scale=1.0):
    """float32 numbers around 0."""
    return (random.standard_normal(shape) * scale).astype("float32")


def give_random_weights(owner, random):
    """Gives a layer or model of Keras random weights, and returns them."""
    weights = []
    for variable in owner.weights:
        value = normal(random, variable.shape, 0.5)
        weights.append(abs(value) + 0.5 if "variance" in variable.path else value)
    owner.set_weights(weights)
    return weights


def single(entries):
    """The entry of a list of one, else the list: how Keras is given inputs."""
    return entries[0] if len(entries) == 1 else entries


def numbered(name, arrays):
    """{"x1": ..., "x2": ...} from a list of arrays."""
    return {f"{name}{i}": array for i, array in enumerate(arrays, 1)}
