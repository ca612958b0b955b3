"""Reads what cdl writes with the real TensorBoard: its loader, and a server on the loopback that is
asked what a browser would ask.

    python3 read.py CDL [--environment FOLDER] [--keep FOLDER]

CDL is the program. TensorBoard must be there in the version of tests/keras/requirements.txt: in
this Python, or in the virtual environment in FOLDER, which scripts/check makes. Prints a line for
each failure, the answers of the server by plug-in, and a summary. --keep leaves what was written in
a folder, to be looked at with a browser.
"""

import argparse
import collections
import contextlib
import json
import logging
import math
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

sys.dont_write_bytecode = True  # the source tree stays as it is
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # where TensorFlow is installed, too
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
HERE = pathlib.Path(__file__).parent

if "--environment" in sys.argv[:-1]:
    at = sys.argv.index("--environment")
    environment = pathlib.Path(sys.argv[at + 1]).resolve()
    if not (environment / "made-from.txt").exists():
        sys.exit(f"There is no environment with TensorBoard in {environment}: scripts/check makes it "
                 "from tests/keras/requirements.txt, for which it needs a network.")
    python = str(environment / "bin" / "python")
    os.execv(python, [python, *sys.argv[:at], *sys.argv[at + 2:]])

try:
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.compat.proto import event_pb2
    from tensorboard.plugins.hparams import plugin_data_pb2
except ImportError as error:
    sys.exit(f"{error}\nThe test wants the tensorboard of tests/keras/requirements.txt.")

passed, failed = 0, 0


def check(what, good):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"failed: {what}")


def equal(what, got, wanted):
    check(f"{what}: got {got!r}, wanted {wanted!r}", got == wanted)


# ---- the records, without TensorBoard ----

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    TABLE.append(byte)


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    """Pairs of a record's end and its payload; what is wrong with it raises."""
    place = 0
    while place < len(data):
        size, crc = struct.unpack_from("<QI", data, place)
        assert crc == masked_crc(data[place:place + 8]), f"the size at byte {place}"
        payload = data[place + 12:place + 12 + size]
        crc, = struct.unpack_from("<I", data, place + 12 + size)
        assert crc == masked_crc(payload), f"the payload at byte {place}"
        place += 16 + size
        yield place, payload


def check_records(folder):
    files = sorted(folder.rglob("*tfevents*"))
    count = 0
    for path in files:
        events = [event_pb2.Event.FromString(payload) for _, payload in records(path.read_bytes())]
        count += len(events)
        equal(f"{path.name} begins with its version", events[0].file_version, "brain.Event:2")
        check(f"{path.name} has times", all(abs(e.wall_time - time.time()) < 600 for e in events))
    check("there are files", len(files) >= 9)
    print(f"{count} records in {len(files)} files have their checksums")


# ---- the loader ----

def accumulate(folder):
    everything = {kind: 0 for kind in event_accumulator.DEFAULT_SIZE_GUIDANCE}
    loader = event_accumulator.EventAccumulator(str(folder), everything)
    loader.Reload()
    return loader


def steps(events):
    return [event.step for event in events]


def check_fit(folder):
    train, validation = accumulate(folder / "train"), accumulate(folder / "validation")
    equal("scalars of train", set(train.Tags()["scalars"]), {
        "batch_loss", "batch_accuracy", "batch_steps_per_second", "epoch_loss", "epoch_accuracy",
        "epoch_learning_rate", "epoch_steps_per_second"})
    equal("scalars of validation", set(validation.Tags()["scalars"]), {
        "epoch_loss", "epoch_accuracy", "evaluation_loss_vs_iterations",
        "evaluation_accuracy_vs_iterations"})
    for loader in train, validation:
        equal("the epochs of two fits", steps(loader.Scalars("epoch_loss")), [1, 2, 3, 4, 5, 6])
    equal("batches", steps(train.Scalars("batch_loss")), list(range(1, 19)))
    equal("iterations", steps(validation.Scalars("evaluation_loss_vs_iterations")),
          [3, 6, 9, 12, 15, 18])
    # The running mean at the epoch's last batch is the epoch's.
    last = {event.step: event.value for event in train.Scalars("batch_loss")}
    for event in train.Scalars("epoch_loss"):
        equal("batch_loss and epoch_loss", last[3 * event.step], event.value)
    weights = ["embed/embeddings", "conv/kernel", "conv/bias", "score/kernel", "score/bias"]
    layers = ["embed", "conv", "pool", "score"]
    equal("histograms", set(train.Tags()["histograms"]),
          {f"sequential/{name}/histogram" for name in weights}
          | {f"sequential/{name}/gradient/histogram" for name in weights}
          | {f"{name}/activation/histogram" for name in layers})
    histogram = train.Histograms("sequential/embed/embeddings/histogram")[-1].histogram_value
    equal("elements of a histogram", (histogram.num, sum(histogram.bucket)), (120, 120))
    check("images", "sequential/score/kernel/image" in train.Tags()["images"])
    check("graph", [node.name for node in train.Graph().node][:2] == ["words", "embed/embeddings"])
    tensors = (folder / "projector" / "embed" / "tensors.tsv").read_text().splitlines()
    equal("rows of the embedding", [len(line.split("\t")) for line in tensors], [6] * 20)


