"""Layers: shapes, outputs, gradients with respect to inputs and weights, and the weights after some
steps of gradient descent (moving averages, too)."""

import jax
import keras
import numpy

from kinds.case import Case, give_random_weights, normal, numbered, single
from kinds.exported import run_exported
from lua_text import Made


STEPS, RATE = 3, 0.05


class Layer(Case):
    kind = "layer"
    relative, absolute = 1e-5, 2e-6
    exported = "inference"  # the result that an exported model must arrive at

    def __init__(self, name, arguments=None, x=(4, 3), low=None, exports=True, **more):
        """x: the shape of the input, or a list of shapes. With low, the inputs are the integers
        from 0 below it. exports: whether the layer can be written as ONNX."""
        made = Made("layers", name, arguments)
        self.shapes, self.low = x if isinstance(x, list) else [x], low
        self.exports = exports and len(self.shapes[0]) > 1
        super().__init__(f"{made.lua()[7:]} of {x}", made, **more)

    def options(self):
        return {"exports": self.exports}

    def read(self, results):
        return run_exported(results, self.exported) if "model" in results else results

    def call(self, layer, inputs, training):
        """A list of the layer's results."""
        return [layer(single(inputs), training=training)]

    def before_step(self, layer, inputs, trainable, fixed):
        """What a step makes of the values of the weights before it computes."""
        return trainable, fixed

    def allowed(self, expected):
        # A sum that comes out small has the rounding errors of the large ones beside it.
        largest = abs(expected).max(initial=1)
        return self.absolute * largest + self.relative * abs(expected)

    def make_inputs(self, random):
        if self.low:
            return [random.integers(0, self.low, shape).astype("int32") for shape in self.shapes]
        return [normal(random, shape) for shape in self.shapes]

    def build(self, inputs, random):
        """The layer with random weights, the shape of its output, and its weights."""
        layer = self.made.keras()
        if inputs[0].ndim == 1:  # cdl's symbols have at least one axis behind the batch
            layer.build(inputs[0].shape)
            return layer, None, give_random_weights(layer, random)
        symbols = [keras.Input(batch_shape=(None, *x.shape[1:]), dtype=str(x.dtype)) for x in inputs]
        shape = self.call(layer, symbols, False)[0].shape
        shape = [-1 if size is None else size for size in shape]
        return layer, shape, give_random_weights(layer, random)

    def prepare(self, random):
        inputs = self.make_inputs(random)
        layer, shape, weights = self.build(inputs, random)
        inference, *others = self.call(layer, inputs, False)
        factors = normal(random, inference.shape)
        given = numbered("x", inputs) | numbered("weight", weights) | {"factors": factors}
        expected = {"inference": inference} | ({"shape": shape} if shape else {}) | numbered("other", others)

        def weigh(trainable, inputs, fixed):
            state = [*zip(layer.trainable_weights, trainable), *zip(layer.non_trainable_weights, fixed)]
            with keras.StatelessScope(state_mapping=state) as scope:
                y = self.call(layer, inputs, True)[0]
            moved = []
            for variable, value in zip(layer.non_trainable_weights, fixed):
                new = scope.get_current_value(variable)
                moved.append(value if new is None else new)
            return keras.ops.sum(y * factors), (y, moved)

        trainable = [variable.value for variable in layer.trainable_weights]
        fixed = [variable.value for variable in layer.non_trainable_weights]
        sources = (0,) if self.low else (0, 1)  # integers have no gradient
        differentiate = jax.value_and_grad(weigh, argnums=sources, has_aux=True)
        for step in range(STEPS):
            trainable, fixed = self.before_step(layer, inputs, trainable, fixed)
            (_, (y, fixed)), (of_weights, *of_inputs) = differentiate(trainable, inputs, fixed)
            if step == 0:
                expected["training"] = y
                expected |= numbered("gradient of weight ", of_weights)
                for gradients in of_inputs:
                    expected |= numbered("gradient of x", gradients)
            trainable = [value - RATE * gradient for value, gradient in zip(trainable, of_weights)]
        expected |= numbered("trained weight ", trainable) | numbered("fixed weight ", fixed)
        return given, expected


