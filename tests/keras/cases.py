"""The table of what is compared with Keras. One more layer, loss, metric ... is one more line.

Names and arguments are Keras's; what cdl numbers otherwise (axes) is translated in lua_text.py.
What each kind of line compares, and how exactly, stands in its file in kinds/. Whole runs of fit
are in fits.py.
"""

from fits import FITS
from kinds import (accumulator, activation, constraint, data, initializer, layer, loss, metric,
                   optimizer, random_layer, regularizer, schedule)
from lua_text import Made

# ---- activations: name, arguments ----

ACTIVATIONS = [
    activation("linear"),
    activation("relu", kinks=(0,)),
    activation("relu", dict(negative_slope=0.1), kinks=(0,)),
    activation("relu", dict(max_value=2.0), kinks=(0, 2)),
    activation("relu", dict(threshold=0.5), kinks=(0.5,)),
    activation("relu", dict(negative_slope=0.2, max_value=3.0, threshold=0.5), kinks=(0.5, 3)),
    activation("relu6", kinks=(6,)),
    activation("leaky_relu", kinks=(0,)),
    activation("leaky_relu", dict(negative_slope=0.3), kinks=(0,)),
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
    activation("hard_sigmoid", kinks=(-3, 3)),
    activation("hard_silu", kinks=(-3, 3)),
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
    activation("sparse_sigmoid", kinks=(-1, 1)),
    activation("softmax"),
    activation("softmax", dict(axis=0)),
    activation("log_softmax"),
    activation("log_softmax", dict(axis=0)),
    activation("sparsemax", differs="Keras adds up all sums of the support, where the last one is wanted"),
    activation("glu"),
]

# ---- layers: name, arguments, shape of the input (integers below `low`) ----

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
    layer("Dense", dict(units=2), x=(4, 3), low=9),
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
    layer("BatchNormalization", x=(8, 3), low=9),
    layer("Dropout", dict(rate=0.0)),
    random_layer("Dropout", dict(rate=0.3, seed=1)),
    random_layer("Dropout", dict(rate=0.9, seed=1)),
    random_layer("Dropout", dict(rate=0.5, noise_shape=(3000, 1), seed=2), x=(3000, 20), absolute=0.06),
    random_layer("Dropout", dict(rate=0.5, noise_shape=(1, 3000), seed=2), x=(20, 3000), absolute=0.06),
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
    loss("Tversky", dict(alpha=0.3, beta=0.7), data=data.binary,
         differs="Keras weights missed positives by alpha, false ones by beta: the reverse of its manual"),
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

# ---- more metrics: counts, curves, scores ----

FEW = dict(num_thresholds=7)