def check_writer(folder):
    loader = accumulate(folder)
    tags = loader.Tags()
    equal("steps", steps(loader.Scalars("plain")), [1, 2, 3, 4, 5])
    equal("values", [event.value for event in loader.Scalars("plain")], [0.5, 1, 1.5, 2, 2.5])
    equal("a name of many letters", loader.Scalars("größe/mit leerzeichen")[4].value, 5)
    odd = [event.value for event in loader.Scalars("not/finite")]
    check("nan and inf", math.isnan(odd[1]) and odd[2] == math.inf and odd[3] == 4)
    equal("elements left out", loader.Scalars("some nan/nonfinite")[0].value, 2)
    equal("elements counted", loader.Histograms("some nan")[0].histogram_value.num, 3)
    equal("no elements", loader.Histograms("empty")[0].histogram_value.num, 0)
    equal("one image", (loader.Images("one")[0].width, loader.Images("one")[0].height), (7, 5))
    equal("tensors", set(tags["tensors"]), {"curve", "samples", "note", "table",
                                            "custom_scalars__config__"})
    check("graph", tags["graph"])


def check_hparams(folder):
    data = [payload for path in folder.rglob("*tfevents*") for _, payload in records(path.read_bytes())]
    found = collections.Counter()
    for payload in data:
        for value in event_pb2.Event.FromString(payload).summary.value:
            if value.metadata.plugin_data.plugin_name == "hparams":
                content = plugin_data_pb2.HParamsPluginData.FromString(value.metadata.plugin_data.content)
                found[content.WhichOneof("data")] += 1
    equal("hparams", found, {"experiment": 1, "session_start_info": 3, "session_end_info": 3})


# ---- the server ----

