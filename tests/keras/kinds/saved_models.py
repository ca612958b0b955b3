"""Models of several layers that both programs keep in files: every kind of graph, of arguments and of
compiling."""

import keras
from keras import layers, ops

from kinds.case import normal
from kinds.saved import SavedModel


def numbers(*shapes, labels=((2,),), low=None):
    """Data: inputs and labels of these shapes behind the batch."""
    def make(random):
        x = [random.integers(0, low, (6, *shape)).astype("int32") if low else normal(random, (6, *shape))
             for shape in shapes]
        return x, [normal(random, (6, *shape)) for shape in labels]
    return make


def classes(*shape):
    def make(random):
        return [normal(random, (6, *shape))], [random.integers(0, 3, 6).astype("int32")]
    return make


def compiled(model, *args, **more):
    model.compile(*(args or ("adam", "mse")), **more)
    return model


def convnet():
    return compiled(keras.Sequential([
        keras.Input((9, 9, 1)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(6, (3, 2), padding="same", activation="relu"),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dropout(0.0),
        layers.Dense(3, activation="softmax"),
    ]), "rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])


def shared():
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    once = layers.Dense(3, activation="tanh", name="once")
    y = layers.concatenate([once(a), once(b), once(layers.Rescaling(0.5)(a))])
    return compiled(keras.Model([a, b], layers.Dense(2)(y)))


def late_input():
    a, b = keras.Input((4,)), keras.Input((2,))
    y = layers.Dense(5)(layers.Dense(4, activation="relu")(a))
    y = layers.Concatenate()([y, b])
    y = layers.Add()([layers.Dense(3)(y), layers.Dense(3, use_bias=False)(b)])
    return compiled(keras.Model([a, b], layers.Dense(2)(y)), keras.optimizers.Adam(amsgrad=True), "mse")


def nested():
    x = keras.Input((4,))
    part = keras.Model(x, layers.Dense(4, activation="elu")(x), name="part")
    chain = keras.Sequential([layers.Dense(3), layers.LayerNormalization()], name="chain")
    first, second = keras.Input((4,)), keras.Input((4,))
    y = layers.Multiply()([part(first), part(part(second))])
    return compiled(keras.Model([first, second], layers.Dense(2)(chain(y))), "nadam", "mae")


def nested_output():
    x = keras.Input((4,))
    part = keras.Model(x, [layers.Dense(2, name="left")(x), layers.Dense(2, name="right")(x)], name="part")
    y = keras.Input((4,))
    left, right = part(y)
    other, _ = part(layers.Dense(4)(y))
    return compiled(keras.Model(y, layers.Average()([left, right, other])))


def in_sequential():
    return compiled(keras.Sequential([
        keras.Input((4,)),
        keras.Sequential([layers.Dense(5), layers.Dense(3)]),
        keras.Sequential([layers.Dense(5), layers.Dense(2)]),
    ]), "adagrad", "mse")


def outputs_by_name():
    a, b = keras.Input((4,), name="a"), keras.Input((3,), name="b")
    h = layers.Concatenate()([a, b])
    outputs = {"one": layers.Dense(2, name="one")(h), "two": layers.Dense(1, name="two")(h)}
    return compiled(keras.Model({"a": a, "b": b}, outputs), "sgd", {"one": "mse", "two": "mae"},
                    loss_weights={"one": 1.0, "two": 0.5})


def two_outputs():
    x = keras.Input((4,))
    h = layers.Dense(4, activation="gelu")(x)
    return compiled(keras.Model(x, [layers.Dense(2)(h), layers.Dense(1)(h)]), "adamax", ["mse", "mae"],
                    loss_weights=[1.0, 2.0], metrics=[["mae"], ["mse"]])


def arithmetic():
    a, b = keras.Input((4,)), keras.Input((4,))
    y = (a * 2.0 + b) / 3.0 - 1.5
    y = ops.tanh(y) ** 2.0 + ops.exp(-ops.abs(a - b)) * ops.sigmoid(2.0 - b)
    y = ops.maximum(y, 0.1) + ops.relu(a) - ops.sqrt(ops.square(b) + 1.0)
    return compiled(keras.Model([a, b], layers.Dense(2)(y)))


def shapes():
    x = keras.Input((4, 6))
    parts = [ops.mean(x, axis=1), ops.max(x, axis=1), ops.sum(x[:, 1:3], axis=1), x[:, 0], x[:, -1, ::2], x[:, 1, -2:],
             ops.reshape(x, (-1, 24)), ops.reshape(ops.transpose(x, (0, 2, 1))[:, :, 0], (-1, 6)),
             ops.squeeze(ops.expand_dims(x[:, 2], 1), 1), ops.logsumexp(x, axis=-1), ops.softmax(x, axis=1)[:, 3],
             ops.var(x, axis=2), ops.stack([x[:, 0], x[:, 1]], axis=1)[:, 1], ops.flip(x, axis=1)[:, 0],
             ops.clip(x, -0.5, 0.5)[:, 0], ops.cumsum(x, axis=1)[:, 2], ops.repeat(x[:, 0], 2, axis=1)]
    y = ops.concatenate(parts, axis=-1)
    return compiled(keras.Model(x, layers.Dense(2)(y)))


def products():
    a, b = keras.Input((4, 6)), keras.Input((6, 4))
    y = ops.matmul(a, b) + ops.einsum("bij,bjk->bik", a, b)
    y = ops.where(y > 0.0, y, 0.1 * y)
    return compiled(keras.Model([a, b], layers.Dense(2)(layers.Flatten()(y))))


def arguments():
    return compiled(keras.Sequential([
        keras.Input((5,)),
        layers.Dense(6, activation="selu", kernel_initializer=keras.initializers.HeNormal(seed=3),
                     bias_initializer=keras.initializers.Constant(0.2), kernel_regularizer=keras.regularizers.L2(0.02),
                     bias_regularizer="l1", kernel_constraint=keras.constraints.MaxNorm(1.5, axis=0)),
        layers.Dense(4, activation=keras.activations.softsign, activity_regularizer=keras.regularizers.L1L2(0.01, 0.02),
                     kernel_initializer="orthogonal", kernel_regularizer=keras.regularizers.OrthogonalRegularizer()),
        layers.Dense(2, activation="linear", kernel_constraint="non_neg", trainable=False),
    ]), keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True, clipnorm=1.0), keras.losses.Huber())


def schedule():
    rate = keras.optimizers.schedules.ExponentialDecay(0.05, 2, 0.5, staircase=True)
    return compiled(keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)]),
                    keras.optimizers.AdamW(rate, weight_decay=0.01),
                    keras.losses.LogCosh(reduction="sum"), metrics=[keras.metrics.RootMeanSquaredError(name="rms")])