METRICS += [
    *(metric(name, dict(thresholds=thresholds) if thresholds else None, data=data.binary)
      for name in ("TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives", "Precision", "Recall")
      for thresholds in (None, 0.3, [0.2, 0.5, 0.8])),
    metric("Precision", dict(top_k=2), data=data.categorical),
    metric("Recall", dict(top_k=2), data=data.categorical),
    metric("Precision", dict(class_id=1), data=data.binary),
    metric("Recall", dict(class_id=1), data=data.binary),
    metric("Recall", dict(class_id=1, top_k=2), data=data.categorical),
    *(metric("AUC", FEW | dict(curve=curve, summation_method=method), data=data.binary_vectors)
      for curve in ("ROC", "PR", "PRGAIN") for method in ("interpolation", "minoring", "majoring")),
    metric("AUC", data=data.binary),
    metric("AUC", dict(thresholds=[0.3, 0.6]), data=data.binary),
    metric("AUC", dict(from_logits=True), data=data.bits),
    metric("AUC", FEW | dict(multi_label=True, num_labels=4), data=data.binary),
    metric("AUC", FEW | dict(multi_label=True, num_labels=4, label_weights=[1.0, 2.0, 0.5, 1.0]),
           data=data.binary),
    metric("SensitivityAtSpecificity", dict(specificity=0.5), data=data.binary),
    metric("SpecificityAtSensitivity", dict(sensitivity=0.5), data=data.binary),
    metric("PrecisionAtRecall", dict(recall=0.5), data=data.binary),
    metric("RecallAtPrecision", dict(precision=0.5), data=data.binary),
    metric("RecallAtPrecision", dict(precision=0.5, num_thresholds=1), data=data.binary),
    metric("PrecisionAtRecall", dict(recall=0.5, class_id=2), data=data.binary),
    *(metric(name, dict(average=average) | threshold, data=data.categorical, early=False)
      for name in ("FBetaScore", "F1Score") for average in (None, "micro", "macro", "weighted")
      for threshold in ({}, dict(threshold=0.3))),
    metric("FBetaScore", dict(beta=2.0, average="macro"), data=data.categorical, early=False),
    metric("R2Score", data=data.numbers, early=False),
    metric("R2Score", dict(class_aggregation=None), data=data.numbers, early=False),
    metric("R2Score", dict(class_aggregation="variance_weighted_average"), data=data.numbers, early=False),
    metric("R2Score", dict(num_regressors=2), data=data.vectors, early=False),
    metric("R2Score", dict(num_regressors=5), data=data.vectors, early=False),
    metric("R2Score", dict(num_regressors=2), data=data.numbers, early=False,
           differs="Keras 3.15 counts numbers where samples are meant, so it adjusts too little"),
    metric("MeanIoU", dict(num_classes=4), data=data.classes, whole_weights=True),
    metric("MeanIoU", dict(num_classes=4, ignore_class=1), data=data.classes, whole_weights=True),
    metric("IoU", dict(num_classes=4, target_class_ids=[0, 2]), data=data.classes, whole_weights=True),
    metric("IoU", dict(num_classes=4, target_class_ids=[0, 2], sparse_y_pred=False), data=data.sparse,
           whole_weights=True),
    metric("BinaryIoU", data=data.binary_vectors, whole_weights=True),
    metric("BinaryIoU", dict(target_class_ids=[1], threshold=0.3), data=data.binary_vectors,
           whole_weights=True),
    metric("OneHotIoU", dict(num_classes=4, target_class_ids=[0, 2]), data=data.categorical,
           whole_weights=True),
    metric("OneHotMeanIoU", dict(num_classes=4), data=data.categorical, whole_weights=True),
]

# ---- schedules: name, arguments ----

SCHEDULES = [
    *(schedule(name, dict(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.9, staircase=staircase))
      for name in ("ExponentialDecay", "InverseTimeDecay") for staircase in (False, True)),
    schedule("PiecewiseConstantDecay", dict(boundaries=[3, 10, 50], values=[1.0, 0.5, 0.1, 0.01])),
    schedule("PiecewiseConstantDecay", dict(boundaries=[2.5, 10.0], values=[1.0, 0.5, 0.1])),
    schedule("PolynomialDecay", dict(initial_learning_rate=0.1, decay_steps=30)),
    schedule("PolynomialDecay", dict(initial_learning_rate=0.1, decay_steps=10, end_learning_rate=0.01,
                                     power=2.0)),
    schedule("PolynomialDecay", dict(initial_learning_rate=0.1, decay_steps=10, end_learning_rate=0.01,
                                     cycle=True)),
    schedule("CosineDecay", dict(initial_learning_rate=0.1, decay_steps=30)),
    schedule("CosineDecay", dict(initial_learning_rate=0.1, decay_steps=30, alpha=0.2)),
    schedule("CosineDecay", dict(initial_learning_rate=0.0, decay_steps=20, warmup_target=0.1, warmup_steps=10)),
    schedule("CosineDecay", dict(initial_learning_rate=0.01, decay_steps=20, alpha=0.1, warmup_target=0.1,
                                 warmup_steps=10)),
    schedule("CosineDecay", dict(initial_learning_rate=0.01, decay_steps=20, warmup_target=0.1)),
    schedule("CosineDecayRestarts", dict(initial_learning_rate=0.1, first_decay_steps=10)),
    schedule("CosineDecayRestarts", dict(initial_learning_rate=0.1, first_decay_steps=10, t_mul=1.0, m_mul=0.8)),
    schedule("CosineDecayRestarts", dict(initial_learning_rate=0.1, first_decay_steps=7, t_mul=1.5, m_mul=0.9,
                                         alpha=0.1)),
]