class AttentionLayer(Layer):
    """A layer of queries, values and keys, which takes masks and options by name."""

    def __init__(self, name, arguments=None, x=None, apart=False, mask=False, **options):
        """apart: Keras takes the tensors one by one. mask: bool for queries and values. Of the
        options those that are shapes stand for random masks; the others are given as they are."""
        super().__init__(name, arguments, x=x or [(3, 4, 6), (3, 5, 6)], exports=not options and not mask)
        self.apart, self.mask = apart, mask
        self.masks = {key: value for key, value in options.items() if isinstance(value, tuple)}
        self.flags = {key: value for key, value in options.items() if key not in self.masks}
        self.name += f" with {', '.join(list(options) + ['mask'] * mask)}" if options or mask else ""

    def options(self):
        return {"call": self.flags, **super().options()}

    def prepare(self, random):
        def draw(shape):
            kept = random.random(shape) < 0.6
            kept[..., 0] = True  # some key is seen by all
            return kept

        self.drawn = {key: draw(shape) for key, shape in self.masks.items()}
        self.lists = [draw(shape[:2]) for shape in self.shapes[:2]] if self.mask else []
        given, expected = super().prepare(random)
        given |= {f"call {key}": value for key, value in self.drawn.items()} | numbered("mask", self.lists)
        return given, expected

    def call(self, layer, inputs, training):
        options = self.flags | self.drawn | ({"mask": self.lists} if self.mask else {})
        y = layer(*(inputs if self.apart else [inputs]), training=training, **options)
        return list(y) if isinstance(y, tuple) else [y]


class AssigningLayer(Layer):
    """A layer that assigns to its trainable weights in each training step before it computes. Gradients
    are those with respect to the new values."""

    def before_step(self, layer, inputs, trainable, fixed):
        for variables, values in (layer.trainable_weights, trainable), (layer.non_trainable_weights, fixed):
            for variable, value in zip(variables, values):
                variable.assign(value)
        layer(single(inputs), training=True)
        return ([variable.value for variable in layer.trainable_weights],
                [variable.value for variable in layer.non_trainable_weights])

    def call(self, layer, inputs, training):
        return super().call(layer, inputs, False)


class RandomLayer(Layer):
    """A layer that draws random numbers while training: its statistics are compared."""

    kind = "random_layer"
    relative, absolute = 0, 0.03

    def __init__(self, name, arguments=None, x=(200, 300), **more):
        super().__init__(name, arguments, x=x, **more)

    def prepare(self, random):
        x = numpy.ones(self.shapes[0], "float32")
        layer = self.made.keras()
        return {"x": x}, {"inference": layer(x, training=False), **statistics(layer(x, training=True))}

    def read(self, results):
        results = super().read(results)
        inference = {name: array for name, array in results.items() if name.startswith("inference")}
        return {**inference, **statistics(results["training"])}


class RandomImageLayer(RandomLayer):
    """A layer that changes images from 0 to 1 at random: what comes out, and how far it is from what went in.
    Shares of so many images are apart by more than is allowed once in 100000 times."""

    absolute = 0.05

    def __init__(self, name, arguments=None, x=(4000, 6, 5, 3), **more):
        super().__init__(name, arguments, x=x, **more)

    def images(self):
        return self.random().random(self.shapes[0]).astype("float32")

    def changes(self, y):
        y, x = numpy.asarray(y), self.images()
        change = abs(y - x).reshape(len(y), -1)
        return {"mean": y.mean(), "deviation": y.std(), "change": change.mean(),
                "deviation of changes": change.mean(axis=1).std(), "unchanged": (change.max(axis=1) < 1e-5).mean()}

    def prepare(self, random):
        layer, x = self.made.keras(), self.images()
        return {"x": x}, {"inference": layer(x, training=False), **self.changes(layer(x, training=True))}

    def read(self, results):
        results = Layer.read(self, results)
        inference = {name: array for name, array in results.items() if name.startswith("inference")}
        return {**inference, **self.changes(results["training"])}


def statistics(y):
    """What a random tensor looks like from afar."""
    y = numpy.asarray(y)
    columns, rows = y.mean(axis=0), y.reshape(len(y), -1).mean(axis=1)
    return {"mean": y.mean(), "deviation": y.std(), "zeros": (y == 0).mean(), "largest": y.max(),
            "deviation of columns": columns.std(), "deviation of rows": rows.std()}


layer, assigning_layer, attention = Layer, AssigningLayer, AttentionLayer
random_layer, random_image_layer = RandomLayer, RandomImageLayer