def averages():
    optimizer = keras.optimizers.RMSprop(0.01, rho=0.8, momentum=0.5, centered=True, use_ema=True, ema_momentum=0.9,
                                         gradient_accumulation_steps=2)
    return compiled(keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)]), optimizer,
                    keras.losses.CosineSimilarity(axis=-1))


def frozen():
    base = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.BatchNormalization()], name="base")
    base.trainable = False
    x = keras.Input((4,))
    return compiled(keras.Model(x, layers.Dense(2)(base(x, training=False))), "lion", "mse")


def metrics():
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    return compiled(keras.Sequential([keras.Input((4,)), layers.Dense(2)]), "adam", loss,
                    metrics=["categorical_accuracy", keras.metrics.AUC(num_thresholds=10, from_logits=True),
                             keras.metrics.Precision(class_id=1)], weighted_metrics=["mse"])


def embedded():
    x = keras.Input((5,), dtype="int32")
    y = layers.Embedding(9, 4, mask_zero=True)(x)
    y = layers.GlobalAveragePooling1D()(layers.Dense(3)(y))
    return compiled(keras.Model(x, layers.Dense(2)(y)))


def masked():
    x = keras.Input((5, 3))
    y = layers.Masking(0.0)(x)
    y = layers.GlobalAveragePooling1D()(y)
    return compiled(keras.Model(x, layers.Dense(2)(y)), "ftrl", "mse")


def from_inside():
    x = keras.Input((4,))
    h = layers.Dense(5, name="h")(x)
    whole = keras.Model(x, layers.Dense(2)(layers.Dense(3, activation="relu")(h)))
    return compiled(keras.Model(whole.get_layer("h").output, whole.output))


MODELS = [
    SavedModel("convnet", convnet, classes(9, 9, 1)),
    SavedModel("a shared layer", shared, numbers((4,), (4,))),
    SavedModel("an input that joins late", late_input, numbers((4,), (2,))),
    SavedModel("nested models", nested, numbers((4,), (4,))),
    SavedModel("a nested model with two outputs", nested_output, numbers((4,))),
    SavedModel("Sequential in Sequential", in_sequential, numbers((4,))),
    SavedModel("inputs and outputs by name", outputs_by_name, numbers((4,), (3,), labels=((2,), (1,))),
               names=["a", "b"], label_names=["one", "two"]),
    SavedModel("two outputs", two_outputs, numbers((4,), labels=((2,), (1,)))),
    SavedModel("arithmetic", arithmetic, numbers((4,), (4,))),
    SavedModel("shapes", shapes, numbers((4, 6))),
    SavedModel("products", products, numbers((4, 6), (6, 4))),
    SavedModel("arguments", arguments, numbers((5,))),
    SavedModel("a schedule", schedule, numbers((4,))),
    SavedModel("averages", averages, numbers((4,))),
    SavedModel("a frozen part", frozen, numbers((4,))),
    SavedModel("metrics", metrics, numbers((4,))),
    SavedModel("an embedding with masks", embedded, numbers((5,), low=9)),
    SavedModel("masks", masked, numbers((5, 3))),
    SavedModel("from an inner tensor", from_inside, numbers((5,))),
]
