"""Labels and predictions of all sorts for losses and metrics: functions of a random generator."""

import numpy

from kinds.case import normal

# Few shapes, because JAX compiles every function for each.
ROWS, CLASSES = 6, 4


def softmax(x):
    e = numpy.exp(x - x.max(axis=-1, keepdims=True))
    return (e / e.sum(axis=-1, keepdims=True)).astype("float32")


def one_hot(labels, classes=CLASSES):
    return numpy.eye(classes, dtype="float32")[labels]


def numbers(random):
    return normal(random, (ROWS, CLASSES)), normal(random, (ROWS, CLASSES))


def sequences(random):
    return normal(random, (ROWS, 5, CLASSES)), normal(random, (ROWS, 5, CLASSES))


def vectors(random):
    """Labels without the last axis of 1 that predictions have."""
    return normal(random, (ROWS,)), normal(random, (ROWS, 1))


def positive_numbers(random):
    return (random.uniform(0.1, 3, (ROWS, CLASSES)).astype("float32"),
            random.uniform(0.1, 3, (ROWS, CLASSES)).astype("float32"))


def signs(random):
    return (random.choice([-1, 1], (ROWS, CLASSES)).astype("float32"), normal(random, (ROWS, CLASSES)))


def bits(random):
    """Labels 0 and 1 and scores of any sign."""
    return (random.integers(0, 2, (ROWS, CLASSES)).astype("float32"), normal(random, (ROWS, CLASSES)))


def binary(random):
    """Labels 0 and 1 and probabilities."""
    return (random.integers(0, 2, (ROWS, CLASSES)).astype("float32"),
            random.uniform(0.02, 0.98, (ROWS, CLASSES)).astype("float32"))


def single_binary(random):
    """One yes-or-no question a row; integer labels without the last axis."""
    return (random.integers(0, 2, (ROWS, 1)).astype("int32"),
            random.uniform(0.02, 0.98, (ROWS, 1)).astype("float32"))


def categorical(random):
    """One-hot labels and probabilities."""
    return one_hot(random.integers(0, CLASSES, ROWS)), softmax(normal(random, (ROWS, CLASSES)))


def categorical_scores(random):
    """One-hot labels and scores (logits)."""
    return one_hot(random.integers(0, CLASSES, ROWS)), normal(random, (ROWS, CLASSES), 3)


def categorical_sequences(random):
    return (one_hot(random.integers(0, CLASSES, (ROWS, 5))),
            softmax(normal(random, (ROWS, 5, CLASSES))))


def sparse(random):
    """Integer labels and probabilities."""
    return random.integers(0, CLASSES, ROWS).astype("int32"), softmax(normal(random, (ROWS, CLASSES)))


def sparse_columns(random):
    """Integer labels with a last axis of 1."""
    return (random.integers(0, CLASSES, (ROWS, 1)).astype("int64"),
            softmax(normal(random, (ROWS, CLASSES))))


def sparse_scores(random):
    return random.integers(0, CLASSES, ROWS).astype("int32"), normal(random, (ROWS, CLASSES), 3)


def sparse_sequences(random):
    return (random.integers(0, CLASSES, (ROWS, 5)).astype("uint8"),
            softmax(normal(random, (ROWS, 5, CLASSES))))


def labels_first(random):
    """Probabilities with the classes on axis 1 (Keras's number)."""
    y_true, y_pred = categorical_sequences(random)
    return numpy.moveaxis(y_true, -1, 1).copy(), numpy.moveaxis(y_pred, -1, 1).copy()


def classes(random):
    """Two columns of class numbers."""
    return (random.integers(0, CLASSES, (ROWS,)).astype("int32"),
            random.integers(0, CLASSES, (ROWS,)).astype("int32"))


def scored_classes(random):
    """Labels and all classes, best first."""
    return (random.integers(0, CLASSES, ROWS).astype("int32"),
            numpy.stack([random.permutation(CLASSES) for _ in range(ROWS)]).astype("int32"))


def ties(random):
    """Scores of a few levels, so that many are equal."""
    return (one_hot(random.integers(0, CLASSES, ROWS)),
            (random.integers(0, 3, (ROWS, CLASSES)) / 2).astype("float32"))


def sparse_ties(random):
    return (random.integers(0, CLASSES, ROWS).astype("int32"),
            (random.integers(0, 3, (ROWS, CLASSES)) / 2).astype("float32"))


def binary_vectors(random):
    return random.integers(0, 2, ROWS).astype("float32"), random.random(ROWS).astype("float32")


def transcripts(random):
    """Rows of labels of several lengths, filled up with blanks, and logits of more steps."""
    labels = random.integers(1, CLASSES, (ROWS, 3)).astype("int32")
    labels[1, 1:] = labels[2, 2:] = 0
    return labels, normal(random, (ROWS, 8, CLASSES), 2)


def repeated_transcripts(random):
    """Labels that follow themselves, which wants a blank between; few steps."""
    labels = numpy.array([[1, 1, 1], [2, 2, 0], [3, 1, 1], [0, 0, 0]], "int32")
    return labels, normal(random, (4, 5, CLASSES), 2)


def embeddings(random):
    """Class numbers and vectors of norm 1."""
    vectors_ = normal(random, (ROWS, CLASSES))
    return (random.integers(0, 3, ROWS).astype("int32"),
            vectors_ / numpy.linalg.norm(vectors_, axis=1, keepdims=True))


# Corners: every label with probabilities at and near the ends of [0, 1].
_ENDS = numpy.array([0, 1e-9, 1e-7, 2e-7, 0.5, 1 - 2e-7, 1 - 1e-7, 1], "float32")
BINARY_CORNERS = (numpy.repeat(numpy.array([[0], [1]], "float32"), 8, axis=1).reshape(-1, 1),
                  numpy.concatenate([_ENDS, _ENDS]).reshape(-1, 1))
SCORE_CORNERS = (BINARY_CORNERS[0], numpy.tile(
    numpy.array([-1e4, -100, -20, 0, 1e-7, 20, 100, 1e4], "float32"), 2).reshape(-1, 1))
_PREDICTIONS = numpy.array([[1, 0, 0, 0], [0, 1, 0, 0], [1e-8, 1, 1e-8, 0], [0.5, 0.5, 0, 0],
                            [0.2, 0.2, 0.2, 0], [3, 1, 0, 0]], "float32")
CATEGORICAL_CORNERS = (one_hot(numpy.zeros(ROWS, int)), _PREDICTIONS)
SPARSE_CORNERS = (numpy.zeros(ROWS, "int32"), _PREDICTIONS)
NUMBER_CORNERS = (numpy.array([0, 0, 1, -1, -2, 5, 1e-8, 3, 0, 1, 0, 7, -0.5, 1e-7, 2, 100],
                              "float32").reshape(-1, 1),
                  numpy.array([0, 1, 1, -1, 0, -5, 0, 3.0001, -1, 1e4, 1e-3, 8, 0.5, -1e-7, 3.5, 99],
                              "float32").reshape(-1, 1))
