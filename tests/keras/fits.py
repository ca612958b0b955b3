"""Whole runs that are compared: data, model, what compile and fit are given. See kinds/fit.py."""

import keras
import numpy

from kinds import data, fit
from kinds.case import normal
from lua_text import Made


def regression(random, rows):
    """Two numbers to learn from three."""
    x = normal(random, (rows, 3))
    return [x], [numpy.stack([x[:, 0] - x[:, 1], numpy.sin(x[:, 2])], axis=1)]


def three_classes(random, rows):
    x = normal(random, (rows, 4))
    return [x], [numpy.argmax(x[:, :3], axis=1).astype("int32")]


def three_classes_one_hot(random, rows):
    x, y = three_classes(random, rows)
    return x, [data.one_hot(y[0], 3)]


def two_classes(random, rows):
    x = normal(random, (rows, 4))
    return [x], [(x.sum(axis=1) > 0).astype("int32")]


def tokens(random, rows):
    """Words of a vocabulary of nine, of which some are in no batch."""
    x = random.integers(0, 7, (rows, 4)).astype("int32")
    return [x], [(x < 3).mean(axis=1, keepdims=True).astype("float32")]


def small_images(random, rows):
    x, y = three_classes(random, rows)
    images = numpy.repeat(x[0][:, :, None], 3, axis=2)
    return [(images * 40 + 100).clip(0, 255).astype("uint8")], y


def two_in_two_out(random, rows):
    a, b = normal(random, (rows, 3)), normal(random, (rows, 2))
    return [a, b], [a[:, :1] + b[:, :1], (b.sum(axis=1) > 0).astype("float32").reshape(-1, 1)]


def two_in_two_out_keras():
    a, b = keras.Input((3,)), keras.Input((2,))
    h = keras.layers.Dense(4, activation="tanh")(a)
    g = keras.layers.Dense(4, activation="relu")(b)
    amount = keras.layers.Dense(1, name="amount")(h)
    answer = keras.layers.Dense(1, activation="sigmoid", name="answer")(g)
    return keras.Model([a, b], [amount, answer])


TWO_IN_TWO_OUT = ("""
    local a, b = cdl.Input { 3 }, cdl.Input { 2 }
    local h = layers.Dense { 4, activation = "tanh" } (a)
    local g = layers.Dense { 4, activation = "relu" } (b)
    local amount = layers.Dense { 1, name = "amount" } (h)
    local answer = layers.Dense { 1, activation = "sigmoid", name = "answer" } (g)
    return cdl.Model { inputs = { a, b }, outputs = { amount, answer } }
""", two_in_two_out_keras)

EMBEDDING = [("Embedding", dict(input_dim=9, output_dim=5)), "Flatten", ("Dense", dict(units=1))]
REGRESSION = [("Dense", dict(units=6, activation="tanh")), ("Dense", dict(units=2))]
SOFTMAX = [("Dense", dict(units=6, activation="relu")), ("Dense", dict(units=3, activation="softmax"))]
SIGMOID = [("Dense", dict(units=6, activation="relu")), ("Dense", dict(units=1, activation="sigmoid"))]


STEPWISE = Made("schedules", "ExponentialDecay",
                dict(initial_learning_rate=0.2, decay_steps=2, decay_rate=0.5))


def made_optimizer(name, **arguments):
    return Made("optimizers", name, arguments)