# ---- initializers: name, arguments, shape ----

SEED = dict(seed=3)

INITIALIZERS = [
    initializer("Zeros", shape=(2, 3), exact=True),
    initializer("Ones", shape=(2, 3), exact=True),
    initializer("Constant", dict(value=2.5), shape=(2, 3), exact=True),
    initializer("Identity", shape=(3, 5), exact=True),
    initializer("Identity", dict(gain=2.0), shape=(4, 3), exact=True),
    initializer("RandomNormal", SEED),
    initializer("RandomNormal", dict(mean=1.0, stddev=2.0) | SEED),
    initializer("TruncatedNormal", SEED),
    initializer("TruncatedNormal", dict(mean=1.0, stddev=2.0) | SEED),
    initializer("RandomUniform", SEED),
    initializer("RandomUniform", dict(minval=-1.0, maxval=3.0) | SEED),
    *(initializer(name, SEED, shape=shape)
      for name in ("GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal")
      for shape in ((200, 300), (3, 3, 70, 100))),
    initializer("GlorotUniform", SEED, shape=(50000,)),
    *(initializer("VarianceScaling", dict(scale=3.0, mode=mode, distribution=distribution) | SEED)
      for mode in ("fan_in", "fan_out", "fan_avg")
      for distribution in ("truncated_normal", "untruncated_normal", "uniform")),
    initializer("Orthogonal", SEED, shape=(60, 200), absolute=0.1),
    initializer("Orthogonal", dict(gain=2.0) | SEED, shape=(200, 60), absolute=0.1),
    initializer("Orthogonal", SEED, shape=(3, 3, 8, 40), absolute=0.2),
]

# ---- regularizers and constraints: name, arguments ----

REGULARIZERS = [
    regularizer("L1"),
    regularizer("L1", dict(l1=0.3)),
    regularizer("L2"),
    regularizer("L2", dict(l2=0.3), shape=(3, 2, 4)),
    regularizer("L1L2", dict(l1=0.1, l2=0.2)),
    regularizer("OrthogonalRegularizer"),
    regularizer("OrthogonalRegularizer", dict(factor=0.5, mode="columns")),
]

CONSTRAINTS = [
    constraint("MaxNorm"),
    constraint("MaxNorm", dict(max_value=1.0, axis=1)),
    constraint("MaxNorm", dict(max_value=1.0, axis=[0, 1, 2]), shape=(3, 3, 2, 4)),
    constraint("NonNeg"),
    constraint("UnitNorm"),
    constraint("UnitNorm", dict(axis=1)),
    constraint("MinMaxNorm", dict(min_value=0.5, max_value=1.5)),
    constraint("MinMaxNorm", dict(min_value=0.5, max_value=1.5, rate=0.3, axis=1)),
]

# ---- optimizers: name, arguments ----

DECAY = Made("schedules", "ExponentialDecay", dict(initial_learning_rate=0.2, decay_steps=2, decay_rate=0.5))
RATE = dict(learning_rate=0.1)
EMA = dict(use_ema=True, ema_momentum=0.8)