@contextlib.contextmanager
def server(folder, log, *options):
    """A TensorBoard on the folder; gives a function that fetches a path."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port", "0", "--host",
               "127.0.0.1", "--reload_interval", "1", *options]
    with open(log, "w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            address = None
            for _ in range(600):
                match = re.search(r"http://[\w.]+:\d+/", pathlib.Path(log).read_text())
                if match or process.poll() is not None:
                    address = match and match.group(0)
                    break
                time.sleep(0.1)
            if not address:
                sys.exit(f"TensorBoard does not start:\n{pathlib.Path(log).read_text()}")
            yield lambda path, body=None: fetch(address, path, body)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


answers = collections.Counter()
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def fetch(address, path, body=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"} if data else {})
    with OPENER.open(request, timeout=60) as response:
        answers[path.split("?")[0].removeprefix("data/plugin/").split("/")[0]] += 1
        content = response.read()
        return json.loads(content) if "json" in response.headers["Content-Type"] else content


def query(path, **arguments):
    return f"data/plugin/{path}?{urllib.parse.urlencode(arguments)}"


def wait_for(get, path, ready):
    """Until the loader has come so far; the last answer."""
    for _ in range(300):
        answer = get(path)
        if ready(answer):
            break
        time.sleep(0.1)
    return answer


def check_server(get):
    runs = wait_for(get, "data/runs", lambda found: len(found) >= 8)
    equal("runs", sorted(runs), ["fit", "fit/train", "fit/validation", "sweep", "sweep/trial1",
                                 "sweep/trial2", "sweep/trial3", "writer"])
    wait_for(get, query("scalars/tags"), lambda tags: len(tags.get("writer", {})) >= 4)
    time.sleep(2)
    tags = get(query("scalars/tags"))
    for run, names in tags.items():
        for tag in names:
            points = get(query("scalars/scalars", run=run, tag=tag))
            check(f"points of {run} {tag}", len(points) >= 1 and all(len(point) == 3 for point in points))
    points = get(query("scalars/scalars", run="fit/train", tag="epoch_loss"))
    equal("steps of epoch_loss", [point[1] for point in points], [1, 2, 3, 4, 5, 6])
    for plugin in "histograms", "distributions":
        tags = get(query(f"{plugin}/tags"))
        equal(f"{plugin} of train", len(tags["fit/train"]), 14)
        for run, names in tags.items():
            for tag in names:
                points = get(query(f"{plugin}/{plugin}", run=run, tag=tag))
                wanted = 1 if tag == "huge" else 6 if run == "fit/train" else 5
                equal(f"{plugin} of {run} {tag}", len(points), wanted)
    buckets = get(query("histograms/histograms", run="writer", tag="normal"))[0][2]
    equal("elements in buckets", (len(buckets), sum(bucket[2] for bucket in buckets)), (30, 10000))
    check("edges rise", all(left <= right for left, right, _ in buckets))
    check_images(get)
    check_graphs(get)
    check_projector(get)
    check_tables(get)


def check_images(get):
    tags = get(query("images/tags"))
    equal("samples", tags["writer"]["samples"]["samples"], 3)
    count = 0
    for run, names in tags.items():
        for tag, about in names.items():
            for sample in range(about["samples"]):
                for image in get(query("images/images", run=run, tag=tag, sample=sample)):
                    data = get("data/plugin/images/individualImage?" + image["query"])
                    check(f"{run} {tag} is a PNG", data.startswith(b"\x89PNG"))
                    count += 1
    check("there are images", count > 20)


def check_graphs(get):
    info = get(query("graphs/info"))
    for run in "fit/train", "writer":
        check(f"graph of {run}", info[run]["run_graph"])
        graph = get(query("graphs/graph", run=run, conceptual="false")).decode()
        for name in "words", "embed/Embedding", "conv/Conv1D", "conv/kernel", "pool", "score/Dense":
            check(f"{name} in the graph of {run}", f'name: "{name}"' in graph)
        check("shapes", "_output_shapes" in graph and "size: 12" in graph)
    if "keras" in info["fit/train"]["tags"]:
        graph = get(query("graphs/graph", run="fit/train", tag="keras", conceptual="true")).decode()
        check("the conceptual graph has the layers", "conv" in graph and "score" in graph)


def check_projector(get):
    equal("runs of the projector", sorted(get(query("projector/runs"))), ["fit", "writer"])
    for run, name, rows, columns in ("fit", "embed", 20, 6), ("writer", "digits", 10, 4):
        config = get(query("projector/info", run=run))["embeddings"][0]
        equal("config", (config["tensorName"], config["tensorShape"]), (name, [rows, columns]))
        tensor = get(query("projector/tensor", run=run, name=name))
        equal("floats", len(tensor), 4 * rows * columns)
        labels = get(query("projector/metadata", run=run, name=name)).decode().splitlines()
        equal("labels", len(labels), rows + (name == "digits"))
    check("sprite", get(query("projector/sprite_image", run="writer", name="digits")).startswith(b"\x89PNG"))


def check_tables(get):
    experiment = get(query("hparams/experiment"), {"experimentName": ""})
    equal("hyper-parameters", sorted(info["name"] for info in experiment["hparamInfos"]), ["act", "lr"])
    infos = [{"hparam": info["name"]} for info in experiment["hparamInfos"]]
    groups = get(query("hparams/session_groups"), {
        "experimentName": "", "colParams": infos, "startIndex": 0, "sliceSize": 10,
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING", "STATUS_UNKNOWN"]})
    found = {}
    for group in groups["sessionGroups"]:
        for session in group["sessions"]:
            equal("status", session["status"], "STATUS_SUCCESS")
            for metric in session.get("metricValues", []):
                if metric["name"]["tag"] == "accuracy":
                    found[session["name"]] = metric["value"]
    equal("accuracies", found, {"sweep/trial1": 0.25, "sweep/trial2": 0.5, "sweep/trial3": 0.75})
    equal("texts", sorted(get(query("text/tags"))["writer"]), ["note", "table"])
    check("Markdown", "<h1>title</h1>" in get(query("text/text", run="writer", tag="note"))[0]["text"])
    check("a table", "<table>" in get(query("text/text", run="writer", tag="table"))[0]["text"])
    equal("PR curves", list(get(query("pr_curves/tags"))["writer"]), ["curve"])
    curve = get(query("pr_curves/pr_curves", run="writer", tag="curve"))["writer"]
    # At threshold 1 nothing is positive, and TensorBoard leaves such points away.
    equal("points of a curve", (len(curve), len(curve[0]["precision"])), (5, 10))
    equal("recall at 0", curve[0]["recall"][-1] if curve[0]["thresholds"][0] else curve[0]["recall"][0], 1)
    layout = get(query("custom_scalars/layout"))
    equal("charts", [chart["title"] for chart in layout["category"][0]["chart"]], ["plain and not", "band"])
    lines = get(query("custom_scalars/scalars", run="writer", tag="plain"))
    check("a chart's lines", lines["regex_valid"] and len(lines["tag_to_events"]["plain"]) == 5)


# ---- kills ----

def cut_files(source, folder, count):
    """Runs whose file ends at a random byte, and the scalars that are whole in each."""
    data = source.read_bytes()
    ends = []
    for end, payload in records(data):
        ends.append((end, sum(value.tag == "batch_loss" for value in
                              event_pb2.Event.FromString(payload).summary.value)))
    generator, wanted = random.Random(1), {}
    for number in range(count):
        cut = generator.randrange(1, len(data))
        run = folder / f"cut{number:03}"
        run.mkdir(parents=True)
        (run / source.name).write_bytes(data[:cut])
        wanted[run] = sum(scalars for end, scalars in ends if end <= cut)
    return wanted


def check_cuts(source, folder):
    wanted = cut_files(source, folder, 200)
    good = 0
    for run, count in wanted.items():
        loader = accumulate(run)
        got = len(loader.Scalars("batch_loss")) if count else 0
        good += got == count
    equal("runs cut at random bytes that the loader reads", good, len(wanted))
    with server(folder, folder / "log.txt") as get:
        tagged = {run.name: count for run, count in wanted.items() if count}
        tags = wait_for(get, query("scalars/tags"), lambda found: len(found) >= len(tagged))
        good = sum(len(get(query("scalars/scalars", run=run, tag="batch_loss"))) == count
                   for run, count in tagged.items() if run in tags)
        equal("runs cut at random bytes that the server shows", good, len(tagged))
    print(f"{len(wanted)} runs cut at random bytes are read; {len(tagged)} of them have scalars to show")


KILLED = """
local cdl = require "cdl"
local model = cdl.Sequential { cdl.layers.Input { 4 }, cdl.layers.Dense(1) }
model:compile { optimizer = "sgd", loss = "mse" }
model:fit(cdl.ones { 64, 4 }, cdl.ones { 64, 1 }, { epochs = 100000, batch_size = 2, verbose = 0,
  callbacks = cdl.callbacks.TensorBoard { arg[1], update_freq = "batch", histogram_freq = 1 } })
