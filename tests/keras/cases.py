"""The table of what is compared with Keras. One more layer, loss, metric ... is one more line.

Names and arguments are Keras's; what cdl numbers otherwise (axes) is translated in lua_text.py.
What each kind of line compares, and how exactly, stands in its file in kinds/.
"""

import keras
import numpy

from kinds import (accumulator, activation, constraint, fit, initializer, layer, loss, metric, optimizer,
                   random_layer, regularizer, schedule)
from kinds import data
from kinds.case import normal
from lua_text import Made

# ---- activations: name, arguments ----

ACTIVATIONS = [
    activation("linear"),
    activation("relu"),
    activation("relu", dict(negative_slope=0.1)),
    activation("relu", dict(max_value=2.0)),
    activation("relu", dict(threshold=0.5)),
    activation("relu", dict(negative_slope=0.2, max_value=3.0, threshold=0.5)),
    activation("relu6"),
    activation("leaky_relu"),
    activation("leaky_relu", dict(negative_slope=0.3)),
    activation("elu"),
    activation("elu", dict(alpha=0.5)),
    activation("celu"),
    activation("celu", dict(alpha=2.0)),
    activation("selu"),
    activation("gelu"),
    activation("gelu", dict(approximate=True)),
    activation("silu"),
    activation("sigmoid"),
    activation("tanh"),
    activation("softplus"),
    activation("softsign"),
    activation("exponential", edges=False),
    activation("hard_sigmoid"),
    activation("hard_silu"),
    activation("hard_tanh"),
    activation("log_sigmoid"),
    activation("mish"),
    activation("soft_shrink"),
    activation("soft_shrink", dict(threshold=1.0)),
    activation("hard_shrink"),
    activation("hard_shrink", dict(threshold=1.0)),
    activation("tanh_shrink"),
    activation("threshold", dict(threshold=0.5, default_value=-1.0)),
    activation("squareplus"),
    activation("squareplus", dict(b=1.0)),
    activation("sparse_plus"),
    activation("sparse_sigmoid"),
    activation("softmax"),
    activation("softmax", dict(axis=0)),
    activation("log_softmax"),
    activation("log_softmax", dict(axis=0)),
    activation("sparsemax"),
    activation("glu"),
]

# ---- layers: name, arguments, shape of the input ----

HALF = Made("initializers", "Constant", dict(value=0.5))

LAYERS = [
    layer("Dense", dict(units=5)),
    layer("Dense", dict(units=5, activation="relu")),
    layer("Dense", dict(units=5, activation="tanh")),
    layer("Dense", dict(units=5, activation="sigmoid")),
    layer("Dense", dict(units=5, activation="softmax")),
    layer("Dense", dict(units=5, activation="gelu")),
    layer("Dense", dict(units=3, use_bias=False)),
    layer("Dense", dict(units=3, use_bias=False, activation="relu")),
    layer("Dense", dict(units=7, activation="relu"), x=(4, 6, 3)),
    layer("Dense", dict(units=2, activation="tanh"), x=(2, 3, 4, 5)),
    layer("Dense", dict(units=33, activation="relu"), x=(70, 129)),
    layer("Dense", dict(units=1), x=(1, 1)),
    layer("Activation", dict(activation="elu")),
    layer("Activation", dict(activation="softmax"), x=(4, 2, 3)),
    layer("Flatten", x=(4, 2, 3)),
    layer("Flatten", x=(4, 2, 3, 2)),
    layer("Flatten", x=(4,)),
    layer("Reshape", dict(target_shape=(3, 2)), x=(4, 2, 3)),
    layer("Reshape", dict(target_shape=(-1, 2)), x=(4, 2, 3)),
    layer("Reshape", dict(target_shape=(6,)), x=(4, 2, 3)),
    layer("BatchNormalization", x=(8, 3)),
    layer("BatchNormalization", x=(4, 2, 3, 5)),
    layer("BatchNormalization", dict(axis=1), x=(4, 3, 2)),
    layer("BatchNormalization", dict(momentum=0.6, epsilon=0.1), x=(8, 3)),
    layer("BatchNormalization", dict(center=False), x=(8, 3)),
    layer("BatchNormalization", dict(scale=False), x=(8, 3)),
    layer("BatchNormalization", dict(center=False, scale=False), x=(8, 3)),
    layer("BatchNormalization", dict(trainable=False), x=(8, 3)),
    layer("BatchNormalization", x=(1, 3)),
    layer("Dropout", dict(rate=0.0)),
    random_layer("Dropout", dict(rate=0.3, seed=1)),
    random_layer("Dropout", dict(rate=0.9, seed=1)),
    random_layer("Dropout", dict(rate=0.5, noise_shape=(200, 1), seed=2)),
    random_layer("Dropout", dict(rate=0.5, noise_shape=(1, 300), seed=2)),
]