FITS = [
    fit("SGD, mse", regression, layers=REGRESSION,
        compile=dict(optimizer=made_optimizer("SGD", learning_rate=0.05, momentum=0.9), loss="mse",
                     metrics=["mae", "mse"]),
        fit=dict(epochs=3)),
    fit("RMSprop, validation_split", regression, layers=REGRESSION,
        compile=dict(optimizer="rmsprop", loss="mae", metrics=["mse"]), fit=dict(validation_split=0.2)),
    fit("Adam, sparse labels, validation_data", three_classes, layers=SOFTMAX, validation=True,
        compile=dict(optimizer=made_optimizer("Adam", learning_rate=0.01), loss="sparse_categorical_crossentropy",
                     metrics=["accuracy", "sparse_categorical_crossentropy"])),
    fit("AdamW, one-hot labels, acc", three_classes_one_hot, layers=SOFTMAX,
        compile=dict(optimizer=made_optimizer("AdamW", learning_rate=0.01, weight_decay=0.1),
                     loss="crossentropy", metrics=["acc"])),
    fit("sigmoid, sample_weight", two_classes, layers=SIGMOID, ordered=False, weights=True,
        compile=dict(optimizer=made_optimizer("Adam", learning_rate=0.01), loss="binary_crossentropy",
                     metrics=["accuracy"], weighted_metrics=["accuracy"]), fit=dict(validation_split=0.2)),
    fit("class_weight", three_classes, layers=SOFTMAX, ordered=False,
        compile=dict(optimizer=made_optimizer("SGD", learning_rate=0.1), loss="sparse_categorical_crossentropy",
                     metrics=["accuracy"], weighted_metrics=["accuracy"]),
        fit=dict(class_weight={0: 1.0, 1: 3.0, 2: 0.5})),
    fit("batch normalization, images of uint8", small_images,
        layers=["Flatten", ("BatchNormalization", dict(momentum=0.8)), ("Dense", dict(units=5, use_bias=False)),
                "BatchNormalization", ("Activation", dict(activation="relu")), ("Dense", dict(units=3))],
        compile=dict(optimizer=made_optimizer("SGD", learning_rate=0.05), metrics=["accuracy"],
                     loss=Made("losses", "SparseCategoricalCrossentropy", dict(from_logits=True)))),
    fit("regularizers, constraints, a frozen layer", regression,
        layers=[("Dense", dict(units=4, activation="tanh", trainable=False)),
                ("Dense", dict(units=5, kernel_regularizer="l2", bias_regularizer=Made("regularizers", "L1"),
                               activity_regularizer=Made("regularizers", "L2", dict(l2=0.1)))),
                ("Dense", dict(units=2, kernel_constraint=Made("constraints", "MaxNorm", dict(max_value=0.7)),
                               bias_constraint="non_neg"))],
        compile=dict(optimizer=made_optimizer("SGD", learning_rate=0.1), loss="mse"),
        fit=dict(validation_split=0.2)),
    fit("averages, clipping, accumulation", regression, layers=REGRESSION,
        compile=dict(optimizer=made_optimizer("Adam", learning_rate=0.05, use_ema=True, ema_momentum=0.9,
                                              global_clipnorm=0.5, gradient_accumulation_steps=3), loss="mse")),
    *[fit(f"an embedding, {name}", tokens, layers=EMBEDDING,
          compile=dict(optimizer=made_optimizer(name, learning_rate=0.1, **more), loss="mse"))
      for name, more in [("SGD", {}), ("SGD", dict(momentum=0.9)), ("Adagrad", {}), ("RMSprop", {}), ("Adam", {}),
                         ("AdamW", dict(weight_decay=0.1)), ("Adam", dict(global_clipnorm=0.1))]],
    fit("a schedule, steps_per_epoch, initial_epoch", regression, layers=REGRESSION,
        compile=dict(optimizer=made_optimizer("SGD", learning_rate=STEPWISE), loss="huber"),
        fit=dict(steps_per_epoch=2, epochs=3, initial_epoch=1)),
    fit("one-hot labels, class_weight, precision and AUC", three_classes_one_hot, layers=SOFTMAX,
        compile=dict(optimizer=made_optimizer("Nadam", learning_rate=0.01),
                     loss=Made("losses", "CategoricalCrossentropy", dict(label_smoothing=0.1)),
                     metrics=["precision", Made("metrics", "AUC", dict(num_thresholds=20, name="area")), "AUC"]),
        fit=dict(class_weight={0: 1.0, 1: 3.0, 2: 0.5}, validation_split=0.2)),
    fit("sum of losses, validation_freq", two_classes, layers=SIGMOID, validation=True,
        compile=dict(optimizer=made_optimizer("Adagrad", learning_rate=0.05), metrics=["acc"],
                     loss=Made("losses", "BinaryCrossentropy", dict(reduction="sum"))),
        fit=dict(epochs=4, validation_freq=2, validation_batch_size=5)),
    fit("two outputs, a loss for one", two_in_two_out, model=TWO_IN_TWO_OUT,
        compile=dict(optimizer="adamax", loss={"amount": None, "answer": "bce"}, metrics={"answer": "accuracy"})),
    fit("two outputs, one loss for both", two_in_two_out, model=TWO_IN_TWO_OUT,
        compile=dict(optimizer="sgd", loss="mse")),
    fit("two outputs, losses with weights", two_in_two_out, model=TWO_IN_TWO_OUT, validation=True,
        compile=dict(optimizer=made_optimizer("Adam", learning_rate=0.01), loss=["mse", "binary_crossentropy"],
                     loss_weights=[0.3, 2.0], metrics=[["mae"], ["accuracy"]])),
    fit("two outputs, dicts", two_in_two_out, model=TWO_IN_TWO_OUT, weights=True,
        compile=dict(optimizer=made_optimizer("Adam", learning_rate=0.01),
                     loss={"amount": "mae", "answer": "binary_crossentropy"},
                     loss_weights={"amount": 2.0, "answer": 0.5},
                     metrics={"answer": ["accuracy", "mse"]}, weighted_metrics={"answer": ["accuracy"]})),
]