"""


def check_kills(program, folder):
    """The real thing, some times: what a killed process has written has no gap."""
    generator = random.Random(2)
    script = folder / "killed.lua"
    script.write_text(KILLED)
    for number in range(6):
        process = subprocess.Popen([program, script, folder / f"run{number}"])
        while sum(path.stat().st_size for path in folder.glob(f"run{number}/train/*")) < 10000:
            time.sleep(0.01)
        time.sleep(0.1 * generator.random())
        process.kill()
        process.wait()
        loader = accumulate(folder / f"run{number}" / "train")
        found = steps(loader.Scalars("batch_loss"))
        check("a killed run is read", len(found) > 10 and found == list(range(1, len(found) + 1)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=pathlib.Path, help="cdl")
    parser.add_argument("--environment", metavar="FOLDER", help="a virtual environment with TensorBoard")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FOLDER", help="leave what was written there")
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        logs = folder / "logs"
        subprocess.run([program, HERE / "write.lua", logs], check=True, stdout=subprocess.DEVNULL)
        if arguments.keep:
            shutil.copytree(logs, arguments.keep, dirs_exist_ok=True)
        check_records(logs)
        check_fit(logs / "fit")
        check_writer(logs / "writer")
        check_hparams(logs / "sweep")
        # The loader in C++ or Rust that comes with TensorBoard, and the one in Python.
        for options in [], ["--load_fast", "false"]:
            with server(logs, folder / "log.txt", *options) as get:
                check_server(get)
        print("answers of the server: " + ", ".join(f"{name} {count}" for name, count in sorted(answers.items())))
        source = max((logs / "fit" / "train").glob("*tfevents*"), key=lambda path: path.stat().st_size)
        check_cuts(source, folder / "cuts")
        (folder / "kills").mkdir()
        check_kills(program, folder / "kills")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