# ---- losses: name, arguments, data ----

SMOOTH = dict(label_smoothing=0.1)
LOGITS = dict(from_logits=True)
SMOOTH_LOGITS = SMOOTH | LOGITS

LOSSES = [
    *(loss(name, data=sort, corners=data.NUMBER_CORNERS)
      for name in ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "LogCosh", "Huber")
      for sort in (data.numbers, data.sequences, data.vectors)),
    loss("MeanSquaredLogarithmicError", data=data.positive_numbers, corners=data.NUMBER_CORNERS),
    loss("Huber", dict(delta=0.3), data=data.numbers, corners=data.NUMBER_CORNERS),
    loss("CosineSimilarity", data=data.numbers, corners=data.NUMBER_CORNERS),
    loss("CosineSimilarity", dict(axis=1), data=data.sequences),
    loss("Poisson", data=data.positive_numbers),
    loss("KLDivergence", data=data.categorical, corners=data.CATEGORICAL_CORNERS),
    loss("Hinge", data=data.signs, corners=data.NUMBER_CORNERS),
    loss("Hinge", data=data.bits, corners=data.BINARY_CORNERS),
    loss("SquaredHinge", data=data.signs),
    loss("SquaredHinge", data=data.bits, corners=data.BINARY_CORNERS),
    loss("CategoricalHinge", data=data.categorical_scores, corners=data.CATEGORICAL_CORNERS),
    loss("Dice", data=data.binary),
    loss("Dice", dict(axis=-1), data=data.binary),
    loss("Dice", dict(axis=[1, 2]), data=data.sequences, relative=1e-4),
    loss("Tversky", data=data.binary),
    loss("Tversky", dict(alpha=0.3, beta=0.7), data=data.binary),
    loss("BinaryCrossentropy", data=data.binary, corners=data.BINARY_CORNERS),
    loss("BinaryCrossentropy", data=data.single_binary),
    loss("BinaryCrossentropy", SMOOTH, data=data.binary, corners=data.BINARY_CORNERS),
    loss("BinaryCrossentropy", LOGITS, data=data.bits, corners=data.SCORE_CORNERS),
    loss("BinaryCrossentropy", SMOOTH_LOGITS, data=data.bits, corners=data.SCORE_CORNERS),
    loss("BinaryCrossentropy", dict(axis=1), data=data.categorical_sequences),
    loss("BinaryCrossentropy", data=data.bits, after="sigmoid"),
    loss("BinaryFocalCrossentropy", data=data.binary, corners=data.BINARY_CORNERS),
    loss("BinaryFocalCrossentropy", dict(apply_class_balancing=True, alpha=0.4, gamma=1.5), data=data.binary),
    loss("BinaryFocalCrossentropy", SMOOTH_LOGITS, data=data.bits),
    loss("CategoricalCrossentropy", data=data.categorical, corners=data.CATEGORICAL_CORNERS),
    loss("CategoricalCrossentropy", SMOOTH, data=data.categorical, corners=data.CATEGORICAL_CORNERS),
    loss("CategoricalCrossentropy", LOGITS, data=data.categorical_scores, corners=data.CATEGORICAL_CORNERS),
    loss("CategoricalCrossentropy", SMOOTH_LOGITS, data=data.categorical_scores),
    loss("CategoricalCrossentropy", data=data.categorical_sequences),
    loss("CategoricalCrossentropy", dict(axis=1), data=data.labels_first),
    loss("CategoricalCrossentropy", data=data.categorical_scores, after="softmax"),
    loss("CategoricalCrossentropy", SMOOTH, data=data.categorical_scores, after="softmax"),
    loss("CategoricalFocalCrossentropy", data=data.categorical, corners=data.CATEGORICAL_CORNERS),
    loss("CategoricalFocalCrossentropy", dict(alpha=0.4, gamma=1.5), data=data.categorical),
    loss("CategoricalFocalCrossentropy", SMOOTH_LOGITS, data=data.categorical_scores),
    loss("SparseCategoricalCrossentropy", data=data.sparse, corners=data.SPARSE_CORNERS),
    loss("SparseCategoricalCrossentropy", data=data.sparse_columns),
    loss("SparseCategoricalCrossentropy", data=data.sparse_sequences),
    loss("SparseCategoricalCrossentropy", LOGITS, data=data.sparse_scores, corners=data.SPARSE_CORNERS),
    loss("SparseCategoricalCrossentropy", dict(ignore_class=1), data=data.sparse),
    loss("SparseCategoricalCrossentropy", dict(ignore_class=1) | LOGITS, data=data.sparse_scores),
    loss("SparseCategoricalCrossentropy", data=data.sparse_scores, after="softmax"),
    loss("SparseCategoricalCrossentropy", dict(ignore_class=1), data=data.sparse_scores, after="softmax"),
    loss("CategoricalGeneralizedCrossEntropy", data=data.sparse),
    loss("CategoricalGeneralizedCrossEntropy", dict(q=0.3), data=data.sparse),
]

