"""What TensorBoard's files cost in Keras and in PyTorch: the same calls as in tensorboard.lua.

    python3 peers_tensorboard.py --peer keras|torch

Prints one JSON line. Keras writes through TensorFlow, PyTorch through its SummaryWriter.
"""

import argparse
import json
import statistics
import tempfile
import time

import numpy

parser = argparse.ArgumentParser()
parser.add_argument("--peer", choices=["keras", "torch"], required=True)
peer = parser.parse_args().peer
generator = numpy.random.default_rng(1)
million = generator.standard_normal(1_000_000).astype("float32")


def middle(write, count, first=2):
    """Seconds of a call, the middle of several."""
    times = []
    for step in range(count):
        start = time.perf_counter()
        write(step)
        times.append(time.perf_counter() - start)
    return statistics.median(times[first:])


def keras_rows(folder):
    import keras
    import tensorflow

    def epochs(callbacks):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
        x, y = generator.standard_normal((8000, 4)), generator.standard_normal((8000, 1))
        ends = []
        clock = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: ends.append(time.perf_counter()),
            on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
        model.fit(x, y, batch_size=8, epochs=3, verbose=0, callbacks=[clock, *callbacks])
        return min(ends[3] - ends[2], ends[5] - ends[4])

    def imdb(callbacks):
        layers = keras.layers
        model = keras.Sequential([
            keras.Input((500,), dtype="int32"), layers.Embedding(2000, 128),
            layers.Conv1D(32, 7, activation="relu"), layers.MaxPooling1D(5),
            layers.Conv1D(32, 7, activation="relu"), layers.GlobalMaxPooling1D(),
            layers.Dense(1, activation="sigmoid")])
        model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["acc"])
        x, y = generator.integers(0, 2000, (1024, 500)), generator.integers(0, 2, (1024, 1))
        begins = []
        clock = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: begins.append(time.perf_counter()),
            on_train_end=lambda logs: begins.append(time.perf_counter()))
        model.fit(x, y, batch_size=128, epochs=5, verbose=0, validation_split=0.25,
                  callbacks=[*callbacks, clock])
        return min(end - begin for begin, end in zip(begins[1:], begins[2:]))

    board = keras.callbacks.TensorBoard
    plain, watched = imdb([]), imdb([board(folder + "/imdb", histogram_freq=1)])
    without = epochs([])
    scalars = epochs([board(folder + "/scalars", update_freq="batch", write_graph=False)]) - without
    writer = tensorflow.summary.create_file_writer(folder + "/histogram")
    with writer.as_default():
        histogram = middle(lambda step: tensorflow.summary.histogram("x", million, step=step), 8)
    return {"two_scalars_us": 1e6 * scalars / 1000, "histogram_ms": 1e3 * histogram,
            "imdb_epoch_s": watched, "imdb_ratio": watched / plain}


def torch_rows(folder):
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(folder)

    def two_scalars(step):
        for k in range(100):
            writer.add_scalar("batch_loss", 0.5, 100 * step + k)
            writer.add_scalar("batch_mae", 0.25, 100 * step + k)

    return {"two_scalars_us": 1e6 * middle(two_scalars, 20) / 100,
            "histogram_ms": 1e3 * middle(lambda step: writer.add_histogram("x", million, step), 8)}


with tempfile.TemporaryDirectory() as folder:
    rows = keras_rows(folder) if peer == "keras" else torch_rows(folder)
names = {"keras": "Keras", "torch": "PyTorch's SummaryWriter"}
print(json.dumps({"workload": "tensorboard", "peer": names[peer], **rows}))
