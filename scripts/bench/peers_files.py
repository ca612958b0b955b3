"""Saving and loading 100 million float32 parameters with Keras, NumPy and the safetensors library, as
files.lua does it: beside writing (with fsync) and reading as many bytes by dd.

    python3 peers_files.py

Prints one JSON line.
"""

import json
import os
import re
import statistics
import subprocess
import tempfile
import time

import keras
import numpy
from safetensors.numpy import load_file, save_file

SIDE, ROUNDS = 10000, 3
BYTES = 4 * SIDE * SIDE

model = keras.Sequential([keras.Input((SIDE,)), keras.layers.Dense(SIDE, use_bias=False)])
weights = numpy.asarray(model.get_weights()[0])
FORMATS = {
    "keras": (model.save, keras.saving.load_model),
    "npz": (lambda path: numpy.savez(path, weights=weights), lambda path: numpy.load(path)["weights"]),
    "safetensors": (lambda path: save_file({"weights": weights}, path), load_file),
}


def dd(words):
    """What dd says it took, without its start."""
    os.sync()
    done = subprocess.run(["dd", "bs=4M", "iflag=fullblock", *words.split()], capture_output=True,
                          text=True, env={**os.environ, "LC_ALL": "C"}, check=True)
    return float(re.search(r"copied, ([\d.e+-]+) s", done.stderr).group(1))


def seconds(function, path):
    start = time.perf_counter()
    function(path)
    return time.perf_counter() - start


results = {}
with tempfile.TemporaryDirectory() as folder:
    source, plain = f"{folder}/source", f"{folder}/plain"
    with open(source, "wb") as file:
        file.write(weights.tobytes())
    for _ in range(ROUNDS):
        write = dd(f"if={source} of={plain} conv=fsync")
        read = dd(f"if={plain} of=/dev/null bs={BYTES} count=1")
        os.remove(plain)
        for name, (save, load) in FORMATS.items():
            path = f"{folder}/model.{name}"
            os.sync()
            save_s, load_s = seconds(save, path), seconds(load, path)
            os.remove(path)
            for key, value in (("save_s", save_s), ("load_s", load_s), ("save_ratio", save_s / write),
                               ("load_ratio", load_s / read)):
                results.setdefault(f"{name}_{key}", []).append(value)

record = {"workload": "files", "peer": "Keras, NumPy, safetensors"}
for name, values in results.items():
    record[name], record[f"{name}_min"] = statistics.median(values), min(values)
print(json.dumps(record))