# ---- metrics: name, arguments, data ----

METRICS = [
    *(metric(name, data=data.numbers, masked=True)
      for name in ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "LogCoshError",
                   "CosineSimilarity")),
    metric("MeanSquaredError", data=data.vectors),
    metric("RootMeanSquaredError", data=data.numbers),
    metric("MeanSquaredLogarithmicError", data=data.positive_numbers, masked=True),
    metric("Poisson", data=data.positive_numbers, masked=True),
    metric("KLDivergence", data=data.categorical, masked=True),
    metric("Hinge", data=data.signs, masked=True),
    metric("SquaredHinge", data=data.bits, masked=True),
    metric("CategoricalHinge", data=data.categorical_scores, masked=True),
    metric("BinaryCrossentropy", data=data.binary, masked=True),
    metric("BinaryCrossentropy", SMOOTH_LOGITS, data=data.bits),
    metric("CategoricalCrossentropy", data=data.categorical, masked=True),
    metric("CategoricalCrossentropy", SMOOTH_LOGITS, data=data.categorical_scores),
    metric("SparseCategoricalCrossentropy", data=data.sparse, masked=True),
    metric("SparseCategoricalCrossentropy", LOGITS, data=data.sparse_scores),
    metric("SparseCategoricalCrossentropy", dict(ignore_class=1), data=data.sparse),
    metric("Accuracy", data=data.classes, masked=True),
    metric("BinaryAccuracy", data=data.binary, masked=True),
    metric("BinaryAccuracy", data=data.single_binary),
    metric("BinaryAccuracy", dict(threshold=0.3), data=data.binary),
    metric("CategoricalAccuracy", data=data.categorical, masked=True),
    metric("CategoricalAccuracy", data=data.ties),
    metric("CategoricalAccuracy", data=data.categorical_sequences),
    metric("SparseCategoricalAccuracy", data=data.sparse, masked=True),
    metric("SparseCategoricalAccuracy", data=data.sparse_columns),
    metric("SparseCategoricalAccuracy", data=data.sparse_sequences),
    metric("SparseCategoricalAccuracy", data=data.sparse_ties),
    metric("TopKCategoricalAccuracy", dict(k=2), data=data.categorical, masked=True),
    metric("TopKCategoricalAccuracy", dict(k=2), data=data.ties),
    metric("SparseTopKCategoricalAccuracy", dict(k=2), data=data.sparse, masked=True),
    metric("SparseTopKCategoricalAccuracy", dict(k=2), data=data.sparse_ties),
    metric("SparseTopKCategoricalAccuracy", dict(k=3), data=data.sparse),
    accumulator("Mean", ()),
    accumulator("Mean", (6,)),
    accumulator("Mean", (6, 3, 2)),
    accumulator("Mean", (6,), weights=(6,)),
    accumulator("Mean", (6, 3), weights=(6,)),
    accumulator("Mean", (6, 3), weights=(6, 1)),
    accumulator("Mean", (6, 3), weights=(6, 3)),
    accumulator("Mean", (6, 3, 2), weights=(6, 3)),
    accumulator("Mean", (), weights=()),
    accumulator("Sum", (6, 3)),
    accumulator("Sum", (6, 3), weights=(6,)),
    accumulator("Sum", (6, 3), weights=(6, 3)),
]
CASES = ACTIVATIONS + LAYERS + LOSSES + METRICS