OPTIMIZERS = [
    optimizer("SGD"),
    optimizer("SGD", RATE | dict(momentum=0.9)),
    optimizer("SGD", RATE | dict(momentum=0.9, nesterov=True)),
    optimizer("SGD", RATE | dict(nesterov=True)),
    optimizer("SGD", RATE | dict(weight_decay=0.1)),
    optimizer("SGD", RATE | dict(clipnorm=1.0)),
    optimizer("SGD", RATE | dict(clipvalue=0.5)),
    optimizer("SGD", RATE | dict(global_clipnorm=1.0)),
    optimizer("SGD", RATE | dict(global_clipnorm=1000.0)),
    optimizer("SGD", RATE | EMA, finalize=True),
    optimizer("SGD", RATE | EMA | dict(ema_overwrite_frequency=2), steps=5, finalize=True),
    optimizer("SGD", RATE | dict(gradient_accumulation_steps=2), steps=5),
    optimizer("SGD", RATE | dict(gradient_accumulation_steps=3, momentum=0.9, clipnorm=1.0), steps=7),
    optimizer("SGD", RATE | dict(loss_scale_factor=8.0)),
    optimizer("SGD", dict(learning_rate=DECAY)),
    optimizer("SGD", dict(learning_rate=DECAY, gradient_accumulation_steps=2), steps=5),
    optimizer("SGD", RATE | dict(momentum=0.9), assign=dict(learning_rate=0.5)),
    optimizer("RMSprop"),
    optimizer("RMSprop", RATE | dict(rho=0.5)),
    optimizer("RMSprop", RATE | dict(momentum=0.9)),
    optimizer("RMSprop", RATE | dict(centered=True)),
    optimizer("RMSprop", RATE | dict(momentum=0.9, centered=True, epsilon=1e-3)),
    optimizer("RMSprop", RATE | dict(weight_decay=0.1, clipvalue=1.0)),
    optimizer("Adam"),
    optimizer("Adam", RATE | dict(beta_1=0.5, beta_2=0.8, epsilon=1e-3)),
    optimizer("Adam", RATE | dict(amsgrad=True)),
    optimizer("Adam", RATE | dict(weight_decay=0.1, global_clipnorm=1.0)),
    optimizer("Adam", RATE | EMA, finalize=True),
    optimizer("Adam", RATE | dict(gradient_accumulation_steps=2), steps=5),
    optimizer("Adam", RATE | dict(gradient_accumulation_steps=2, use_ema=True, ema_overwrite_frequency=2),
              steps=9),
    optimizer("Adam", dict(learning_rate=DECAY)),
    optimizer("Adam", RATE, assign=dict(learning_rate=0.01)),
    optimizer("AdamW"),
    optimizer("AdamW", RATE | dict(weight_decay=0.1)),
    optimizer("AdamW", RATE | dict(weight_decay=0.1, amsgrad=True, clipnorm=1.0)),
    optimizer("Adamax"),
    optimizer("Adamax", RATE | dict(beta_1=0.5, beta_2=0.8)),
    optimizer("Nadam"),
    optimizer("Nadam", RATE | dict(beta_1=0.5, beta_2=0.8)),
    optimizer("Adagrad"),
    optimizer("Adagrad", RATE | dict(initial_accumulator_value=0.5)),
    optimizer("Adadelta"),
    optimizer("Adadelta", dict(learning_rate=1.0, rho=0.5, epsilon=1e-3)),
    optimizer("Ftrl"),
    optimizer("Ftrl", RATE | dict(l1_regularization_strength=0.1, l2_regularization_strength=0.2, beta=0.3,
                                  l2_shrinkage_regularization_strength=0.1)),
    optimizer("Ftrl", RATE | dict(learning_rate_power=-0.7)),
    optimizer("Lion"),
    optimizer("Lion", RATE | dict(beta_1=0.5, beta_2=0.8, weight_decay=0.1)),
    optimizer("Lamb"),
    optimizer("Lamb", RATE | dict(weight_decay=0.1)),
    # Keras keeps a matrix's whole velocity too, and places for what vectors have not.
    optimizer("Adafactor", state=False),
    optimizer("Adafactor", RATE | dict(relative_step=False, clip_threshold=0.5), shapes=[(3, 4), (2, 3, 4)],
              state=False),
]

CASES = (ACTIVATIONS + LAYERS + LOSSES + METRICS + SCHEDULES + INITIALIZERS + REGULARIZERS + CONSTRAINTS
         + OPTIMIZERS + FITS)
